"""Smoothed, weighted, sigmoid, hinge, KL and Huber losses: plain Python, gradients, chunks and refusals."""

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

WEIGHTS = (0.5, 2.0, 1.0, 4.0)


@st.composite
def problems(draw):
    """Outputs (n, 4), labels, rows of probabilities, and numbers."""
    n, rng = draw(st.integers(1, 6)), np.random.default_rng(draw(st.integers(0, 10_000)))
    rows = rng.random((n, 4))
    rows[rng.random((n, 4)) < 0.2] = 0.0
    rows /= np.maximum(rows.sum(axis=1, keepdims=True), 1e-9)
    return 3.0 * rng.standard_normal((n, 4)), rng.integers(0, 4, n), rows, rng.standard_normal((n, 4))


def log_p(z):
    total = math.log(math.fsum(math.exp(v) for v in z))
    return [v - total for v in z]


def plain_cross_entropy(outputs, labels, smoothing, weights):
    value = weight = 0.0
    for z, label in zip(outputs.tolist(), labels.tolist(), strict=True):
        t = [(1 - smoothing) * (k == label) + smoothing / len(z) for k in range(len(z))]
        value -= math.fsum(w * t_k * p for w, t_k, p in zip(weights, t, log_p(z), strict=True))
        weight += weights[label]
    return value / weight


def plain_kl(outputs, rows):
    terms = [
        math.fsum(t * (math.log(t) - p) for t, p in zip(row, log_p(z), strict=True) if t > 0)
        for z, row in zip(outputs.tolist(), rows.tolist(), strict=True)
    ]
    return math.fsum(terms) / len(terms)


def plain_sigmoid(outputs, rows):
    def term(z, t):
        s = 1.0 / (1.0 + math.exp(-z))
        return -t * math.log(s) - (1 - t) * math.log(1 - s)

    return math.fsum(map(term, outputs.ravel().tolist(), rows.ravel().tolist())) / outputs.size


def plain_hinge(outputs, labels, margin):
    return (
        math.fsum(
            max(0.0, margin - z[label] + z_k)
            for z, label in zip(outputs.tolist(), labels.tolist(), strict=True)
            for k, z_k in enumerate(z)
            if k != label
        )
        / outputs.size
    )


def plain_huber(outputs, numbers, delta):
    def term(e):
        return e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2)

    return math.fsum(map(term, (outputs - numbers).ravel().tolist())) / outputs.size


def every_loss(problem):
    """(loss, outputs, targets, the plain value) of each."""
    outputs, labels, rows, numbers = problem
    ones = (1.0,) * 4
    return [
        (losses.cross_entropy(), outputs, labels, plain_cross_entropy(outputs, labels, 0.0, ones)),
        (losses.cross_entropy(0.1), outputs, labels, plain_cross_entropy(outputs, labels, 0.1, ones)),
        (losses.cross_entropy(0.3, WEIGHTS), outputs, labels, plain_cross_entropy(outputs, labels, 0.3, WEIGHTS)),
        (losses.kl_divergence, outputs, rows, plain_kl(outputs, rows)),
        (losses.sigmoid_cross_entropy, outputs, rows, plain_sigmoid(outputs, rows)),
        (losses.hinge(), outputs, labels, plain_hinge(outputs, labels, 1.0)),
        (losses.hinge(0.3), outputs, labels, plain_hinge(outputs, labels, 0.3)),
        (losses.huber(), outputs, numbers, plain_huber(outputs, numbers, 1.0)),
        (losses.huber(0.2), outputs, numbers, plain_huber(outputs, numbers, 0.2)),
    ]


@given(problems())
def test_values_are_those_of_the_definition_and_float32_is_close(problem):
    for loss, outputs, targets, expected in every_loss(problem):
        assert loss.apply(outputs, targets) == pytest.approx(expected, rel=1e-12, abs=1e-13), loss
        short = loss.apply(outputs.astype(np.float32), targets)
        assert type(short) is float
        assert short == pytest.approx(expected, rel=1e-5, abs=1e-6), loss


@given(problems())
def test_pullbacks_are_the_derivatives(problem):
    for loss, outputs, targets, _ in every_loss(problem):
        check_loss(loss, outputs, targets)
        check_loss(loss, outputs.astype(np.float32), targets)


