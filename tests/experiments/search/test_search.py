"""The search behind the tuned settings."""

from __future__ import annotations

import json

import numpy as np
import pytest

import functional_nn as fnn
from experiments.report.rows import REPORTED, TUNED
from experiments.running.outcome import Outcome
from experiments.search import __main__ as search
from experiments.search.run import best_of_rows
from experiments.search.trials import Trial, hold_out, recorded_trials
from tests.experiments.parsed import read


@pytest.mark.parametrize("name", TUNED)
def test_the_tuned_settings_are_the_best_of_the_recorded_trials(name):
    trials = [trial for trial in recorded_trials() if (trial.kind, trial.row) == ("settings", name)]
    best = max(trials, key=lambda trial: trial.reached)
    assert best.as_row().settings == TUNED[name]


def test_the_reports_learning_rate_is_the_nearest_of_the_recorded_ones():
    distances: dict[float, list[float]] = {}
    for trial in recorded_trials():
        if trial.kind == "rates":
            distances.setdefault(trial.changes["learning_rate"], []).append(trial.reached)
    assert {len(of_rate) for of_rate in distances.values()} == {4}
    assert REPORTED["lenet5"].learning_rate == min(distances, key=lambda rate: np.mean(distances[rate]))


def test_every_tenth_training_image_is_held_out_and_test_images_are_gone(splits):
    images, labels = splits["train"]
    held = hold_out(splits)
    assert held.keys() == {"train", "val"}
    np.testing.assert_array_equal(held["train"][0], np.delete(images, 9, axis=0))
    np.testing.assert_array_equal(held["val"][1], [labels[9], *splits["val"][1]])


TRIALS = [
    Trial("settings", "perceptron_own", {"epochs": 1, "shift": 1}, 0.5),
    Trial("settings", "lenet5", {}, 0.1),
    Trial("rates", "improved", {"learning_rate": 0.001, "epochs": 2}, 0.25),
]


@pytest.mark.parametrize(
    ("option", "line"),
    [
        (["--row", "perceptron_own"], ("perceptron_own", "(recorded 0.5000)  epochs 1, shift 1")),
        (["--rates"], ("improved", "(recorded 0.2500)  learning_rate 0.001, epochs 2")),
    ],
)
def test_trials_are_repeated_and_found_again(option, line, image_lists, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("experiments.search.run.recorded_trials", lambda: TRIALS)
    arguments = ["--data", str(image_lists), *option, "--workers", "1", "--out", str(tmp_path / "out")]
    search.main(arguments)
    printed = next(text for text in capsys.readouterr().out.splitlines() if "recorded" in text)
    assert printed.startswith(line[0])
    assert printed.endswith(line[1])
    first = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    search.main(arguments)
    assert "1 of 1 runs are finished already" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))["rows"] == first["rows"]
    assert line[0] in read(tmp_path / "out" / "page.html").text
    (file,) = (tmp_path / "out" / "networks").iterdir()
    assert file.name == f"{line[0]}.npz"
    assert fnn.load(file).about["reached"] == first["rows"][0]["reached"]


@pytest.mark.parametrize(("kind", "best"), [("settings", 0.5), ("rates", 0.125)])
def test_the_best_network_of_a_row_is_kept_of_all_trials_and_seeds(kind, best):
    trials = [Trial(kind, "lenet5", {"shift": shift}, 0.0) for shift in (1, 2)]
    reached = {trials[0].key: (0.25, 0.5), trials[1].key: (0.125, 0.375)}
    outcomes = {key: [Outcome({"reached": value}) for value in values] for key, values in reached.items()}
    assert best_of_rows(trials, outcomes)["lenet5"].record["reached"] == best


def test_trials_that_are_not_told_from_the_best_are_marked(image_lists, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("experiments.search.run.recorded_trials", lambda: TRIALS[:1])
    search.main(["--data", str(image_lists), "--row", "perceptron_own", "--workers", "1", "--out", str(tmp_path)])
    printed = capsys.readouterr().out
    (row,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    assert row["apart"] is False  # the best one itself
    assert f"{row['reached']:.4f}* (recorded" in printed
    assert "do not tell this trial from the best one of its row" in printed
