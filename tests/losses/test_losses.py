"""Losses against plain Python, their gradients, and the targets that they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import losses
from functional_nn.testing import check_loss
from tests.refusals import no_array, refused

CROSS_ENTROPY, SQUARED = losses.softmax_cross_entropy, losses.mean_squared_error
LOGITS = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, 3.0]])
LABELS = np.array([0, 2])
EVERY_LOSS = [
    CROSS_ENTROPY,
    SQUARED,
    losses.cross_entropy(0.1),
    losses.kl_divergence,
    losses.sigmoid_cross_entropy,
    losses.hinge(),
    losses.huber(),
    losses.weighted(SQUARED),
]


def test_every_public_loss_is_here():
    others = {"Loss", "labels_hit", "softmax", "weighted_targets"}
    assert {loss.name for loss in EVERY_LOSS} == set(losses.__all__) - others


def plain_cross_entropy(logits, targets):
    """-(1 / n) sum over n and k of t log p, with p = exp(z) / sum of exp(z): the definition, for small logits."""
    total = 0.0
    for z, t in zip(logits, targets, strict=True):
        partition = math.fsum(math.exp(v) for v in z)
        total -= math.fsum(t_k * (z_k - math.log(partition)) for z_k, t_k in zip(z, t, strict=True))
    return total / len(logits)


def rows_of(labels, classes):
    return [[1.0 if k == label else 0.0 for k in range(classes)] for label in labels]


@st.composite
def problems(draw, dtypes=(np.float32, np.float64)):
    n, classes = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    outputs = (3.0 * rng.standard_normal((n, classes))).astype(draw(st.sampled_from(dtypes)))
    return outputs, rng.integers(0, classes, n), rng.random((n, classes))


@given(problems())
def test_cross_entropy_is_that_of_the_definition(problem):
    outputs, labels, rows = problem
    eps = float(np.finfo(outputs.dtype).eps) * outputs.shape[1]
    expected = plain_cross_entropy(outputs.tolist(), rows_of(labels.tolist(), outputs.shape[1]))
    assert CROSS_ENTROPY.apply(outputs, labels) == pytest.approx(expected, rel=0, abs=32 * eps)
    expected = plain_cross_entropy(outputs.tolist(), rows.tolist())
    assert CROSS_ENTROPY.apply(outputs, rows) == pytest.approx(expected, rel=0, abs=64 * eps)


@given(problems())
def test_squared_error_is_that_of_the_definition(problem):
    outputs, _, rows = problem
    pairs = zip(outputs.ravel().tolist(), rows.ravel().tolist(), strict=True)
    expected = math.fsum((y - t) ** 2 for y, t in pairs) / outputs.size
    rounding = 8 * float(np.finfo(outputs.dtype).eps) * (1.0 + float(np.abs(outputs).max())) ** 2
    assert SQUARED.apply(outputs, rows) == pytest.approx(expected, rel=0, abs=rounding)


@given(problems())
def test_pullbacks_are_the_derivatives(problem):
    outputs, labels, rows = problem
    check_loss(CROSS_ENTROPY, outputs, labels)
    check_loss(CROSS_ENTROPY, outputs, rows.astype(outputs.dtype))
    check_loss(SQUARED, outputs, rows.astype(outputs.dtype))


@given(problems())
def test_values_are_python_floats_and_gradients_keep_dtype_and_shape(problem):
    outputs, labels, rows = problem
    for loss, targets in ((CROSS_ENTROPY, labels), (CROSS_ENTROPY, rows), (SQUARED, rows)):
        value, pullback = loss.vjp(outputs, targets)
        assert type(value) is float
        assert value == loss.apply(outputs, targets)
        assert type(loss.apply(outputs, targets)) is float
        doutputs = pullback(1.0)
        assert (doutputs.shape, doutputs.dtype) == (outputs.shape, outputs.dtype)
        assert pullback(np.float64(1.0)).dtype == outputs.dtype
        np.testing.assert_array_equal(pullback(2.0), 2.0 * doutputs)
        assert not np.shares_memory(doutputs, outputs)


@given(problems())
def test_inputs_are_not_written(problem):
    for array in problem:
        array.flags.writeable = False
    outputs, labels, rows = problem
    before = outputs.copy(), rows.copy()
    for loss, targets in ((CROSS_ENTROPY, labels), (CROSS_ENTROPY, rows), (SQUARED, rows)):
        _, pullback = loss.vjp(outputs, targets)
        pullback(1.0)[...] = np.nan
        assert np.isfinite(pullback(1.0)).all()
    np.testing.assert_array_equal(outputs, before[0])
    np.testing.assert_array_equal(rows, before[1])


def test_hand_worked_values():
    assert CROSS_ENTROPY.apply(np.zeros((4, 50)), np.arange(4)) == pytest.approx(math.log(50.0), rel=1e-15)
    z = np.array([[math.log(1.0), math.log(2.0), math.log(5.0)]])
    value, pullback = CROSS_ENTROPY.vjp(z, np.array([2]))
    assert value == pytest.approx(-math.log(5.0 / 8.0))
    np.testing.assert_allclose(pullback(1.0), [[1.0 / 8.0, 2.0 / 8.0, -3.0 / 8.0]], rtol=1e-14)
    value, pullback = SQUARED.vjp(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert value == (0 + 4 + 9 + 16) / 4
    assert pullback(1.0).tolist() == [[0.0, 1.0], [1.5, 2.0]]


def test_labels_and_their_rows_give_the_same():
    rows = np.array(rows_of(LABELS, 3))
    by_label, pull_label = CROSS_ENTROPY.vjp(LOGITS, LABELS)
    by_row, pull_row = CROSS_ENTROPY.vjp(LOGITS, rows)
    assert by_label == pytest.approx(by_row, rel=1e-15)
    np.testing.assert_allclose(pull_label(1.0), pull_row(1.0), atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_give_finite_results_without_a_warning(dtype):
    logits = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [-1e4, -1e4, -1e4]], dtype)
    value, pullback = CROSS_ENTROPY.vjp(logits, np.array([1, 2, 0]))
    expected = (2e4 + math.log(2.0) + math.log(3.0)) / 3
    assert value == pytest.approx(expected, rel=float(np.finfo(dtype).eps))
    third = 1.0 / 3.0
    gradient = [[1.0, -1.0, 0.0], [0.0, 0.5, -0.5], [third - 1.0, third, third]]
    np.testing.assert_allclose(3.0 * pullback(1.0), gradient, atol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(
        losses.softmax(logits), [[1, 0, 0], [0, 0.5, 0.5], [third] * 3], atol=np.finfo(dtype).eps
    )


@given(problems())
def test_softmax_sums_to_one_and_does_not_see_a_constant(problem):
    logits = problem[0]
    p = losses.softmax(logits)
    eps = np.finfo(logits.dtype).eps
    assert p.dtype == logits.dtype
    assert np.all(p >= 0.0)
    np.testing.assert_allclose(p.sum(axis=-1), 1.0, atol=8 * eps)
    for z, row in zip(logits.tolist(), p.tolist(), strict=True):
        total = math.fsum(math.exp(v) for v in z)
        np.testing.assert_allclose(row, [math.exp(v) / total for v in z], atol=32 * eps)
    np.testing.assert_allclose(losses.softmax(logits + logits.dtype.type(64.0)), p, atol=128 * eps)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], "label 3 at index 1 is outside 0 .. 2"),
        ([-1, 9], "label -1 at index 0 is outside 0 .. 2"),
        ([2, -3], "label -3 at index 1 is outside 0 .. 2"),
        ([0], "1 labels for outputs of shape (2, 3), expected (n, classes)"),
        ([0, 1, 2], "3 labels for outputs of shape (2, 3), expected (n, classes)"),
    ],
)
def test_bad_labels_are_named(labels, message):
    for run in (CROSS_ENTROPY.apply, CROSS_ENTROPY.vjp):
        with refused(ValueError, f"softmax_cross_entropy: {message}"):
            run(LOGITS, np.array(labels))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint64, np.int64])
def test_labels_of_every_integer_dtype_are_taken(dtype):
    assert CROSS_ENTROPY.apply(LOGITS, LABELS.astype(dtype)) == CROSS_ENTROPY.apply(LOGITS, LABELS)
    with refused(ValueError, "softmax_cross_entropy: label 7 at index 1 is outside 0 .. 2"):
        CROSS_ENTROPY.apply(LOGITS, np.array([0, 7], dtype))


@pytest.mark.parametrize(
    "targets",
    [
        np.array([0.0, 1.0]),  # one-dimensional but no integers
        np.array([[0], [2]]),  # labels in a column
        np.ones((2, 4)),
        np.ones((3, 3)),
        np.array([True, False]),
        np.array(["a", "b"]),
        np.ones((2, 3), np.complex128),
    ],
)
def test_targets_that_are_neither_labels_nor_rows_are_refused(targets):
    kind = f"targets are {targets.dtype} of shape {targets.shape}"
    rows = "numbers of the outputs' shape (2, 3)"
    for run in (CROSS_ENTROPY.apply, CROSS_ENTROPY.vjp):
        with refused(ValueError, f"softmax_cross_entropy: {kind}, expected one-dimensional integer labels or {rows}"):
            run(LOGITS, targets)
    for run in (SQUARED.apply, SQUARED.vjp):
        with refused(ValueError, f"mean_squared_error: {kind}, expected {rows}"):
            run(LOGITS, targets)


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_an_empty_batch_is_refused(loss):
    text = "outputs of shape (0, 3) are empty: the mean over no examples is undefined"
    for targets in (np.zeros((0, 3)), np.zeros(0, np.int64)):
        for run in (loss.apply, loss.vjp):
            with refused(ValueError, f"{loss.name}: {text}"):
                run(np.zeros((0, 3)), targets)


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.uint8, np.complex128])
def test_outputs_that_are_no_float32_or_float64_are_refused(loss, dtype):
    for run in (loss.apply, loss.vjp):
        with refused(TypeError, f"{loss.name}: outputs are {np.dtype(dtype)}, expected float32 or float64"):
            run(np.ones((2, 3), dtype), np.ones((2, 3)))


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
@pytest.mark.parametrize("bad", [[[1.0, 2.0]], None, 1.0, LOGITS.view(np.matrix), np.ma.array(LOGITS)], ids=type)
def test_outputs_and_targets_that_are_no_arrays_are_refused(loss, bad):
    for run in (loss.apply, loss.vjp):
        with refused(TypeError, f"{loss.name}: outputs are {no_array(bad)}"):
            run(bad, LABELS)
        with refused(TypeError, f"{loss.name}: targets are {no_array(bad)}"):
            run(LOGITS, bad)


def test_targets_are_converted_to_the_outputs_dtype():
    outputs = LOGITS.astype(np.float32)
    for targets in (np.eye(3)[:2], np.eye(3, dtype=np.int64)[:2]):
        for loss in (CROSS_ENTROPY, SQUARED):
            assert loss.vjp(outputs, targets)[1](1.0).dtype == np.float32


def test_squared_error_takes_outputs_of_any_shape():
    rng = np.random.default_rng(0)
    check_loss(SQUARED, rng.standard_normal((2, 3, 4, 2)), rng.standard_normal((2, 3, 4, 2)))
    check_loss(SQUARED, rng.standard_normal(5), rng.standard_normal(5))


def test_hits_mark_the_examples_whose_largest_output_is_the_label():
    outputs = np.array([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0]])
    assert CROSS_ENTROPY.hits(outputs, np.array([1, 1, 1])).tolist() == [True, False, True]
    assert CROSS_ENTROPY.hits(outputs, np.array([[0.1, 0.9], [0.8, 0.2], [0.6, 0.4]])).tolist() == [True, True, False]
    assert SQUARED.hits is None


def test_a_loss_of_ones_own_is_its_functions():
    def vjp(outputs, targets):
        error = outputs - targets
        return float(np.abs(error).mean()), lambda dvalue: np.sign(error) * (dvalue / error.size)

    outputs, targets = np.array([[1.0], [-3.0]]), np.zeros((2, 1))
    absolute = losses.Loss("absolute", vjp=vjp)
    assert absolute.apply(outputs, targets) == 2.0  # that of vjp
    assert losses.Loss("absolute", vjp=vjp, apply=lambda outputs, targets: 5.0).apply(outputs, targets) == 5.0
    check_loss(absolute, outputs, targets)
    assert repr(absolute) == "absolute"
    assert (absolute.hits, absolute.scores, absolute.weight(targets)) == (None, None, 2)
    assert absolute == absolute
    assert absolute != losses.Loss("absolute", vjp=vjp)  # made by no constructor, it equals itself alone


def test_losses_print_their_names_and_compare():
    assert repr(CROSS_ENTROPY) == "softmax_cross_entropy"
    assert repr(SQUARED) == "mean_squared_error"
    assert CROSS_ENTROPY != SQUARED


def test_softmax_and_hits_refuse_what_is_no_array_or_of_another_length():
    with refused(TypeError, f"softmax: logits is {no_array([1.0])}"):
        losses.softmax([1.0])
    with refused(TypeError, f"labels_hit: targets is {no_array([0])}"):
        losses.labels_hit(np.ones((1, 2)), [0])
    with refused(ValueError, "labels_hit: targets (2,) for outputs (3, 2), expected as many"):
        losses.labels_hit(np.ones((3, 2)), np.zeros(2, int))