def test_kinks_have_the_documented_derivatives():
    _, pullback = losses.hinge(1.0).vjp(np.array([[2.0, 1.0, 1.5]]), np.array([0]))
    np.testing.assert_allclose(pullback(3.0), [[-1.0, 0.0, 1.0]])  # class 1 stands exactly at the margin
    _, pullback = losses.huber(1.0).vjp(np.array([[1.0, 3.0, -0.5]]), np.zeros((1, 3)))
    np.testing.assert_allclose(pullback(3.0), [[1.0, 1.0, -0.5]])


def test_outputs_up_to_a_quarter_of_the_largest_number_do_not_overflow():
    quarter = float(np.finfo(np.float32).max) / 4
    huge = np.array([[quarter, -quarter], [0.0, quarter]], np.float32)
    for loss, targets in (
        (losses.cross_entropy(0.1), np.array([1, 0])),
        (losses.kl_divergence, np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)),
        (losses.sigmoid_cross_entropy, np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)),
        (losses.hinge(), np.array([1, 0])),
        (losses.huber(), np.zeros((2, 2), np.float32)),
    ):
        value, pullback = loss.vjp(huge, targets)  # no warning either: warnings are errors
        assert math.isfinite(value), loss
        assert np.isfinite(pullback(1.0)).all(), loss


@pytest.mark.parametrize("workers", [1, 3])
def test_the_weighted_mean_of_chunks_is_that_of_the_batch(workers):
    loss, model = losses.cross_entropy(0.1, WEIGHTS), layers.dense(4)
    rng = np.random.default_rng(0)
    params = fnn.tree.map(lambda p: p.astype(np.float64), model.init(rng, (5,)))
    x, labels = rng.standard_normal((11, 5)), rng.integers(0, 4, 11)
    whole, whole_grads = fnn.value_and_grad(model, loss)(params, x, labels)
    parts, grads = fnn.data_parallel(fnn.value_and_grad(model, loss), workers=workers, chunk=3)(params, x, labels)
    assert parts == pytest.approx(whole, rel=1e-12)
    fnn.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10), grads, whole_grads)


def test_fit_reports_the_weighted_mean_over_the_epoch():
    loss, model, rng = losses.cross_entropy(class_weights=WEIGHTS), layers.dense(4), np.random.default_rng(0)
    params = model.init(rng, (5,))
    x, labels = rng.standard_normal((10, 5)).astype(np.float32), rng.integers(0, 4, 10)
    result = fnn.fit(
        model, params, (x, labels), loss=loss, optimizer=optim.sgd(0.0), epochs=1, batch_size=4, seed=0, progress=False
    )
    assert result.history[0]["loss"] == pytest.approx(
        fnn.evaluate(model, params, x, labels, loss=loss)["loss"], rel=1e-6
    )


def test_hits_say_which_outputs_are_right():
    outputs = np.array([[2.0, -1.0], [-1.0, -2.0], [1.0, 1.0]])
    assert losses.sigmoid_cross_entropy.hits(outputs, np.array([[1, 0], [0, 1], [1, 1]])).tolist() == [
        True,
        False,
        True,
    ]
    boundary = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]])  # an output of 0 says no, and so does a target of 1/2
    targets = np.array([[0.0, 1.0], [0.5, 1.0], [0.5, 1.0]])
    assert losses.sigmoid_cross_entropy.hits(boundary, targets).tolist() == [True, True, False]
    assert losses.hinge().hits(outputs, np.array([0, 0, 1])).tolist() == [True, True, False]
    assert losses.huber().hits is None


def test_scores_are_the_softmax_where_a_loss_has_classes():
    z = np.array([[1.0, -2.0, 0.5], [900.0, 0.0, 900.0]])
    expected = [[math.exp(v) / math.fsum(map(math.exp, z[0])) for v in z[0]], [0.5, 0.0, 0.5]]
    for loss in (losses.softmax_cross_entropy, losses.cross_entropy(0.1), losses.kl_divergence):
        np.testing.assert_allclose(loss.scores(z), expected, rtol=1e-14)
    for loss in (losses.sigmoid_cross_entropy, losses.hinge(), losses.mean_squared_error, losses.huber()):
        assert loss.scores is None


