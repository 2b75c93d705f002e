"""The ranking of confusions and mistakes, the interval of a share, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from functional_nn import answers, losses, models

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([1, 1, 0, 0, 1, 2])


@pytest.mark.parametrize("predicted", [PREDICTED, np.eye(3)[PREDICTED]], ids=["classes", "outputs"])
def test_the_most_frequent_wrong_pairs_come_first(predicted):
    assert answers.frequent_confusions(LABELS, predicted) == [(0, 1, 2), (1, 0, 1)]
    assert answers.frequent_confusions(LABELS, predicted, 1) == [(0, 1, 2)]


def test_right_answers_are_no_confusions():
    assert answers.frequent_confusions(LABELS, LABELS) == []
    assert answers.confident_mistakes(LABELS, np.eye(3)[LABELS]) == []


def test_the_most_confident_wrong_answers_come_first():
    outputs = np.array([[5.0, 0.0], [0.0, 1.0], [0.0, 9.0], [3.0, 0.0]])
    found = answers.confident_mistakes(np.array([0, 0, 0, 1]), outputs)
    assert [mistake.example for mistake in found] == [2, 3, 1]
    assert [mistake.predicted for mistake in found] == [1, 0, 1]
    assert found[2].probability == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert answers.confident_mistakes(np.array([0, 0, 0, 1]), outputs, 1) == found[:1]


def test_a_loss_says_which_output_wins():
    penalties = np.array([[1.0, 9.0, 9.0], [9.0, 9.0, 1.0]])
    labels, loss = np.array([0, 1]), models.penalty_loss()
    assert answers.frequent_confusions(labels, penalties, loss=loss) == [(1, 2, 1)]
    (mistake,) = answers.confident_mistakes(labels, penalties, loss=loss)
    assert mistake[:2] == (1, 2)
    assert mistake.probability == loss.scores(penalties)[1, 2]


OUTPUTS = np.eye(3)[PREDICTED]


@pytest.mark.parametrize(
    ("labels", "predicted", "loss", "error", "message"),
    [
        (LABELS[:5], PREDICTED, None, ValueError, "5 labels and 6 predictions"),
        (LABELS[:0], PREDICTED[:0], None, ValueError, "0 labels and 0 predictions"),
        (LABELS * 1.0, PREDICTED, None, ValueError, r"labels are float64 of shape \(6,\), expected integers"),
        (LABELS, PREDICTED * 1.0, None, ValueError, r"predicted are float64.*or outputs \(n, classes\)"),
        (LABELS, OUTPUTS[:, :, None], None, ValueError, r"predicted are float64 of shape \(6, 3, 1\)"),
        (LABELS + 1, OUTPUTS, None, ValueError, "label 3 at index 5 is outside 0 .. 2"),
        (LABELS - 1, PREDICTED, None, ValueError, "label -1 at index 0 is outside"),
        (list(LABELS), PREDICTED, None, TypeError, "labels is a list"),
        (LABELS, PREDICTED, losses.softmax_cross_entropy, ValueError, r"outputs are int64 of shape \(6,\)"),
        (LABELS, OUTPUTS, losses.mean_squared_error, ValueError, "mean_squared_error has no scores"),
        (LABELS, OUTPUTS, "softmax", TypeError, "loss is 'softmax', expected a Loss"),
    ],
)
def test_bad_answers_are_refused(labels, predicted, loss, error, message):
    with pytest.raises(error, match=message):
        answers.frequent_confusions(labels, predicted, loss=loss)


@pytest.mark.parametrize(
    ("classes", "error", "message"),
    [
        (("a", "b"), ValueError, "outputs for 3 classes and 2 names"),
        ("abc", TypeError, "classes are 'abc', expected the classes' names"),
        ((0, 1, 2), TypeError, "classes are"),
    ],
)
def test_bad_names_are_refused(classes, error, message):
    with pytest.raises(error, match=message):
        answers.answers("confusion", LABELS, OUTPUTS, classes, None)


@pytest.mark.parametrize("most", [0, 1.5])
def test_a_bad_number_is_refused(most):
    with pytest.raises(ValueError, match="most is"):
        answers.frequent_confusions(LABELS, PREDICTED, most)
    with pytest.raises(ValueError, match="most is"):
        answers.confident_mistakes(LABELS, OUTPUTS, most)


def test_wilsons_interval_is_the_published_one():
    """Newcombe 1998, table I, method 3: 81 of 263, and 0 of 20."""
    np.testing.assert_allclose(answers.wilson(81 / 263, 263), (0.2553, 0.3662), atol=5e-5)
    np.testing.assert_allclose(answers.wilson(0.0, 20), (0.0, 0.1611), atol=5e-5)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (150, 450), (1, 2)])
def test_the_interval_holds_the_shares_from_which_the_figure_is_less_than_196_deviations_away(right, n):
    share = right / n
    for bound, inside in zip(answers.wilson(share, n), (share >= 1e-9, share <= 1 - 1e-9), strict=True):
        deviation = np.sqrt(bound * (1 - bound) / n)  # the bound's own, which is what Wilson's interval is made from
        assert abs(share - bound) == pytest.approx(1.959964 * deviation if inside else 0.0, abs=1e-9)
