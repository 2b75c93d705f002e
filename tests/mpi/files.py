"""On each rank: a run that keeps files. Only the first rank's working directory has them, or can have them.

files.py FOLDER EPOCHS
"""

import os
import sys
from pathlib import Path

from mpi4py import MPI

from functional_nn import callbacks
from tests.mpi.cases import overfit
from tests.mpi.report import digest, report

rank, folder, epochs = MPI.COMM_WORLD.rank, Path(sys.argv[1]), int(sys.argv[2])
here = folder / "first" if rank == 0 else folder / "others"
here.mkdir(exist_ok=True)
os.chdir(here)
best = callbacks.keep_best(path="best.npz")
result = overfit(epochs, callback=[best, callbacks.csv_log("log.csv")], progress=True, comm=MPI.COMM_WORLD)
epoch = best.result.history[-1]["epoch"]
report(rank, {"result": digest(result), "best": digest(best.result), "epoch of the best": epoch})
