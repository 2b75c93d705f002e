"""Every public loss agrees with PyTorch in float64 to 1e-10, its value and its derivative."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import losses
from tests.drawn import arguments_of, values_of
from tests.oracles.torch_table import LOSSES, needs_torch, tensor, torch

OTHERS = {"Loss", "labels_hit", "softmax", "weighted_targets"}  # public names of `losses` that are no losses
CLASSES = 4
weights = st.floats(0.1, 5.0)
SETTINGS = {
    "cross_entropy": st.fixed_dictionaries(
        {
            "label_smoothing": st.sampled_from([0.0, 0.1, 0.7]),
            "class_weights": st.none() | st.tuples(*[weights] * CLASSES),
        }
    ),
    "hinge": st.fixed_dictionaries({"margin": st.floats(0.1, 5.0)}),
    "huber": st.fixed_dictionaries({"delta": st.floats(0.1, 5.0)}),
    "weighted": st.fixed_dictionaries({"loss": st.sampled_from([losses.softmax_cross_entropy, losses.hinge(2.0)])}),
}


def numbers(rng, n):
    return 3.0 * rng.standard_normal((n, CLASSES))


def labels(rng, n):
    return rng.integers(0, CLASSES, n)


def probabilities(rng, n):
    """Rows of sum one, with zeros among them."""
    rows = rng.random((n, CLASSES)) * (rng.random((n, CLASSES)) < 0.7)
    rows[:, 0] += 1e-3
    return rows / rows.sum(axis=1, keepdims=True)


def shares(rng, n):
    """Numbers from 0 to 1, both ends among them."""
    return np.clip(rng.uniform(-0.3, 1.3, (n, CLASSES)), 0.0, 1.0)


def weighted_labels(rng, n):
    return losses.weighted_targets(labels(rng, n), rng.uniform(0.1, 5.0, n))


TARGETS = {
    "softmax_cross_entropy": [labels, probabilities, numbers],
    "cross_entropy": [labels],
    "kl_divergence": [probabilities],
    "sigmoid_cross_entropy": [shares],
    "hinge": [labels],
    "mean_squared_error": [numbers],
    "huber": [numbers],
    "weighted": [weighted_labels],
}


def test_every_public_loss_has_a_row():
    assert set(LOSSES) == set(TARGETS) == set(losses.__all__) - OTHERS
    assert set(SETTINGS) == {name for name in LOSSES if not isinstance(getattr(losses, name), losses.Loss)}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_row_draws_every_argument_of_the_constructor_with_several_values(name):
    values, arguments = values_of(SETTINGS[name]), arguments_of(getattr(losses, name))
    assert {argument: len(values[argument]) > 1 for argument in arguments} == dict.fromkeys(arguments, True)


@needs_torch
@pytest.mark.parametrize("name", LOSSES)
@given(st.data(), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_losses_agree(name, data, n, seed):
    settings = data.draw(SETTINGS[name], label="settings") if name in SETTINGS else {}
    rng = np.random.default_rng(seed)
    outputs, targets = numbers(rng, n), data.draw(st.sampled_from(TARGETS[name]))(rng, n)
    loss = getattr(losses, name)(**settings) if name in SETTINGS else getattr(losses, name)
    value, pullback = loss.vjp(outputs, targets)
    theirs = tensor(outputs)
    arrays = [targets[field] for field in targets.dtype.names] if targets.dtype.names else [targets]
    expected = LOSSES[name](theirs, *map(torch.tensor, arrays), **settings)
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-10, abs=1e-10)
    np.testing.assert_allclose(pullback(1.0), theirs.grad.numpy(), rtol=1e-10, atol=1e-10, strict=True)


@needs_torch
@given(st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_softmax_agrees(n, seed):
    logits = 5.0 * numbers(np.random.default_rng(seed), n)
    expected = torch.softmax(torch.tensor(logits), dim=-1).numpy()
    np.testing.assert_allclose(losses.softmax(logits), expected, rtol=1e-10, atol=0.0, strict=True)
