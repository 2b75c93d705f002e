"""`serial` runs an activation that never falls after a max pool that follows it; users see the order they wrote."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import anatomy, layers
from functional_nn.testing import check_vjp

RISING = [layers.sigmoid, layers.tanh, layers.scaled_tanh, layers.relu, layers.softplus, layers.asinh_unit]
RISING += [layers.leaky_relu(0.1), layers.leaky_relu(0.0)]


def in_place(layer):
    """The same layer, as one that `serial` runs where it stands."""
    return layer.replace(vjp=layer.functions.vjp)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", RISING, ids=repr)
@given(seed=st.integers(0, 2**32 - 1), window=st.integers(1, 3), stride=st.integers(1, 3))
def test_outputs_and_gradients_are_those_of_the_order_as_written(activation, dtype, seed, window, stride):
    rng = np.random.default_rng(seed)
    x = (3.0 * rng.standard_normal((2, 6, 7, 2))).astype(dtype)
    pool = layers.max_pool(window, stride=stride)
    swapped, written = fnn.serial(a=activation, p=pool), fnn.serial(a=in_place(activation), p=pool)
    (y, pullback), (expected, expected_pullback) = swapped.vjp({}, x), written.vjp({}, x)
    rounding = 4 * np.finfo(dtype).eps * (1.0 + np.abs(expected).max())
    np.testing.assert_allclose(y, expected, rtol=0, atol=rounding, strict=True)
    np.testing.assert_array_equal(swapped.apply({}, x), y)
    dy = rng.standard_normal(y.shape).astype(dtype)
    np.testing.assert_allclose(pullback(dy)[1], expected_pullback(dy)[1], rtol=0, atol=64 * rounding, strict=True)


def test_an_activation_runs_on_what_the_pool_leaves():
    sizes = []

    def vjp(params, x, *, key=None, wrt_x=True):
        sizes.append(x.shape)
        return layers.relu.functions.vjp(params, x, wrt_x=wrt_x)

    noting = layers.relu.replace(vjp=vjp, monotone=True)
    model = fnn.serial(c=layers.conv2d(4, 3), a=noting, p=layers.max_pool(2), q=layers.max_pool(2))
    model.vjp(model.init(np.random.default_rng(0), (10, 10, 1)), np.ones((1, 10, 10, 1), np.float32))
    assert sizes == [(1, 2, 2, 4)]  # after both pools


def test_a_layer_with_another_function_runs_where_it_stands():
    shapes = {}

    def noting(path, leaf):
        def apply(params, x):
            shapes[path[0]] = x.shape[1:3]
            return leaf.functions.apply(params, x)

        return leaf.replace(apply=apply)

    model = fnn.serial(a=layers.relu, p=layers.max_pool(2))
    anatomy.replace_leaves(model, noting).apply({}, np.ones((1, 4, 4, 1)))
    assert shapes == {"a": (4, 4), "p": (4, 4)}


@pytest.mark.parametrize("other", [layers.silu, layers.gelu, layers.leaky_relu(-0.5)], ids=repr)
def test_activations_that_fall_somewhere_are_not_moved(other):
    assert not other.monotone
    x = np.random.default_rng(0).standard_normal((1, 4, 4, 1))
    expected = layers.max_pool(2).apply({}, other.apply({}, x))
    np.testing.assert_array_equal(fnn.serial(a=other, p=layers.max_pool(2)).apply({}, x), expected)


@pytest.mark.parametrize("activation", RISING, ids=repr)
def test_activations_that_are_called_monotone_never_fall(activation):
    assert activation.monotone
    for dtype in (np.float32, np.float64):
        y = activation.apply({}, np.linspace(-20.0, 20.0, 100_001).astype(dtype))
        assert (np.diff(y) >= -2 * np.finfo(dtype).eps * np.abs(y[1:])).all()


def test_parts_paths_and_parameters_stay_as_written():
    model = fnn.models.lenet5()
    assert [name for name, _ in model.parts][:3] == ["c1", "a1", "s2"]
    assert [row.path for row in anatomy.layer_facts(model, (32, 32, 1))][:3] == ["c1", "a1", "s2"]
    params = fnn.tree.map(lambda p: p.astype(np.float64), model.init(np.random.default_rng(0), (32, 32, 1)))
    check_vjp(model, params, np.random.default_rng(1).standard_normal((2, 32, 32, 1)))


def test_ties_that_only_rounding_makes_give_the_gradient_to_the_largest_input():
    x = np.array([40.0, 50.0, 0.0, 0.0]).reshape(1, 2, 2, 1)  # sigmoid is 1 at both in float64
    for activation, slope in ((layers.sigmoid, 0.0), (layers.leaky_relu(0.5), 1.0)):
        _, pullback = fnn.serial(a=activation, p=layers.max_pool(2)).vjp({}, x)
        assert pullback(np.ones((1, 1, 1, 1)))[1].ravel().tolist() == [0.0, slope, 0.0, 0.0]
