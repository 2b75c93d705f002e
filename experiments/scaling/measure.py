"""What a step is made of, each part measured by itself, and whole steps, on whatever ranks run this."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

import functional_nn as fnn
from experiments.benchmark.works import CLASSES, RATE, wide_network
from experiments.running.machine import seconds
from experiments.scaling.idle import idle
from functional_nn import losses, models, optim

SHAPE = (32, 32, 3)
EPOCHS, EPOCH_SECONDS = 6, 0.25  # of a measurement; the first epoch does not count
TIMES = 40  # at which a part is measured by itself

NETWORKS = {
    "lenet5": partial(models.lenet5, CLASSES),
    "small_resnet": partial(models.small_resnet, CLASSES),
    "wide": wide_network,
}


class Point(NamedTuple):
    """A step to be measured: of a network, or of an `idle` one with parameters of these shapes.

    The batch has so many chunks of so many examples, and an epoch so many steps: the same on all ranks.
    """

    network: str
    chunk: int
    chunks: int
    steps: int
    shapes: Sequence[Sequence[int]] = ()


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
    """Return the seconds of a chunk's forward and backward pass, alone or, with `comm`, beside another process."""
    x, labels, model, loss = _problem(Point(network, chunk, 2, 1), 2 * chunk)
    loss_and_grad, taken = fnn.value_and_grad(model, loss), []

    def timed(*arguments: Any, key: Any = None) -> Any:
        began = perf_counter()
        result = loss_and_grad(*arguments, key=key)
        taken.append(perf_counter() - began)
        return result

    params = model.init(np.random.default_rng(0), SHAPE)
    step = fnn.data_parallel(timed, workers=1, chunk=chunk, comm=comm)
    for _ in range(max(5, min(TIMES, int(EPOCHS * EPOCH_SECONDS / seconds(partial(step, params, x, labels), 1)[0])))):
        step(params, x, labels)
    return median(taken[1:])  # of this process: another one has a list of its own


def own_seconds(network: str, chunk: int) -> tuple[float, float]:
    """Return the seconds of what a chunk takes beside its passes, and of what a step does once, on every rank.

    A chunk is read from the data and its gradient is added. A step updates the parameters and goes round fit's loop.
    """
    x, _, model, _ = _problem(Point(network, chunk, 1, 1), 16 * chunk)
    params = model.init(np.random.default_rng(0), SHAPE)
    grads = fnn.tree.map(np.zeros_like, params)
    optimizer = optim.sgd(RATE, momentum=0.9)
    state = optimizer.init(params)
    chosen = np.random.default_rng(0).permutation(len(x))[:chunk]

    def of_chunk() -> None:
        _ = x[chosen]
        fnn.tree.map(np.add, grads, grads)

    def of_step() -> None:
        updates, _ = optimizer.update(grads, state, params)
        optim.apply_updates(params, updates)

    loop = whole_step(Point("idle", 1, 1, 200, [[1]]))
    return median(seconds(of_chunk, TIMES, warmup=5)), median(seconds(of_step, TIMES, warmup=5)) + loop


def idle_points(shapes: Sequence[Sequence[int]]) -> tuple[Point, Point, Point]:
    """Return what tells the seconds of an exchange of gradients of these shapes: see `exchange_seconds`."""
    steps = max(10, int(200 / (1 + size_of(shapes) / 500_000)))
    two, four = (Point("idle", 1, chunks, steps, shapes) for chunks in (2, 4))
    return two, two, four


def exchange_seconds(two_ranks: float, one_rank: float, of_four: float) -> float:
    """Return the seconds of an exchange from idle steps: of two chunks on two ranks and on one, and of four on one.

    The steps on one rank differ by two chunks and their additions; two ranks are spared one of each.
    """
    return two_ranks - one_rank + (of_four - one_rank) / 2.0


def shapes_of(network: str) -> list[tuple[int, ...]]:
    """Return the shapes of a network's parameters."""
    params = NETWORKS[network]().init(np.random.default_rng(0), SHAPE)
    return [leaf.shape for leaf in fnn.tree.leaves(params)]


def size_of(shapes: Sequence[Sequence[int]]) -> int:
    """Return the bytes of a float32 gradient of these shapes."""
    return 4 * sum(math.prod(shape) for shape in shapes)


def steps_of_epoch(chunk_seconds: float, chunks: int) -> int:
    """Return how many steps of so many chunks an epoch of a measurement has."""
    return max(2, int(EPOCH_SECONDS / (chunks * chunk_seconds)))


def _problem(point: Point, n: int) -> tuple[np.ndarray, np.ndarray, fnn.Layer, Any]:
    """Return n examples with their targets, the network and the loss."""
    rng = np.random.default_rng(0)
    if point.network == "idle":
        x = np.zeros((n, 1), np.float32)
        return x, x, idle(*(tuple(shape) for shape in point.shapes)), losses.mean_squared_error
    x = rng.standard_normal((n, *SHAPE), np.float32)
    return x, rng.integers(0, CLASSES, n), NETWORKS[point.network](), losses.softmax_cross_entropy
