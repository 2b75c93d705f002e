"""The checker's verdicts, each provoked by a layer that deserves it, and where it finds nothing wrong."""

from __future__ import annotations

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import Layer, layers
from functional_nn.testing import GradientError, check_vjp

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))


def layer(f, pull, name="mine"):
    """A layer of y = f(x) with dx = pull(x, dy)."""
    return Layer(
        name,
        apply=lambda params, x: f(x),
        vjp=lambda params, x, *, key=None, wrt_x=True: (f(x), lambda dy: ({}, pull(x, dy) if wrt_x else None)),
    )


def verdict(bad, x=X, params=None, **options):
    with pytest.raises(GradientError) as caught:
        check_vjp(bad, params or {}, x, **options)
    return caught.value


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("steepness", [1e-6, 1.0, 1e6])
def test_scale_and_steepness_do_not_matter(scale, steepness):
    def f(x):
        return scale * np.sin(steepness * x)

    check_vjp(layer(f, lambda x, dy: dy * scale * steepness * np.cos(steepness * x)), {}, X / steepness)
    wrong = layer(f, lambda x, dy: 1.01 * dy * scale * steepness * np.cos(steepness * x))
    assert verdict(wrong, X / steepness).verdict == "wrong derivative"


def test_worst_entry_is_named_with_both_values():
    def pull(x, dy):
        dx = 2 * x * dy
        dx[1, 2] *= 3.0
        return dx

    error = verdict(layer(np.square, pull))
    assert error.place == "mine.x[1, 2]"
    assert error.claimed == pytest.approx(3 * error.measured, rel=1e-6)
    assert error.step is not None
    assert "mine.x[1, 2]: wrong derivative" in str(error)


def test_path_of_a_parameter_is_dotted():
    dense = layers.dense(3)

    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = dense.vjp(params, x, wrt_x=wrt_x)

        def wrong(dy):
            dparams, dx = pullback(dy)
            dparams["w"][2, 1] += 1.0
            return dparams, dx

        return y, wrong

    params = {"w": RNG.standard_normal((4, 3)), "b": np.zeros(3)}
    bad = dense.replace(vjp=vjp)
    assert verdict(bad, params=params).place == "dense.w[2, 1]"


def test_one_wrong_entry_among_ten_thousand_is_found():
    def pull(x, dy):
        dx = np.cos(x) * dy
        dx[57, 31] *= 1.01
        return dx

    assert verdict(layer(np.sin, pull), RNG.standard_normal((100, 100))).index == (57, 31)


def test_kink_is_told_from_a_wrong_derivative():
    x = X.copy()
    x[0, 0] = 0.0
    assert verdict(layers.relu, x).verdict == "kink within the step"
    x[0, 0] = 1e-9  # near a kink, not on it: the steps reach below
    check_vjp(layers.relu, {}, x)
    wrong = layer(lambda x: np.maximum(x, 0.0), lambda x, dy: 2.0 * dy * (x > 0.0))
    assert verdict(wrong, x).verdict == "wrong derivative"


def test_rounding_noise_is_told_from_a_wrong_derivative():
    rough = layer(lambda x: np.sin(x.astype(np.float32)).astype(np.float64), lambda x, dy: np.cos(x) * dy)
    assert verdict(rough).verdict == "rounding noise"


def test_written_inputs_are_found():
    def write(x, dy):
        dy *= 2.0 * x
        return dy

    error = verdict(layer(np.square, write))
    assert (error.verdict, error.path) == ("input written", "mine.dy")


def test_pullback_that_remembers_is_found():
    calls = []

    def pull(x, dy):
        calls.append(1)
        return 2.0 * x * dy * len(calls)

    assert verdict(layer(np.square, pull)).verdict == "pullback not repeatable"


def test_changed_dtypes_and_trees_are_found():
    assert verdict(layer(np.square, lambda x, dy: (2.0 * x * dy).astype(np.float32))).verdict == "dtype changed"
    assert verdict(layer(np.square, lambda x, dy: (2.0 * x * dy)[:-1])).verdict == "tree or shape differs"


def test_training_output_that_is_not_applys_is_found():
    bad = Layer("mine", apply=lambda params, x: x, vjp=lambda params, x, *, key=None, wrt_x=True: (2 * x, None))
    assert verdict(bad).verdict == "vjp's output is not the function's"


def test_same_seed_same_verdict():
    wrong = layer(np.square, lambda x, dy: 2.0 * x * dy * (1.0 + 1e-4 * (x > 0)))
    assert str(verdict(wrong, seed=5)) == str(verdict(wrong, seed=5))


def test_full_jacobian_and_complex_step_agree():
    check_vjp(layers.tanh, {}, X, full=True)
    check_vjp(layer(np.tanh, lambda x, dy: dy / np.cosh(x) ** 2), {}, X, method="complex")
    wrong = layer(np.sin, lambda x, dy: 1.0001 * np.cos(x) * dy)
    assert verdict(wrong, full=True).verdict == "wrong derivative"
    assert verdict(wrong, method="complex").verdict == "wrong derivative"


def test_float32_is_compared_with_float64_not_differenced():
    x = X.astype(np.float32)
    check_vjp(layers.silu, {}, x)
    wrong = layer(np.sin, lambda x, dy: 1.01 * np.cos(x) * dy)
    assert verdict(wrong, x).verdict == "wrong derivative"


def test_whole_network_is_checked():
    model = fnn.models.lenet5(10, activation=layers.tanh)
    params = fnn.tree.map(lambda p: p.astype(np.float64), model.init(RNG, (32, 32, 1)))
    check_vjp(model, params, RNG.standard_normal((2, 32, 32, 1)))
