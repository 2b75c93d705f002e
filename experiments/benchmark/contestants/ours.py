"""functional_nn itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import functional_nn as fnn
from experiments.benchmark.works import ALONE, NETWORKS, RATE, SHAPES, SHIFT, Work
from functional_nn import data, losses, optim


def prepare(work: Work) -> Callable[[], None]:
    """Return the function that takes one step."""
    return stepper(NETWORKS[work.network](), SHAPES[work.network], work)


def in_memory_order(x: np.ndarray) -> np.ndarray:
    """Return images in the memory order of a convolution's output, with the batch innermost."""
    return np.ascontiguousarray(x.transpose(1, 2, 3, 0).swapaxes(1, 2)).transpose(3, 0, 2, 1)


def stepper(model: fnn.Layer, shape: tuple[int, ...], work: Work) -> Callable[[], None]:
    """Return the function that takes one step of `model`."""
    x, labels = work.draw()
    params = model.init(np.random.default_rng(0), shape)
    x = in_memory_order(x) if work.network in ALONE else x
    if work.mode == "infer":
        return lambda: fnn.predict(model, params, x)
    if work.mode in ("epoch", "fit"):
        options = {"loss": losses.softmax_cross_entropy, "optimizer": optim.sgd(RATE, momentum=0.9)}
        if work.mode == "fit":
            options["transform"] = data.chain(data.random_shift(SHIFT), data.standardize(x))
        return lambda: fnn.fit(
            model, params, (x, labels), **options, epochs=1, batch_size=work.batch, seed=0, progress=False
        )
    loss_and_grad = fnn.data_parallel(fnn.value_and_grad(model, losses.softmax_cross_entropy))
    optimizer = optim.adam(RATE) if work.mode == "adam" else optim.sgd(RATE, momentum=0.9)
    state = optimizer.init(params)

    def step() -> None:
        nonlocal params, state
        _, grads = loss_and_grad(params, x, labels, key=0)
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)

    return step
