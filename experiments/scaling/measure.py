"""What a step is made of, each part measured by itself, and whole steps, on whatever ranks run this."""

from __future__ import annotations

from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.benchmark.works import CLASSES, RATE
from experiments.running.machine import seconds
from experiments.scaling.idle import idle
from experiments.scaling.subjects import NETWORKS, SHAPE, Point
from functional_nn import losses, optim

EPOCHS, EPOCH_SECONDS = 4, 0.25  # of a measurement; the first epoch does not count
TIMES = 40  # that a part is measured, at most


def whole_step(point: Point, comm: Any = None) -> float:
    """Return the seconds of a step of `fit` on the ranks of `comm`, each of which computes on one thread."""
    batch = point.chunk * point.chunks
    x, targets, model, loss = _problem(point, point.steps * batch)
    result = fnn.fit(
        model,
        model.init(np.random.default_rng(0), x.shape[1:]),
        (x, targets),
        loss=loss,
        optimizer=optim.sgd(RATE, momentum=0.9),
        epochs=EPOCHS,
        batch_size=batch,
        seed=0,
        chunk=point.chunk,
        workers=1,
        comm=comm,
        progress=False,
    )
    return median(record["seconds"] for record in result.history[1:]) / point.steps


def chunk_seconds(network: str, chunk: int, comm: Any = None) -> float:
    """Return the seconds of a chunk's forward and backward pass, alone or, on `fnn.processes(2)`, beside another."""
    x, labels, model, loss = _problem(Point(network, chunk, 2, 1), 2 * chunk)
    loss_and_grad = fnn.value_and_grad(model, loss)
    taken: list[float] = []

    def timed(*arguments: Any, key: Any = None) -> Any:
        began = perf_counter()
        result = loss_and_grad(*arguments, key=key)
        taken.append(perf_counter() - began)
        return result

    step = partial(fnn.data_parallel(timed, workers=1, chunk=chunk, comm=comm), model.init(_rng(), SHAPE), x, labels)
    for _ in range(max(5, min(TIMES, int(1.0 / seconds(step, 1)[0])))):
        step()
    return median(taken[1:])  # of this process: the other one has a list of its own


def beside_seconds(network: str, chunk: int) -> tuple[float, float]:
    """Return the seconds of what a chunk takes beside its passes, and of what each rank does once a step.

    A chunk is read from the data and its gradient is added. A step updates the parameters and goes round fit's loop.
    """
    x, _, model, _ = _problem(Point(network, chunk, 1, 1), 16 * chunk)
    params = model.init(_rng(), SHAPE)
    grads = fnn.tree.map(np.zeros_like, params)
    optimizer = optim.sgd(RATE, momentum=0.9)
    state = optimizer.init(params)
    chosen = _rng().permutation(len(x))[:chunk]

    def of_chunk() -> None:
        _ = x[chosen]
        fnn.tree.map(np.add, grads, grads)

    def of_step() -> None:
        updates, _ = optimizer.update(grads, state, params)
        optim.apply_updates(params, updates)

    loop = whole_step(Point("idle", 1, 1, 200, [[1]]))
    return median(seconds(of_chunk, TIMES, warmup=5)), median(seconds(of_step, TIMES, warmup=5)) + loop


def steps_of_epoch(chunk_seconds: float, chunks: int) -> int:
    """Return how many steps of so many chunks an epoch of a measurement has."""
    return max(2, int(EPOCH_SECONDS / (chunks * chunk_seconds)))


def _problem(point: Point, n: int) -> tuple[np.ndarray, np.ndarray, fnn.Layer, Any]:
    """Return n examples with their targets, the network and the loss."""
    if point.network == "idle":
        x = np.zeros((n, 1), np.float32)
        return x, x, idle(*(tuple(shape) for shape in point.shapes)), losses.mean_squared_error
    x = _rng().standard_normal((n, *SHAPE), np.float32)
    return x, _rng().integers(0, CLASSES, n), NETWORKS[point.network](), losses.softmax_cross_entropy


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)
