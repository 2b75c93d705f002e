"""A small problem, and every function that takes `comm`, called on it."""

from __future__ import annotations

import numpy as np

import functional_nn as fnn
from functional_nn import layers, losses, optim

X, LABELS = np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32), np.arange(12) % 2
MODEL = fnn.serial(d=layers.dense(4), n=layers.batch_norm(), o=layers.dense(2))
PARAMS = MODEL.init(np.random.default_rng(0), (3,))
KNOWN = fnn.statistics(MODEL, PARAMS, X)
LOSS = losses.softmax_cross_entropy
STEP = fnn.value_and_grad(MODEL, LOSS)


def fit(comm, **options):
    """Two steps an epoch of two chunks each."""
    options = {"loss": LOSS, "optimizer": optim.sgd(0.1), "epochs": 1, "batch_size": 6, "chunk": 3, **options}
    return fnn.fit(MODEL, PARAMS, (X, LABELS), seed=0, progress=False, comm=comm, **options)


CALLS = {
    "fit": fit,
    "predict": lambda comm: fnn.predict(MODEL, KNOWN, X, comm=comm),
    "evaluate": lambda comm: fnn.evaluate(MODEL, KNOWN, X, LABELS, loss=LOSS, comm=comm),
    "statistics": lambda comm: fnn.statistics(MODEL, PARAMS, X, comm=comm),
    "data_parallel": lambda comm: fnn.data_parallel(STEP, chunk=3, comm=comm)(PARAMS, X, LABELS),
    "data_parallel of one chunk": lambda comm: fnn.data_parallel(STEP, comm=comm)(PARAMS, X, LABELS),
}
