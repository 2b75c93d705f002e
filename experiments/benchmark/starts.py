"""What several processes cost once: until they have started, and before the first epoch of each `fit`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

import functional_nn as fnn
from experiments.benchmark.contestants.ours import trainer
from experiments.benchmark.works import NETWORKS, SHAPES, Work, process_count

SCRIPT = """
from time import perf_counter
import numpy as np
import functional_nn as fnn

x, loss_and_grad = np.ones((2, 1), np.float32), fnn.value_and_grad(fnn.layers.dense(1), fnn.losses.mean_squared_error)
params = {{"w": np.ones((1, 1), np.float32), "b": np.ones(1, np.float32)}}
times = [perf_counter()]
with fnn.processes({count}) as comm:
    step = fnn.data_parallel(loss_and_grad, chunk=1, comm=comm)
    for _ in range(2):
        step(params, x, x)
        times.append(perf_counter())
print(1e3 * (2 * times[1] - times[0] - times[2]))
"""


def processes_start_ms(times: int = 5) -> float:
    """Return the milliseconds by which the first call on several processes takes longer than the second.

    It is the median of new processes.
    """
    run = [sys.executable, "-c", SCRIPT.format(count=process_count())]
    return median(float(subprocess.check_output(run, text=True)) for _ in range(times))


def fit_start_ms(work: Work, times: int = 5) -> dict[str, float]:
    """Return the milliseconds that `fit` takes beside its epoch: for checks and, on processes, to share the data."""
    model, shape = NETWORKS[work.network](), SHAPES[work.network]
    with fnn.processes(process_count()) as comm:
        trainers = {"threads": trainer(model, shape, work), "processes": trainer(model, shape, work, comm=comm)}
        return {name: median([_beside_epoch_ms(train) for _ in range(times)]) for name, train in trainers.items()}


def _beside_epoch_ms(train: Callable[..., fnn.FitResult]) -> float:
    began = perf_counter()
    result = train(epochs=1)
    return 1e3 * (perf_counter() - began - result.history[0]["seconds"])
