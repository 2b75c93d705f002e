"""The checker and norms: each norm of nearly constant numbers enlarges their rounding by 1 / sqrt(epsilon)."""

import numpy as np
import pytest

from functional_nn import layers, models, residual, serial, tree
from functional_nn.testing import GradientError, check_vjp

NORM = layers.batch_norm()
THRICE = serial(n=layers.layer_norm(), r=residual(serial(first=NORM, second=NORM, third=NORM, a=layers.tanh)))


def drawn(model, shape, rng, *, noise=0.1, dtype=np.float64):
    return tree.map(lambda p: (p + noise * rng.standard_normal(p.shape)).astype(dtype), model.init(rng, shape))


@pytest.mark.parametrize("norm", [layers.batch_norm(), layers.group_norm(2)], ids=repr)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_bias_before_a_norm_whose_gradient_is_zero_but_for_rounding_passes(norm, noise):
    parts = {"n": norm, "a": layers.silu, "f": layers.flatten(), "d": layers.dense(3)}
    model, shape = serial(c=layers.conv2d(4, 3, padding=1), **parts), (5, 4, 2)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        for dtype in (np.float64, np.float32):
            params = drawn(model, shape, rng, noise=noise, dtype=dtype)
            check_vjp(model, params, rng.standard_normal((3, *shape)).astype(dtype), key=0, seed=seed)


def test_a_residual_network_with_norms_passes():
    model, shape, rng = models.small_resnet(width=8), (8, 8, 3), np.random.default_rng(0)
    check_vjp(model, drawn(model, shape, rng), rng.standard_normal((2, *shape)), key=0)


@pytest.mark.parametrize("features", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_norms_of_what_another_norm_made_constant_pass(features, dtype):
    """They enlarge its rounding by 1 / sqrt(epsilon) each, so that the gradient before them is mostly rounding."""
    twice = serial(first=layers.batch_norm(), second=layers.batch_norm(), d=layers.dense(3), a=layers.softplus)
    model = serial(n=layers.layer_norm(), r=residual(twice, layers.dense(3)))
    for seed in range(40):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((2, features)).astype(dtype)
        check_vjp(model, drawn(model, (features,), rng, dtype=dtype), x, key=0, seed=seed)


def test_a_gradient_added_to_larger_ones_that_cancel_passes():
    """The shortcut's gradient is rounded to the last digit of the body's, 3e7 times as large, whose sum is 0.

    Moving the inputs does not change that rounding, so that it looked like a wrong derivative.
    """
    for seed in range(24):
        rng = np.random.default_rng(seed)
        check_vjp(THRICE, drawn(THRICE, (1,), rng), rng.standard_normal((3, 1)), key=0, seed=seed)


@pytest.mark.parametrize("size", [1e-7, 1e-3])
def test_a_wrong_gradient_added_to_larger_ones_that_cancel_is_found(size):
    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = THRICE.vjp(params, x, key=key, wrt_x=wrt_x)

        def pull(dy):
            dparams, dx = pullback(dy)
            return {**dparams, "n": {**dparams["n"], "b": dparams["n"]["b"] * (1.0 + size)}}, dx

        return y, pull

    wrong = THRICE.replace(vjp=vjp)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        with pytest.raises(GradientError) as caught:
            check_vjp(wrong, drawn(THRICE, (1,), rng), rng.standard_normal((3, 1)), key=0, seed=seed)
        assert (caught.value.verdict, caught.value.path) == ("wrong derivative", "serial.n.b")


@pytest.mark.parametrize("size", [1e-6, 1.0])
def test_a_wrong_gradient_of_a_bias_before_a_norm_is_found(size):
    """The gradient before the norm is right but for an offset, so that it does not cancel as it should."""

    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = NORM.vjp(params, x)

        def pull(dy):
            dparams, dx = pullback(dy)
            return dparams, dx + size * np.abs(dx).max()

        return y, pull

    wrong = NORM.replace(vjp=vjp)
    model = serial(c=layers.dense(4), n=wrong, a=layers.silu, d=layers.dense(3))
    rng = np.random.default_rng(0)
    with pytest.raises(GradientError) as caught:
        check_vjp(model, drawn(model, (5,), rng), rng.standard_normal((6, 5)), key=0)
    assert caught.value.verdict == "wrong derivative"
    assert "c.b" in caught.value.message.split("right:")[0]
