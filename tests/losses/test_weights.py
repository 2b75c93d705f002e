"""Losses of single examples, and losses under the examples' weights."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import layers, losses, optim
from functional_nn.testing import check_loss
from tests.refusals import refused

MISFIT = ", the targets have shape (2,), expected numbers (n,), one a target"
PLAIN = {
    losses.softmax_cross_entropy: "labels",
    losses.cross_entropy(0.1): "labels",
    losses.hinge(0.7): "labels",
    losses.mean_squared_error: "numbers",
    losses.huber(0.3): "numbers",
    losses.kl_divergence: "rows",
    losses.sigmoid_cross_entropy: "rows",
}


@st.composite
def problems(draw):
    """A loss, outputs (n, 4), targets and whole-numbered weights above 0."""
    loss = draw(st.sampled_from(list(PLAIN)))
    n, rng = draw(st.integers(1, 5)), np.random.default_rng(draw(st.integers(0, 10_000)))
    rows = rng.random((n, 4))
    targets = {"labels": rng.integers(0, 4, n), "numbers": rng.standard_normal((n, 4)), "rows": rows / rows.sum()}
    return loss, 2.0 * rng.standard_normal((n, 4)), targets[PLAIN[loss]], rng.integers(1, 5, n)


@given(problems())
def test_the_loss_of_each_example_is_the_mean_of_it_alone(problem):
    loss, outputs, targets, _ = problem
    alone = [loss.apply(outputs[i : i + 1], targets[i : i + 1]) for i in range(len(outputs))]
    each = loss.each(outputs, targets)
    assert each.dtype == np.float64
    np.testing.assert_allclose(each, alone, rtol=1e-12, atol=1e-14)


def test_each_of_rows_is_that_of_the_labels():
    logits = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 3.0]])
    by_label = losses.softmax_cross_entropy.each(logits, np.array([0, 2]))
    by_row = losses.softmax_cross_entropy.each(logits, np.eye(3)[[0, 2]])
    np.testing.assert_allclose(by_row, by_label, rtol=1e-14)
    with refused(ValueError, "softmax_cross_entropy: label 3 at index 1 is outside 0 .. 2"):
        losses.softmax_cross_entropy.each(logits, np.array([0, 3]))


@given(problems())
def test_a_whole_numbered_weight_does_what_as_many_copies_do(problem):
    loss, outputs, targets, weights = problem
    value, pullback = losses.weighted(loss).vjp(outputs, losses.weighted_targets(targets, weights))
    copies, copies_pullback = loss.vjp(outputs.repeat(weights, axis=0), targets.repeat(weights, axis=0))
    assert value == pytest.approx(copies, rel=1e-12, abs=1e-14)
    starts = np.cumsum(weights) - weights
    expected = np.add.reduceat(copies_pullback(2.0), starts, axis=0)
    np.testing.assert_allclose(pullback(2.0), expected, rtol=1e-12, atol=1e-14)


@given(problems())
def test_pullbacks_are_the_derivatives(problem):
    loss, outputs, targets, weights = problem
    both = losses.weighted_targets(targets, weights / 3.0)
    check_loss(losses.weighted(loss), outputs, both)
    check_loss(losses.weighted(loss), outputs.astype(np.float32), both)


def test_a_value_by_hand():
    both = losses.weighted_targets(np.zeros((2, 2)), np.array([1, 3]))
    value, pullback = losses.weighted(losses.mean_squared_error).vjp(np.array([[1.0, 1.0], [2.0, 0.0]]), both)
    assert value == (1 * 1.0 + 3 * 2.0) / 4
    assert pullback(1.0).tolist() == [[0.25, 0.25], [1.5, 0.0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("workers", [1, 3])
def test_chunks_and_batches_count_for_the_sum_of_their_weights(workers, dtype):
    loss, model, rng = losses.weighted(losses.softmax_cross_entropy), layers.dense(4), np.random.default_rng(0)
    params = fnn.tree.cast(model.init(rng, (5,)), dtype)
    x = rng.standard_normal((11, 5)).astype(dtype)
    both = losses.weighted_targets(rng.integers(0, 4, 11), rng.uniform(0.1, 9.0, 11))
    whole, whole_grads = fnn.value_and_grad(model, loss)(params, x, both)
    parts, grads = fnn.data_parallel(fnn.value_and_grad(model, loss), workers=workers, chunk=3)(params, x, both)
    eps = float(np.finfo(dtype).eps)
    assert parts == pytest.approx(whole, rel=16 * eps)
    fnn.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=16 * eps, strict=True), grads, whole_grads)
    result = fnn.fit(
        model, params, (x, both), loss=loss, optimizer=optim.sgd(0.0), epochs=1, batch_size=4, seed=0, progress=False
    )
    assert result.history[0]["loss"] == pytest.approx(whole, rel=16 * eps)


def test_accuracy_and_probabilities_are_those_of_the_loss_within():
    loss = losses.weighted(losses.hinge())
    both = losses.weighted_targets(np.array([0, 1]), np.array([1.0, 5.0]))
    assert loss.hits(np.array([[2.0, 1.0], [2.0, 1.0]]), both).tolist() == [True, False]
    assert loss.scores is None
    assert losses.weighted(losses.softmax_cross_entropy).scores is losses.softmax
    assert losses.weighted(losses.huber()).hits is None


def test_it_prints_compares_and_pickles_as_its_call():
    loss = losses.weighted(losses.huber(0.5))
    assert repr(loss) == "weighted(huber(delta=0.5))"
    assert pickle.loads(pickle.dumps(loss)) == loss == losses.weighted(losses.huber(0.5))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            np.ones(3),
            f"the weights are float64 of shape (3,){MISFIT}",
        ),
        (
            np.ones((2, 1)),
            f"the weights are float64 of shape (2, 1){MISFIT}",
        ),
        (
            np.array([True, False]),
            f"the weights are bool of shape (2,){MISFIT}",
        ),
        (np.array([1.0, 0.0]), "weight 1 is 0.0, expected finite numbers above 0; leave examples of weight 0 out"),
        (np.array([-1.0, 1.0]), "weight 0 is -1.0, expected finite numbers above 0; leave examples of weight 0 out"),
        (np.array([1.0, math.nan]), "weight 1 is nan, expected finite numbers above 0; leave examples of weight 0 out"),
        (np.array([1.0, math.inf]), "weight 1 is inf, expected finite numbers above 0; leave examples of weight 0 out"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with refused(ValueError, f"weighted_targets: {message}"):
        losses.weighted_targets(np.array([0, 1]), weights)


def test_what_is_no_loss_or_weighs_already_is_refused():
    with refused(TypeError, "weighted: loss is 1, expected a Loss, such as losses.softmax_cross_entropy"):
        losses.weighted(1)
    remedy = "it weighs examples already: multiply its weights into theirs, and give the loss without them"
    with refused(ValueError, f"weighted: loss is cross_entropy(class_weights=(1.0, 2.0)); {remedy}"):
        losses.weighted(losses.cross_entropy(class_weights=(1.0, 2.0)))
    expected = "expected those of weighted_targets(targets, weights)"
    with refused(ValueError, f"weighted: targets are int64 of shape (2,), {expected}"):
        losses.weighted(losses.hinge()).apply(np.ones((2, 3)), np.array([0, 1]))
    with refused(TypeError, "weighted_targets: weights is a list, expected a NumPy array: convert it with np.asarray"):
        losses.weighted_targets(np.array([0, 1]), [1.0, 1.0])
