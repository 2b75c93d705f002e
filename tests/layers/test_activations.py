"""Activations at the values where something can go wrong: their corrected derivatives, their kinks, their extremes."""

import math

import numpy as np
import pytest

from functional_nn import Layer, layers
from tests.layers import references

ALL = {name: getattr(layers, name) for name in layers.__all__ if isinstance(getattr(layers, name), Layer)}
ALL |= {"leaky_relu": layers.leaky_relu(0.01)}
RANGE = np.concatenate(
    [
        [-1e4, -745.2, -710.0, -100.0, -36.0, -1.0, -1e-8, 0.0, 1e-8, 1.0, 36.0, 100.0, 710.0, 745.2, 1e4],
        np.linspace(-40.0, 40.0, 801),
    ]
)


def derivative(layer, x):
    _, pullback = layer.vjp({}, x)
    dparams, dx = pullback(np.ones_like(x))
    assert dparams == {}
    return dx


@pytest.mark.parametrize(
    ("layer", "function", "slope"),
    [
        (layers.sigmoid, references.sigmoid, references.sigmoid_derivative),
        (layers.silu, references.silu, references.silu_derivative),
    ],
    ids=["sigmoid", "silu"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_and_silu_have_their_corrected_derivatives_on_the_whole_range(layer, function, slope, dtype):
    x = RANGE.astype(dtype)  # no warning either: warnings are errors
    exact = [float(entry) for entry in x]
    # s is exact to the dtype's absolute precision, and to its last digit where it has reached 0 or 1, before |x| = 40
    eps, size = np.finfo(dtype).eps, np.maximum(1.0, np.abs(exact))
    assert np.all(np.abs(layer.apply({}, x) - [function(v) for v in exact]) <= 4.0 * eps * size)
    assert np.all(np.abs(derivative(layer, x) - [slope(v) for v in exact]) <= 4.0 * eps * np.minimum(size, 40.0))


def test_the_reports_wrong_derivatives_are_not_ours():
    x = np.array([-2.0, 0.5, 3.0])
    s = 1.0 / (1.0 + np.exp(-x))
    f = x * s
    np.testing.assert_allclose(derivative(layers.sigmoid, x), s * (1.0 - s), rtol=1e-14)
    assert np.all(np.abs(derivative(layers.sigmoid, x) - x * (1.0 - x)) > 0.01)  # eq. 5
    np.testing.assert_allclose(derivative(layers.silu, x), f + s * (1.0 - f), rtol=1e-14)  # eq. 9 put right
    np.testing.assert_allclose(derivative(layers.silu, x), s + x * s * (1.0 - s), rtol=1e-14)  # eq. 8


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_finite_input_gives_finite_results_without_a_warning(name, dtype):
    largest, smallest = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    most = largest / 2.0  # scaled_tanh and leaky_relu may not overflow either, their outputs are no larger than x
    x = np.array([-largest, -most, -1e4, -89.0, -smallest, -0.0, 0.0, smallest, 89.0, 1e4, most, largest], dtype)
    y = ALL[name].apply({}, x)
    assert np.isfinite(y).all()
    assert np.isfinite(derivative(ALL[name], x)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_saturated_activations_stay_within_their_bounds(dtype):
    x = np.array([-np.finfo(dtype).max, -1e4, -50.0, 50.0, 1e4, np.finfo(dtype).max], dtype)
    tail = np.exp(np.float64(-50.0))
    np.testing.assert_allclose(layers.sigmoid.apply({}, x), [0.0, 0.0, tail, 1.0, 1.0, 1.0], rtol=1e-6)
    assert layers.tanh.apply({}, x).tolist() == [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]
    np.testing.assert_allclose(derivative(layers.sigmoid, x), [0.0, 0.0, tail, 0.0, 0.0, 0.0], rtol=1e-6)
    for layer in (layers.tanh, layers.scaled_tanh):
        assert derivative(layer, x).tolist() == [0.0] * 6


def test_equation_2_is_the_sigmoid():
    x = np.linspace(-30.0, 30.0, 241)
    np.testing.assert_allclose(
        layers.sigmoid.apply({}, x), [0.5 * (1.0 + math.tanh(v / 2.0)) for v in x], rtol=0, atol=1e-15
    )
    assert layers.sigmoid.apply({}, np.zeros(1)).tolist() == [0.5]


def test_asinh_unit_is_what_the_reports_author_ran():
    x = np.array([-1e4, -3.0, -0.75, 0.0, 0.75, 3.0, 1e4])
    expected = [0.2 * math.log(abs(v) + math.sqrt(v * v + 1.0)) * (1 if v > 0 else -1) + 0.5 for v in x]
    np.testing.assert_allclose(layers.asinh_unit.apply({}, x), expected, rtol=1e-14)
    np.testing.assert_allclose(
        derivative(layers.asinh_unit, x), [1.0 / (5.0 * math.sqrt(1.0 + v * v)) for v in x], rtol=1e-14
    )
    assert layers.asinh_unit.apply({}, np.zeros(1)).tolist() == [0.5]
    assert derivative(layers.asinh_unit, np.array([0.75])).tolist() == pytest.approx([0.16])  # 1 / (5 * 1.25)


def test_scaled_tanh_maps_one_to_one():
    x = np.array([-1.0, 0.0, 1.0])
    np.testing.assert_allclose(layers.scaled_tanh.apply({}, x), x, atol=3e-5)  # LeCun's constants have five digits
    slope = derivative(layers.scaled_tanh, x)
    np.testing.assert_allclose(slope, [1.7159 * 2.0 / 3.0 / math.cosh(2.0 * v / 3.0) ** 2 for v in x], rtol=1e-14)


def test_softplus_and_its_derivative():
    x = np.array([-1e4, -1.0, 0.0, 1.0, 1e4])
    expected = [0.0, math.log(1.0 + math.exp(-1.0)), math.log(2.0), 1.0 + math.log(1.0 + math.exp(-1.0)), 1e4]
    np.testing.assert_allclose(layers.softplus.apply({}, x), expected, rtol=1e-15)
    np.testing.assert_allclose(
        derivative(layers.softplus, x), [0.0, 1 / (1 + math.e), 0.5, math.e / (1 + math.e), 1.0], atol=1e-15
    )


def test_relu_has_derivative_0_at_0():
    x = np.array([-2.0, -0.0, 0.0, 5e-324, 2.0])
    assert layers.relu.apply({}, x).tolist() == [0.0, 0.0, 0.0, 5e-324, 2.0]
    assert derivative(layers.relu, x).tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]


def test_leaky_relu_has_its_slope_at_0():
    x = np.array([-2.0, -0.0, 0.0, 2.0])
    layer = layers.leaky_relu(0.25)
    assert layer.apply({}, x).tolist() == [-0.5, 0.0, 0.0, 2.0]
    assert derivative(layer, x).tolist() == [0.25, 0.25, 0.25, 1.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silu_is_the_identity_for_large_inputs(dtype):
    x = np.array([1e2, 1e3, 1e8, 1e17, np.finfo(dtype).max], dtype)
    assert layers.silu.apply({}, x).tolist() == x.tolist()
    assert derivative(layers.silu, x).tolist() == [1.0] * len(x)


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", ALL)
def test_not_a_number_is_passed_on(name):
    assert np.isnan(ALL[name].apply({}, np.array([np.nan]))).all()


def test_gelu_keeps_its_digits_far_out_in_float32():
    x = np.array([-5.1000094, -7.0, -9.0], np.float32)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(layers.gelu.apply({}, x), layers.gelu.apply({}, exact), rtol=2e-5)
    np.testing.assert_allclose(derivative(layers.gelu, x), derivative(layers.gelu, exact), rtol=2e-5)
