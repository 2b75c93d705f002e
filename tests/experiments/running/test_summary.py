"""Figures over seeds and over images."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.report.rows import ROWS
from experiments.running.outcome import Outcome
from experiments.running.summary import gain, summarize


def test_means_and_deviations_are_over_the_seeds(splits):
    rest = dict.fromkeys(("epoch_seconds", "epochs", "parameters"), 1)
    outcomes = [Outcome(rest | {"train": value, "val": value, "test": 0.0}) for value in (0.5, 1.0)]
    summary = summarize(ROWS[0], outcomes, splits)
    assert summary["val"] == 0.75
    assert summary["val_sd"] == pytest.approx(0.5 / np.sqrt(2))
    assert summary["val_test"] == 0.375
    assert [record["val_test"] for record in summary["seeds"]] == [0.25, 0.5]
    assert summarize(ROWS[0], outcomes[:1], splits)["val_sd"] is None


def test_a_gain_is_paired_over_the_images():
    """Two seeds against two: the images' differences are 0, 1/2, 0 and 1."""
    labels = np.array([0, 1, 0, 1])
    ours = [outcome([0, 1, 0, 1]), outcome([0, 1, 1, 1])]
    theirs = [outcome([0, 1, 0, 0]), outcome([0, 0, 1, 0])]
    found = gain(ours, theirs, labels)
    assert found.mean == pytest.approx(np.mean([0, 0.5, 0, 1]))
    assert found.error == pytest.approx(np.std([0, 0.5, 0, 1]) / 2)
    assert not found.shows
    assert gain(theirs, ours, labels).mean == -found.mean


def outcome(predicted):
    return Outcome({}, {"test_outputs": np.eye(2)[predicted]})
