"""Losses are checked as layers are: right ones pass, wrong ones are named by their outputs' entry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import losses
from functional_nn.loss import Loss
from functional_nn.testing import GradientError, check_loss, strategies
from tests.testing.toys import normal

OUTPUTS, ROWS = normal(4, 3), normal(4, 3, seed=1)


def squared(value=lambda error: float((error**2).mean()), gradient=lambda error: 2.0 * error / error.size):
    """The mean squared error, with a mistake in its value or its gradient."""

    def vjp(outputs, targets):
        error = outputs - targets
        return value(error), lambda dvalue: dvalue * gradient(error)

    return Loss("squared", apply=lambda outputs, targets: value(outputs - targets), vjp=vjp)


def error_of(loss, outputs=OUTPUTS, targets=ROWS, **options):
    with pytest.raises(GradientError) as caught:
        check_loss(loss, outputs, targets, **options)
    return caught.value


@given(data=st.data(), dtype=st.sampled_from([np.float32, np.float64]), n=st.integers(1, 6), classes=st.integers(1, 9))
def test_right_losses_pass(data, dtype, n, classes):
    outputs = data.draw(strategies.batches((classes,), min_size=n, max_size=n, dtype=dtype))
    check_loss(losses.softmax_cross_entropy, outputs, data.draw(strategies.labels(n, classes)))
    check_loss(losses.softmax_cross_entropy, outputs, data.draw(strategies.probabilities(n, classes)), full=True)
    check_loss(losses.mean_squared_error, outputs, data.draw(strategies.probabilities(n, classes)))


@pytest.mark.parametrize("size", [1e-9, 1e3, 1e6])
def test_confident_outputs_pass(size):
    for seed in range(10):
        check_loss(losses.softmax_cross_entropy, size * normal(4, 3, seed=seed), np.array([0, 1, 2, 1]))


@pytest.mark.parametrize(
    "gradient",
    [
        lambda error: 2.0 * error,
        lambda error: -2.0 * error / error.size,
        lambda error: 2.02 * error / error.size,
        lambda error: 2.0 * error.T.reshape(error.shape) / error.size,
        np.zeros_like,
    ],
    ids=["sum for mean", "sign", "1 %", "transposed", "zero"],
)
def test_wrong_gradients_are_found(gradient):
    error = error_of(squared(gradient=gradient))
    assert (error.verdict, error.path) == ("wrong derivative", "squared.outputs")
    check_loss(squared(), OUTPUTS, ROWS)


def test_one_wrong_entry_is_named():
    def gradient(error):
        doutputs = 2.0 * error / error.size
        doutputs[2, 1] *= 1.01
        return doutputs

    assert error_of(squared(gradient=gradient)).place == "squared.outputs[2, 1]"
    assert error_of(squared(gradient=gradient), full=True).place == "squared.outputs[2, 1]"


def test_a_pullback_that_ignores_its_argument_is_found():
    right = squared()
    stubborn = right.replace(vjp=lambda o, t: (right.apply(o, t), lambda dvalue: 2.0 * (o - t) / o.size))
    assert error_of(stubborn).verdict == "wrong derivative"


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.array])
def test_values_that_are_no_python_floats_are_a_changed_dtype(kind):
    error = error_of(squared(value=lambda error: kind((error**2).mean())))
    assert (error.verdict, error.path) == ("dtype changed", "squared.y")


def test_a_value_that_is_not_applys_is_found():
    right = squared()
    other = right.replace(apply=lambda o, t: 2.0 * right.apply(o, t))
    assert error_of(other).verdict == "vjp's output is not the function's"


@pytest.mark.parametrize(
    ("gradient", "verdict"),
    [
        (lambda error: (2.0 * error / error.size).astype(np.float32), "dtype changed"),
        (lambda error: (2.0 * error / error.size)[:2], "tree or shape differs"),
        (lambda error: 2.0, "tree or shape differs"),
    ],
)
def test_gradients_of_another_shape_or_dtype_are_found(gradient, verdict):
    assert error_of(squared(gradient=gradient)).verdict == verdict


def test_written_outputs_and_targets_are_named():
    right = squared()

    def write_outputs(outputs, targets):
        outputs -= targets
        return right.vjp(outputs, targets)

    def write_targets(outputs, targets):
        targets += 1.0
        return right.vjp(outputs, targets)

    kept = ROWS.copy()
    assert error_of(right.replace(vjp=write_outputs)).path == "squared.outputs"
    error = error_of(right.replace(vjp=write_targets))
    assert (error.verdict, error.path) == ("input written", "squared.targets")
    np.testing.assert_array_equal(ROWS, kept)


def test_a_kink_of_a_loss_is_told_from_a_wrong_derivative():
    absolute = squared(lambda error: float(np.abs(error).mean()), lambda error: np.sign(error) / error.size)
    check_loss(absolute, OUTPUTS, ROWS)
    equal = ROWS.copy()
    equal[1, 1] = OUTPUTS[1, 1]
    shifted = squared(lambda error: float(np.abs(error).mean()), lambda error: np.where(error < 0, -1, 1) / error.size)
    error = error_of(shifted, targets=equal)
    assert (error.verdict, error.place) == ("kink within the step", "squared.outputs[1, 1]")