def test_losses_print_compare_and_pickle_by_what_they_are():
    assert repr(losses.huber(0.5)) == "huber(delta=0.5)"
    assert repr(losses.softmax_cross_entropy) == "softmax_cross_entropy"
    for make in (lambda: losses.huber(0.5), lambda: losses.hinge(), lambda: losses.cross_entropy(0.1, WEIGHTS)):
        assert make() == make()
        assert hash(make()) == hash(make())
        assert pickle.loads(pickle.dumps(make())) == make()
        assert eval(repr(make()), vars(losses)) == make()
    assert losses.huber(0.5) != losses.huber(1.0)
    assert losses.kl_divergence != losses.softmax_cross_entropy


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: losses.cross_entropy(1.0),
            "cross_entropy: label_smoothing is 1.0, expected a number from 0 up to but without 1",
        ),
        (
            lambda: losses.cross_entropy(class_weights=(1.0, 0.0)),
            "cross_entropy: class_weights is 0.0, expected a finite number above 0",
        ),
        (
            lambda: losses.cross_entropy(class_weights=()),
            "cross_entropy: class_weights is (), expected finite numbers above 0, one a class",
        ),
        (lambda: losses.hinge(0.0), "hinge: margin is 0.0, expected a finite number above 0"),
        (lambda: losses.huber(-1.0), "huber: delta is -1.0, expected a finite number above 0"),
        (
            lambda: losses.cross_entropy(0.0, (1.0,)).apply(np.zeros((2, 3)), np.zeros(2, int)),
            "cross_entropy: 1 class_weights for 3 classes",
        ),
        (
            lambda: losses.cross_entropy().apply(np.zeros((2, 3)), np.zeros((2, 3))),
            "cross_entropy: targets are float64 of shape (2, 3), expected one-dimensional integer labels",
        ),
        *[
            (
                lambda bad=bad: losses.hinge().apply(np.zeros((2, 3)), bad),
                f"hinge: targets are {bad.dtype} of shape {bad.shape}, expected one-dimensional integer labels",
            )
            for bad in (np.array([[0], [1]]), np.array([0.0, 1.0]))
        ],
        (
            lambda: losses.hinge().apply(np.zeros((2, 3)), np.array([0, 3])),
            "hinge: label 3 at index 1 is outside 0 .. 2",
        ),
        (
            lambda: losses.kl_divergence.apply(np.zeros((1, 2)), np.array([[-0.1, 1.1]])),
            "kl_divergence: a target is -0.1, expected probabilities: rows that are not negative",
        ),
        *[
            (
                lambda bad=bad: losses.sigmoid_cross_entropy.apply(np.zeros((1, 2)), np.array([[0.0, bad]])),
                "sigmoid_cross_entropy: targets must be probabilities, numbers from 0 to 1",
            )
            for bad in (1.1, -0.1)
        ],
    ],
)
def test_bad_arguments_and_targets_are_refused(make, message):
    with refused(ValueError, message):
        make()


EVERY = [losses.softmax_cross_entropy, losses.cross_entropy(), losses.kl_divergence, losses.sigmoid_cross_entropy]
EVERY += [losses.hinge(), losses.mean_squared_error, losses.huber(), fnn.models.penalty_loss()]


@pytest.mark.parametrize("loss", EVERY, ids=repr)
@pytest.mark.parametrize("bad", [None, [[0.5, 0.5]], np.ma.masked_array([[0.5, 0.5]]), 0.5], ids=str)
def test_outputs_and_targets_that_are_no_arrays_are_named(loss, bad):
    array = np.array([[0.5, 0.5]])
    for run in (loss.apply, loss.vjp):
        with pytest.raises(TypeError, match=rf"^{loss.name}: outputs are a .*expected a NumPy array"):
            run(bad, array)
        with pytest.raises(TypeError, match=rf"^{loss.name}: targets are a .*expected a NumPy array"):
            run(array, bad)


@pytest.mark.parametrize("loss", [losses.softmax_cross_entropy, losses.kl_divergence], ids=repr)
def test_one_dimensional_outputs_have_no_classes(loss):
    with pytest.raises(ValueError, match=rf"^{loss.name}: outputs have shape \(3,\), expected \(n, classes\)"):
        loss.apply(np.zeros(3), np.zeros(3))


@pytest.mark.parametrize("make", [losses.huber, losses.hinge, fnn.models.penalty_loss, losses.cross_entropy])
def test_numpy_numbers_do_not_promote_a_losss_derivative(make):
    loss, outputs = make(np.float64(0.5)), np.ones((2, 3), np.float32)
    targets = outputs * 3 if make is losses.huber else np.array([0, 2])
    value, pullback = loss.vjp(outputs, targets)
    assert type(value) is float
    assert pullback(1.0).dtype == np.float32
