"""Calls whose results must have the same bits on any number of ranks: each takes `comm` and `workers`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import functional_nn as fnn
from functional_nn import data, layers, losses, models, optim

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (150, 32, 32, 1), np.uint8)  # batches of 64, 64 and 22
LABELS = RNG.integers(0, 10, 150)
VECTORS = RNG.standard_normal((2200, 8)).astype(np.float32)  # three chunks of a prediction
CLASSES = (VECTORS[:, 0] > VECTORS[:, 1]).astype(np.int64)

LENET = models.lenet5(10, activation=layers.tanh)
NORMED = fnn.serial(f=layers.dense(12), n=layers.batch_norm(), a=layers.relu, o=layers.dense(2))
DROPPED = fnn.serial(f=layers.dense(12), d=layers.dropout(0.5), a=layers.tanh, o=layers.dense(2))
PLAIN = models.two_layer_perceptron(12, 2, layers.tanh)
STANDARDIZE = data.chain(data.random_shift(1), data.standardize(IMAGES))


def start(model: fnn.Layer, x: np.ndarray) -> dict[str, Any]:
    return model.init(np.random.default_rng(1), x.shape[1:])


def fit(
    model: fnn.Layer, x: np.ndarray = VECTORS[:150], targets: np.ndarray = CLASSES[:150], **options: Any
) -> fnn.FitResult:
    """A run of two epochs, each with a batch that is ragged."""
    given = {"loss": losses.softmax_cross_entropy, "optimizer": optim.sgd(0.1, momentum=0.9), "epochs": 2}
    given |= {"batch_size": 64, "seed": 3, "progress": False, "validation": (x[:70], targets[:70])} | options
    params = given.pop("params", None)
    return fnn.fit(model, start(model, x) if params is None else params, (x, targets), **given)


def gradient(model: fnn.Layer, x: np.ndarray, targets: np.ndarray, chunk: int | None = None, **how: Any) -> Any:
    grad_fn = fnn.value_and_grad(model, losses.softmax_cross_entropy, outputs=True)
    return fnn.data_parallel(grad_fn, chunk=chunk, **how)(start(model, x), x, targets, key=5)


def gradient_of_ones_own(**how: Any) -> Any:
    """The gradient of a function that is no model's, of arrays of two dtypes."""

    def grad_fn(params: Any, x: np.ndarray, targets: np.ndarray, *, key: Any = None) -> Any:
        error = x @ params["a"] + params["b"] - targets
        grads = {"a": (x.T @ error / len(x)).astype(np.float32), "b": error.mean(axis=0)}
        return float(np.square(error).mean() / 2), grads

    params = {"a": np.ones((8, 3), np.float32), "b": np.arange(3.0)}
    return fnn.data_parallel(grad_fn, chunk=7, **how)(params, VECTORS[:60], np.ones((60, 3)))


LENET_IN_CHUNKS = {"x": IMAGES, "targets": LABELS, "transform": STANDARDIZE, "chunk": 16}
LENET_FLOATS = data.standardize(IMAGES)(IMAGES, None)

CASES: dict[str, Callable[..., Any]] = {
    "LeNet-5": partial(fit, LENET, **LENET_IN_CHUNKS),
    "LeNet-5, Adam": partial(fit, LENET, **LENET_IN_CHUNKS, optimizer=optim.adam(2e-3), validation=None),
    "LeNet-5, accumulated": partial(fit, LENET, **LENET_IN_CHUNKS, optimizer=optim.accumulate(optim.adam(2e-3), 2)),
    "LeNet-5, its own chunks": partial(fit, LENET, IMAGES, LABELS, transform=STANDARDIZE, batch_size=128),
    "batch norm, whole": partial(fit, NORMED),
    "batch norm, in chunks": partial(fit, NORMED, chunk=8),
    "dropout": partial(fit, DROPPED, chunk=8),
    "more ranks than chunks": partial(fit, PLAIN, chunk=30),
    "chunks that are no power of two": partial(fit, PLAIN, chunk=11),
    "data_parallel": partial(gradient, LENET, LENET_FLOATS, LABELS, 32),
    "data_parallel, dropout": partial(gradient, DROPPED, VECTORS, CLASSES, 300),
    "data_parallel, one chunk": partial(gradient, PLAIN, VECTORS, CLASSES),
    "data_parallel, a function of one's own": gradient_of_ones_own,
    "predict": partial(fnn.predict, LENET, start(LENET, LENET_FLOATS), LENET_FLOATS),
    "predict, one chunk": partial(fnn.predict, PLAIN, start(PLAIN, VECTORS), VECTORS[:10]),
    "evaluate": partial(
        fnn.evaluate, PLAIN, start(PLAIN, VECTORS), VECTORS, CLASSES, loss=losses.softmax_cross_entropy
    ),
    "statistics": lambda comm, workers: fnn.statistics(NORMED, start(NORMED, VECTORS), VECTORS, comm=comm),
}
WORKERS = (1, 2)


def overfit(epochs: int, **options: Any) -> fnn.FitResult:
    """A run whose validation loss soon grows, kept in run.npz."""
    return fit(PLAIN, **OVERFIT | {"epochs": epochs, "checkpoint": "run.npz"} | options)


OVERFIT = {"x": VECTORS[:40], "targets": LABELS[:40] % 2, "validation": (VECTORS[40:80], LABELS[40:80] % 2)}
OVERFIT |= {"chunk": 8, "batch_size": 32, "optimizer": optim.adam(0.02)}
