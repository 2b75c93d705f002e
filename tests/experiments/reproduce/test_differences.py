"""Which rows are told apart, by numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.report.rows import ROWS
from experiments.reproduce.differences import PAIRS, differences, lines, markdown, text
from experiments.running.outcome import Outcome

LABELS = np.array([0, 1] * 50)


def outcomes(*shares):
    """Return an outcome a seed, which answers the first `share` of 100 images rightly."""
    made = []
    for share in shares:
        answers = np.where(np.arange(100) < 100 * share, LABELS, 1 - LABELS)
        made.append(Outcome({"test": share}, {"test_outputs": np.eye(2)[answers]}))
    return made


def test_a_difference_has_an_interval_over_images_and_one_over_seeds():
    """Over the seeds it is 0.2, 0.3 and 0.4: 0.3 +- 4.303 0.1 / sqrt(3) = 0.052 to 0.548."""
    found = differences(
        ["depths_a", "depths_b"], {"depths_a": outcomes(0.5, 0.5, 0.5), "depths_b": outcomes(0.7, 0.8, 0.9)}, LABELS
    )
    (entry,) = found
    assert (entry["ours"], entry["theirs"], entry["shows"]) == ("depths_b", "depths_a", True)
    np.testing.assert_allclose(entry["over_seeds"], [0.3 - 4.3027 * 0.057735, 0.3 + 4.3027 * 0.057735], atol=1e-5)
    # of 100 images: 20 gain 1, 10 gain 2/3, 10 gain 1/3, 60 gain nothing
    gains = np.array([1] * 20 + [2 / 3] * 10 + [1 / 3] * 10 + [0] * 60)
    half = 1.959964 * gains.std() / 10
    np.testing.assert_allclose(entry["over_images"], [0.3 - half, 0.3 + half], atol=1e-6)
    assert lines(found)[0] == ["depths_b - depths_a", "+0.300", "+0.220 to +0.380", "+0.052 to +0.548", "yes"]
    assert "| depths_b - depths_a | +0.300 |" in markdown(found)
    assert text(found).splitlines()[-1].startswith("depths_b - depths_a  +0.300")


@pytest.mark.parametrize(
    ("theirs", "ours", "why"),
    [((0.5, 0.5, 0.5), (0.4, 0.9, 0.9), "the seeds disagree"), ((0.5, 0.5), (0.51, 0.51), "it is one image")],
)
def test_rows_are_told_apart_by_images_and_seeds_together(theirs, ours, why):
    (entry,) = differences(["a", "b"], {"a": outcomes(*theirs), "b": outcomes(*ours)}, LABELS)
    assert not entry["shows"], why


def test_one_seed_has_no_interval_over_seeds_and_tells_nothing_apart():
    (entry,) = differences(["a", "b"], {"a": outcomes(0.1), "b": outcomes(0.9)}, LABELS)
    assert entry["over_seeds"] is None
    assert not entry["shows"]
    assert lines([entry])[0][3:] == ["one seed", "no"]


def test_the_reports_rows_are_compared_in_pairs():
    names = [row.name for row in ROWS]
    assert {name for pair in PAIRS for name in pair} <= set(names)
    found = differences(names, {name: outcomes(0.5, 0.6) for name in names}, LABELS)
    assert [(entry["ours"], entry["theirs"]) for entry in found] == list(PAIRS)
