"""The networks that a command keeps, and which of them."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

import functional_nn as fnn
from experiments.report.rows import rows_as
from experiments.running.networks import first_weights, of_best_seed, of_every_seed, write_networks
from experiments.running.outcome import Outcome
from experiments.running.training import run_row

BY_NAME = {row.name: row for row in rows_as("tuned", epochs=1)}
NAMES = ("cat, tabby", "dog", "fox", "a class that no label has")


def written(tmp_path, outcomes, **keywords):
    """Write the networks; return their files by name, and what is printed."""
    options = argparse.Namespace(out=tmp_path, command="python -m experiments.tested")
    text = write_networks(options, "six images", NAMES, outcomes, **keywords)
    return {file.name: fnn.load(file) for file in (tmp_path / "networks").iterdir()}, text


def outcomes_of(splits, *names, seeds=(0,)):
    return {name: [run_row(BY_NAME[name], splits, seed=seed, threads=1) for seed in seeds] for name in names}


def test_a_network_is_kept_with_what_classifying_needs_and_where_it_is_from(splits, tmp_path):
    outcomes = outcomes_of(splits, "lenet5", "sklearn_perceptron")
    networks, text = written(tmp_path, of_every_seed(outcomes))
    (name, network), (outcome,) = *networks.items(), outcomes["lenet5"]
    assert name == "lenet5-seed-0.npz"
    assert network.predict(splits["test"][0]).tobytes() == outcome.arrays["test_outputs"].tobytes()
    assert network.classes == NAMES[:3]
    assert network.input_shape == (32, 32, 3)
    assert network.loss == BY_NAME["lenet5"].loss
    figures = {key: outcome.record[key] for key in ("model", "seed", "train", "val", "test", "epochs", "parameters")}
    assert network.about == {"command": "python -m experiments.tested", "data": "six images", **figures}
    assert str(tmp_path / "networks" / name) in text


def test_the_same_outcome_gives_the_same_bytes_whatever_time_it_took(splits, tmp_path):
    files = []
    for part in ("one", "two"):
        (tmp_path / part).mkdir()
        written(tmp_path / part, of_every_seed(outcomes_of(splits, "lenet5_grad")))
        files.append((tmp_path / part / "networks" / "lenet5_grad-seed-0.npz").read_bytes())
    assert files[0] == files[1]


def test_the_best_seed_is_that_of_validation_data():
    outcomes = [Outcome({"seed": seed, "val": val, "test": test}) for seed, val, test in ((0, 0.2, 1), (1, 0.4, 0))]
    assert of_best_seed({"row": outcomes}) == {"row": outcomes[1]}
    assert of_every_seed({"row": outcomes}) == {"row, seed 0": outcomes[0], "row, seed 1": outcomes[1]}


def test_networks_of_features_are_not_shown_as_ones_of_images(splits, tmp_path):
    rng = np.random.default_rng(0)
    features = {part: (rng.random((len(y), 408), np.float32), y) for part, (_, y) in splits.items()}
    outcomes = outcomes_of(features, "perceptron_sigmoid")
    _, text = written(tmp_path, of_every_seed(outcomes))
    assert text.endswith("perceptron_sigmoid-seed-0.npz').predict(x)  # x (n, 408)")
    _, text = written(tmp_path, of_every_seed(outcomes | outcomes_of(splits, "improved")))
    assert text.endswith("improved-seed-0.npz').classify(['image.png'])")


@pytest.mark.parametrize("name", ["lenet5", "lenet5_grad", "perceptron_own"])
def test_the_first_weights_are_those_of_the_first_layer_frozen_or_not(name, splits):
    (outcome,) = outcomes_of(splits, name)[name]
    start = BY_NAME[name].network(classes=3).init(np.random.default_rng(0), (32, 32, 3))
    first = next(iter({"c1", "hidden"} & start.keys()))
    trained = start[first]["w"] if name == "lenet5" else outcome.network.params[first]["w"]
    assert first_weights(outcome.network).tobytes() == trained.tobytes()
