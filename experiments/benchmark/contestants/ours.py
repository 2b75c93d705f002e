"""functional_nn itself: on threads, as it chooses, or on several processes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.benchmark.works import ALONE, NETWORKS, ON_PROCESSES, RATE, SHAPES, SHIFT, Work, process_count
from experiments.running.machine import seconds
from functional_nn import data, losses, optim


def prepare(work: Work, processes: ExitStack | None = None) -> Callable[[int], list[float]]:
    """Return the function that takes some steps and returns the seconds of each; an epoch tells its own seconds.

    It runs on threads, or on processes that end with the stack.
    """
    where: dict[str, Any] = {}
    if processes is not None:
        where = {"comm": processes.enter_context(fnn.processes(process_count())), "chunk": ON_PROCESSES[work]}
    model, shape = NETWORKS[work.network](), SHAPES[work.network]
    if work.mode != "fit":
        return partial(seconds, stepper(model, shape, work, **where))
    train = trainer(model, shape, work, **where)
    return lambda epochs: [record["seconds"] for record in train(epochs=epochs).history]


def in_memory_order(x: np.ndarray) -> np.ndarray:
    """Return images in the memory order of a convolution's output, with the batch innermost."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0).swapaxes(1, 2)).transpose(3, 0, 2, 1)


def trainer(model: fnn.Layer, shape: tuple[int, ...], work: Work, **where: Any) -> Callable[..., fnn.FitResult]:
    """Return `fit` of `model` on this work's data, which lacks `epochs`; `where` are `comm` and `chunk`."""
    x, labels = work.draw()
    return partial(
        fnn.fit,
        model,
        model.init(np.random.default_rng(0), shape),
        (x, labels),
        loss=losses.softmax_cross_entropy,
        optimizer=optim.sgd(RATE, momentum=0.9),
        batch_size=work.batch,
        seed=0,
        transform=data.chain(data.random_shift(SHIFT), data.standardize(x)) if work.augments else None,
        progress=False,
        **where,
    )


def stepper(model: fnn.Layer, shape: tuple[int, ...], work: Work, **where: Any) -> Callable[[], object]:
    """Return the function that takes one step of `model`; `where` are `comm` and `chunk`."""
    if work.mode == "epoch":
        return partial(trainer(model, shape, work), epochs=1)
    x, labels = work.draw()
    params = model.init(np.random.default_rng(0), shape)
    x = in_memory_order(x) if work.network in ALONE else x
    if work.mode == "infer":
        return lambda: fnn.predict(model, params, x)
    loss_and_grad = fnn.data_parallel(fnn.value_and_grad(model, losses.softmax_cross_entropy), **where)
    optimizer = optim.adam(RATE) if work.mode == "adam" else optim.sgd(RATE, momentum=0.9)
    state = optimizer.init(params)

    def step() -> None:
        nonlocal params, state
        _, grads = loss_and_grad(params, x, labels, key=0)
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)

    return step
