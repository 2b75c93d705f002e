"""The report's networks: their structure, their sizes and their gradients end to end."""

from __future__ import annotations

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, models, tree
from functional_nn.initializers import lecun_normal
from functional_nn.testing import check_vjp

MODELS = [
    (models.two_layer_perceptron(), (408,), 29_426, {"hidden", "output"}),
    (models.lenet5(50), (32, 32, 3), 65_406, {"c1", "c3", "f5", "f6", "f7"}),
    (models.improved_lenet5(), (32, 32, 3), 42_372, {"c1", "c3", "c5", "f6", "f7", "f8"}),
]
ACTIVATIONS = (layers.sigmoid, layers.tanh, layers.silu, layers.asinh_unit)


@pytest.mark.parametrize(("model", "shape", "size", "names"), MODELS, ids=lambda value: getattr(value, "name", None))
def test_model_has_the_reports_parameters_and_returns_logits(model, shape, size, names):
    params = model.init(np.random.default_rng(0), shape)
    assert params.keys() == names
    assert tree.size(params) == size
    assert model.output_shape(shape) == (50,)
    assert model.apply(params, np.zeros((2, *shape), np.float32)).shape == (2, 50)
    assert all(not entry["b"].any() for entry in params.values())


@pytest.mark.parametrize(("model", "shape", "size", "names"), MODELS, ids=lambda value: getattr(value, "name", None))
def test_gradient_of_the_whole_network_is_right(model, shape, size, names):
    rng = np.random.default_rng(1)
    params = tree.map(lambda p: p.astype(np.float64), model.init(rng, shape))
    check_vjp(model, params, rng.standard_normal((2, *shape)))


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
def test_activation_can_be_chosen(activation):
    model = models.two_layer_perceptron(5, 3, activation)
    rng = np.random.default_rng(2)
    params = tree.map(lambda p: p.astype(np.float64), model.init(rng, (4, 4, 1)))
    check_vjp(model, params, rng.standard_normal((3, 4, 4, 1)))


def test_start_fits_the_activation():
    def spread(model):
        w = model.init(np.random.default_rng(0), (408,))["hidden"]["w"]
        return float(w.std()), float(np.abs(w).max())

    glorot_limit = np.sqrt(6 / (408 + 64))
    std, largest = spread(models.two_layer_perceptron())
    assert largest <= glorot_limit
    assert std == pytest.approx(glorot_limit / np.sqrt(3), rel=0.02)
    assert spread(models.two_layer_perceptron(activation=layers.relu))[0] == pytest.approx(np.sqrt(2 / 408), rel=0.02)
    assert spread(models.two_layer_perceptron(w_init=lecun_normal))[0] == pytest.approx(np.sqrt(1 / 408), rel=0.02)


def test_float32_gradients_are_float64s_rounded():
    model, rng = models.lenet5(10), np.random.default_rng(3)
    params, x, labels = model.init(rng, (32, 32, 1)), rng.standard_normal((4, 32, 32, 1)), rng.integers(0, 10, 4)
    step = fnn.value_and_grad(model, losses.softmax_cross_entropy)
    value, grads = step(params, x.astype(np.float32), labels)
    wide_value, wide = step(tree.map(lambda p: p.astype(np.float64), params), x, labels)
    assert value == pytest.approx(wide_value, rel=1e-5)
    for (path, g), (_, exact) in zip(tree.items(grads), tree.items(wide), strict=True):
        assert g.dtype == np.float32, path
        np.testing.assert_allclose(g, exact, atol=1e-4 * np.abs(exact).max(), err_msg=path)
