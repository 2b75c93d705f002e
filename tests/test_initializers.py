"""Initial weights: their spread follows from the fan, kernel area included."""

import math

import numpy as np
import pytest

from functional_nn import initializers
from tests.refusals import refused

SHAPES = {"dense": ((300, 200), 300, 200), "kernel": ((5, 5, 16, 120), 400, 3000), "oblong": ((3, 7, 30, 40), 630, 840)}


def drawn(initializer, shape, seed=0):
    return initializer(np.random.default_rng(seed), shape)


@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), SHAPES.values(), ids=SHAPES)
def test_fans_count_the_kernels_area(shape, fan_in, fan_out):
    assert initializers.fans(shape) == (fan_in, fan_out)


@pytest.mark.parametrize(("shape", "fan_in", "fan_out"), SHAPES.values(), ids=SHAPES)
def test_variances_are_those_of_the_papers(shape, fan_in, fan_out):
    variances = {
        initializers.glorot_uniform: 2.0 / (fan_in + fan_out),
        initializers.he_normal: 2.0 / fan_in,
        initializers.lecun_normal: 1.0 / fan_in,
        initializers.standard_normal: 1.0,
    }
    n = math.prod(shape)
    for initializer, variance in variances.items():
        w = drawn(initializer, shape).astype(np.float64)
        # five standard errors of the mean, and of the variance of n normal draws (a uniform's varies less)
        assert abs(w.mean()) < 5.0 * math.sqrt(variance / n)
        assert abs(w.var() / variance - 1.0) < 5.0 * math.sqrt(2.0 / n)


def test_glorot_fills_its_bounds_evenly():
    w = drawn(initializers.glorot_uniform, (300, 200)).astype(np.float64)
    limit = math.sqrt(6.0 / 500)
    assert np.abs(w).max() <= limit * (1.0 + 1e-6)
    counts, _ = np.histogram(w, bins=10, range=(-limit, limit))
    assert np.all(np.abs(counts / 6000 - 1.0) < 5.0 / math.sqrt(6000 / 0.9))


@pytest.mark.parametrize(
    "initializer", [initializers.he_normal, initializers.lecun_normal, initializers.standard_normal]
)
def test_normal_ones_are_normal(initializer):
    w = drawn(initializer, (300, 200)).astype(np.float64).ravel()
    z = w / w.std()
    for bound, share in ((1.0, math.erf(1 / math.sqrt(2))), (2.0, math.erf(math.sqrt(2)))):
        spread = math.sqrt(share * (1.0 - share) / z.size)
        assert abs((np.abs(z) < bound).mean() - share) < 5.0 * spread


@pytest.mark.parametrize("name", ["glorot_uniform", "he_normal", "lecun_normal", "standard_normal", "zeros"])
def test_weights_are_float32_and_follow_from_the_generator(name):
    initializer = getattr(initializers, name)
    w = drawn(initializer, (4, 3))
    assert (w.dtype, w.shape) == (np.float32, (4, 3))
    np.testing.assert_array_equal(w, drawn(initializer, (4, 3)))
    assert name == "zeros" or not np.array_equal(w, drawn(initializer, (4, 3), seed=1))


def test_every_initializer_is_tested_here():
    tested = {"fans", "glorot_uniform", "he_normal", "lecun_normal", "standard_normal", "zeros"}
    assert set(initializers.__all__) == tested


def test_zeros_draw_nothing():
    rng = np.random.default_rng(0)
    assert initializers.zeros(rng, (3,)).tolist() == [0.0] * 3
    assert rng.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("name", ["glorot_uniform", "he_normal", "lecun_normal"])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_shape_without_a_fan_in_is_refused(name, shape):
    with refused(
        ValueError, f"a weight of shape {shape} has no fan-in: expected (d_in, d_out) or (kh, kw, c_in, c_out)"
    ):
        drawn(getattr(initializers, name), shape)


@pytest.mark.parametrize("name", ["he_normal", "lecun_normal"])
def test_a_weight_that_reads_nothing_is_refused(name):
    with refused(ValueError, "a weight of shape (0, 3) reads nothing: expected an input of at least one entry"):
        getattr(initializers, name)(np.random.default_rng(0), (0, 3))
