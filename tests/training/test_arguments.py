"""Arguments of a wrong kind, of every function of training: named before any work, never by Python's own error."""

import re

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, optim

MODEL = fnn.serial(h=layers.dense(4), n=layers.batch_norm(), o=layers.dense(3))
PARAMS = MODEL.init(np.random.default_rng(0), (5,))
X = np.random.default_rng(1).standard_normal((8, 5)).astype(np.float32)
LABELS = np.arange(8) % 3
LOSS = losses.softmax_cross_entropy
STEP = fnn.value_and_grad(MODEL, LOSS)


def fit(**changes):
    settings = {"loss": LOSS, "optimizer": optim.sgd(0.1), "epochs": 1, "batch_size": 4, "seed": 0, "progress": False}
    return fnn.fit(MODEL, PARAMS, (X, LABELS), **{**settings, **changes})


WHOLE = "expected an int of at least 1"
SINGLE = "is a single number, expected a batch (n, ...)"
LIST = "is a list, expected a NumPy array"
NUMBER = np.array(1.0)
CASES = [
    (lambda: fit(batch_size=None), f"fit: batch_size is None, {WHOLE}"),
    (lambda: fit(workers=1.5), f"fit: workers is 1.5, {WHOLE}"),
    (lambda: fit(workers="2"), f"fit: workers is '2', {WHOLE}"),
    (lambda: fit(chunk=0), f"fit: chunk is 0, {WHOLE}"),
    (lambda: fit(chunk=2.5), f"fit: chunk is 2.5, {WHOLE}"),
    (lambda: fit(transform=5), "fit: transform is 5, expected a function (x, key) -> x"),
    (lambda: fnn.predict(layers.dense, PARAMS, X), "predict: model: expected a Layer, got dense: call it to make one"),
    (lambda: fnn.predict(MODEL, PARAMS, X, workers=0), f"predict: workers is 0, {WHOLE}"),
    (lambda: fnn.predict(MODEL, PARAMS, X, transform=5), "predict: transform is 5, expected a function (x, key) -> x"),
    (lambda: fnn.predict(MODEL, PARAMS, X, transform=lambda x, key: None), "predict: what transform returns is a None"),
    (lambda: fnn.evaluate(MODEL, PARAMS, NUMBER, LABELS, loss=LOSS), f"evaluate: x {SINGLE}"),
    (lambda: fnn.evaluate(MODEL, PARAMS, X, NUMBER, loss=LOSS), f"evaluate: targets {SINGLE}"),
    (lambda: fnn.statistics(5, PARAMS, X), "statistics: model: expected a Layer, got 5"),
    (lambda: fnn.statistics(MODEL, PARAMS, None), "statistics: x is a NoneType, expected a NumPy array"),
    (lambda: fnn.statistics(MODEL, PARAMS, NUMBER), f"statistics: x {SINGLE}"),
    (lambda: fnn.statistics(MODEL, PARAMS, X[:0]), "statistics: x has 0 examples, expected at least one"),
    (lambda: fnn.statistics(MODEL, PARAMS, X, batch_size=2.5), f"statistics: batch_size is 2.5, {WHOLE}"),
    (lambda: fnn.statistics(MODEL, PARAMS, X, chunk=0), f"statistics: chunk is 0, {WHOLE}"),
    (lambda: fnn.statistics(MODEL, PARAMS, X, transform=5), "statistics: transform is 5, expected a function"),
    (lambda: fnn.value_and_grad(5, LOSS), "value_and_grad: model: expected a Layer, got 5"),
    (lambda: fnn.value_and_grad(MODEL, "mse"), "value_and_grad: loss is 'mse', expected a Loss, such as"),
    (lambda: fnn.data_parallel(5, chunk=2), "data_parallel: grad_fn is 5, expected a function"),
    (lambda: fnn.data_parallel(STEP, workers=1.5), f"data_parallel: workers is 1.5, {WHOLE}"),
    (lambda: fnn.data_parallel(STEP, chunk="2"), f"data_parallel: chunk is '2', {WHOLE}"),
    (lambda: fnn.data_parallel(STEP)(PARAMS, X.tolist(), LABELS), f"data_parallel: x {LIST}"),
    (lambda: fnn.data_parallel(STEP)(PARAMS, X, LABELS.tolist()), f"data_parallel: targets {LIST}"),
    (lambda: fnn.data_parallel(STEP)(PARAMS, NUMBER, LABELS), f"data_parallel: x {SINGLE}"),
]


@pytest.mark.parametrize(("call", "message"), CASES, ids=[message for _, message in CASES])
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises((TypeError, ValueError), match="^" + re.escape(message)):
        call()
