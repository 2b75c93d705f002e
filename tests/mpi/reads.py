"""On each rank: calls on memory-mapped data, in which every image that is not this rank's to read is poisoned.

Which ones are a rank's follows from the order of an epoch and from the rule: a batch's chunks, and the batches and
chunks of what is not added up, are shared out in their order. The first image is everyone's: it tells the shape.
"""

import sys
from pathlib import Path

import numpy as np
from mpi4py import MPI

import functional_nn as fnn
from functional_nn import keys, losses
from tests.mpi.cases import CLASSES, NORMED, VECTORS, fit, start
from tests.mpi.report import digest, report

comm = MPI.COMM_WORLD
folder, poisoned = Path(sys.argv[1]), sys.argv[2] == "poisoned"
TRAINED, BATCH, CHUNK, SEED = 96, 32, 8, 3  # four chunks a batch


def mapped(name, x, own):
    """A map of a file of this rank, in which all but its own images are nan."""
    read = x.copy()
    if poisoned:
        read[np.setdiff1d(np.arange(1, len(x)), own)] = np.nan
    path = folder / f"{name}-{comm.rank}.npy"
    np.save(path, read)
    return np.load(path, mmap_mode="r")


def share(pieces, size):
    """The examples of this rank's share of so many pieces of this size."""
    return np.arange(pieces * comm.rank // comm.size * size, pieces * (comm.rank + 1) // comm.size * size)


order = keys.generator(keys.fold(SEED, 1)).permutation(TRAINED).reshape(-1, BATCH)  # a row a batch
of_epoch = mapped("epoch", VECTORS[:TRAINED], np.split(order, comm.size, axis=1)[comm.rank])
of_predict = mapped("predict", VECTORS[:2048], share(2, 1024))
of_statistics = mapped("statistics", VECTORS, share(22, 100))
assert isinstance(of_epoch, np.memmap)

plain = fnn.serial(**dict(NORMED.parts[:1]), **dict(NORMED.parts[2:]))  # without batch norm, whose statistics read all
options = {"epochs": 1, "batch_size": BATCH, "chunk": CHUNK, "seed": SEED, "comm": comm}
trained = fit(plain, of_epoch, CLASSES[:TRAINED], **options, validation=(of_predict, CLASSES[:2048]))
report(comm.rank, digest(trained))
scores = {"loss": losses.softmax_cross_entropy, "comm": comm}
report(comm.rank, digest(fnn.evaluate(plain, trained.params, of_predict, CLASSES[:2048], **scores)))
normed = fnn.statistics(NORMED, start(NORMED, VECTORS), of_statistics, batch_size=100, comm=comm)
report(comm.rank, digest(normed))
report(comm.rank, int(np.isnan(of_epoch[:, 0]).sum()))
