"""On each of four ranks: errors that all of them raise, and can catch to go on; some begin on one rank alone."""

import shutil
import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import functional_nn as fnn
from functional_nn import callbacks, losses, optim
from tests.mpi.cases import CLASSES, PLAIN, VECTORS, fit, start
from tests.mpi.report import digest, report

comm, folder = MPI.COMM_WORLD, Path(sys.argv[1])
missing = folder / "missing" / "run.npz"
removed = folder / "removed"
removed.mkdir(exist_ok=True)
comm.Barrier()


class OwnError(Exception):
    """An error that does not pickle: it is made of more than its message."""

    def __init__(self, code, reason):
        super().__init__(f"{reason} ({code})")
        self.code = code


def fails_on(rank, error):
    def callback(result):
        if comm.rank == rank and len(result.history) == 2:
            raise error

    return callback


def remove(result):
    if comm.rank == 0:
        shutil.rmtree(removed)


def of_bad_targets():
    targets = np.zeros(2**20 + 20, np.int64)  # the loss looks at blocks of 2**19, the last ranks' alone
    targets[2**20 + 7] = 2
    x = np.broadcast_to(VECTORS[:1], (len(targets), VECTORS.shape[1]))
    return fit(PLAIN, np.ascontiguousarray(x), targets, comm=comm)


def of_a_model(comm):
    def apply(params, x):
        if comm.rank == 2:
            raise OwnError(3, "a layer failed")
        return x

    model = fnn.Layer("odd", apply=apply, vjp=lambda params, x, **_: (x, None))
    return fnn.predict(model, {}, VECTORS, comm=comm)


TASKS = {
    "divergence": lambda: fit(PLAIN, optimizer=optim.sgd(1e30), chunk=8, comm=comm),
    "validation": lambda: fit(PLAIN, optimizer=optim.sgd(1e12), batch_size=150, epochs=1, chunk=8, comm=comm),
    "callback": lambda: fit(PLAIN, callback=fails_on(1, ValueError("no good")), chunk=8, comm=comm),
    "own error": lambda: fit(PLAIN, callback=fails_on(2, OwnError(7, "odd")), chunk=8, comm=comm),
    "no folder": lambda: fit(PLAIN, checkpoint=missing, comm=comm),
    "no folder of a callback": lambda: fit(PLAIN, callback=callbacks.csv_log(missing), comm=comm),
    "folder removed": lambda: fit(PLAIN, checkpoint=removed / "run.npz", callback=remove, chunk=8, comm=comm),
    "targets": of_bad_targets,
    "prediction": lambda: of_a_model(comm),
    "evaluate": lambda: fnn.evaluate(
        PLAIN, start(PLAIN, VECTORS), VECTORS, CLASSES + 1, loss=losses.softmax_cross_entropy, comm=comm
    ),
}
for name, task in TASKS.items():
    try:
        task()
    except Exception as error:
        notes = "\n".join(getattr(error, "__notes__", []))
        places = [place for place in range(comm.size) if f"on rank {place} of 4:\nTraceback" in notes]
        result = digest(error.result) if hasattr(error, "result") else None
        report(comm.rank, [name, f"{type(error).__name__}: {error}", places, result])

stops = fit(PLAIN, chunk=8, epochs=5, callback=lambda result: comm.rank == 3 and len(result.history) == 2, comm=comm)
report(comm.rank, [len(stops.history), digest(stops)])
