"""A script in which the second rank fails, in a way of its own.

faults.py WAY FOLDER
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from mpi4py import MPI

import functional_nn as fnn
from functional_nn import layers
from tests.mpi.cases import CLASSES, PLAIN, VECTORS, fit, gradient, start
from tests.mpi.report import REPORT, report

comm, way, folder = MPI.COMM_WORLD, sys.argv[1], Path(sys.argv[2])
failing, calls = comm.rank == 1, []


def broken_vjp(params, x, **how):
    calls.append(len(x))
    if failing and len(calls) == 5:  # the first is the check before training
        print(REPORT + '[1, "a line that nobody has flushed"]')
        raise RuntimeError("a layer broke in the middle of a step")
    return x, lambda dy: ({}, dy)


def broken_transform(x, key):
    if failing and key is not None:
        sys.exit("an image is missing")
    return x


def failing_callback(result):
    if len(result.history) == 2:
        if way == "callback" and failing:
            raise ValueError("a callback failed")
        if way == "killed" and failing:
            os.kill(os.getpid(), signal.SIGKILL)
        if way == "folder" and comm.rank == 0:
            shutil.rmtree(folder)


options = {"chunk": 8, "callback": failing_callback, "comm": comm}
if way == "before" and failing:
    raise ValueError("before the first call")
if way == "first call" and failing:
    gradient(PLAIN, VECTORS, CLASSES[:7], comm=comm)
if way == "first fit" and failing:
    fit(PLAIN, **options, batch_size=0)
if way == "first prediction" and failing:
    fnn.predict(PLAIN, start(PLAIN, VECTORS), [1.0], comm=comm)
if way == "first evaluation" and failing:
    fnn.evaluate(PLAIN, start(PLAIN, VECTORS), VECTORS, CLASSES, loss="loss", comm=comm)
if way == "first statistics" and failing:
    fnn.statistics(PLAIN, start(PLAIN, VECTORS), VECTORS[:0], comm=comm)
if way == "layer":
    broken = fnn.Layer("broken", apply=lambda params, x: x, vjp=broken_vjp)
    fit(fnn.serial(broken=broken, output=layers.dense(2)), **options)
if way == "exit":
    fit(PLAIN, **options, transform=broken_transform)
if way == "folder":
    fit(PLAIN, **options, checkpoint=folder / "run.npz", epochs=3)
if way == "interrupt":
    fit(PLAIN, **options, checkpoint=folder / "run.npz", epochs=10**6, progress=True)
if way == "arguments":
    fit(PLAIN, **options, seed=comm.rank)
fit(PLAIN, **options, epochs=3)
if way == "between" and failing:
    raise ValueError("between two calls")
fnn.predict(PLAIN, start(PLAIN, VECTORS), VECTORS, comm=comm)
if way == "at the end" and failing:
    raise ValueError("after all calls")
report(comm.rank, "done")
