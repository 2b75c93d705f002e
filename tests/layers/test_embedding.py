"""Embedding: rows by number, their gradients, and what is refused."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import layers, losses
from functional_nn.testing import check_vjp
from tests.refusals import refused


def looked_up(x, entries=5, features=3):
    """An embedding of the numbers x as a layer of its table, so that the checker can differentiate by it."""
    layer = layers.embedding(entries, features)
    params = layer.init(np.random.default_rng(0), x.shape[1:])

    def of_nothing(params, nothing, *, key=None, wrt_x=True):
        y, pullback = layer.vjp(params, x, wrt_x=False)
        return y, lambda dy: (pullback(dy)[0], np.zeros_like(nothing) if wrt_x else None)

    shape = lambda input_shape: layer.output_shape(x.shape[1:])  # noqa: E731
    made = fnn.Layer(
        "table", apply=lambda p, z: of_nothing(p, z)[0], vjp=of_nothing, output_shape=shape, parameters=("w",)
    )
    return made, fnn.tree.map(lambda p: p.astype(np.float64), params)


@given(st.integers(0, 1000), st.sampled_from([(4,), (4, 2), (3, 2, 2)]))
def test_pullback_is_the_adjoint(seed, shape):
    x = np.random.default_rng(seed).integers(0, 5, shape)
    layer, params = looked_up(x)
    check_vjp(layer, params, np.zeros((len(x), 1)))


def test_rows_are_looked_up_and_cotangents_of_a_row_added():
    w = np.arange(8.0).reshape(4, 2)
    y, pullback = layers.embedding(4, 2).vjp({"w": w}, np.array([[1, 3], [1, 1]], np.uint8), wrt_x=False)
    assert y.tolist() == [[[2, 3], [6, 7]], [[2, 3], [2, 3]]]
    dparams, dx = pullback(np.ones((2, 2, 2)))
    assert dx is None
    assert dparams["w"].tolist() == [[0, 0], [3, 3], [0, 0], [1, 1]]


def test_it_is_a_first_layer_that_trains():
    model = fnn.serial(words=layers.embedding(6, 4), flat=layers.flatten(), out=layers.dense(2))
    params = model.init(np.random.default_rng(0), (3,))
    x = np.random.default_rng(0).integers(0, 6, (40, 3))
    labels = (x[:, 0] > 2).astype(int)
    options = {"loss": losses.softmax_cross_entropy, "optimizer": fnn.optim.adam(0.05)}
    result = fnn.fit(model, params, (x, labels), **options, epochs=20, batch_size=8, seed=0, progress=False)
    assert result.history[-1]["accuracy"] == 1.0
    assert fnn.predict(model, result.params, x).shape == (40, 2)


def test_bad_numbers_are_refused():
    layer = layers.embedding(4, 2)
    params = layer.init(np.random.default_rng(0), (1,))
    for x, outside in ((np.array([[0], [4]]), 4), (np.array([[-1], [3]]), -1)):
        with refused(ValueError, f"embedding: x holds {outside}, expected numbers from 0 to 3"):
            layer.apply(params, x)
    with refused(TypeError, "embedding: x is float64, expected an array of whole numbers"):
        layer.apply(params, np.ones((1, 1)))
    with refused(TypeError, "embedding: whole numbers have no derivative: put it first, and call with wrt_x=False"):
        layer.vjp(params, np.array([[0]]))
