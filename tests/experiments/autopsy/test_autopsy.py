"""The autopsy compares gradients rightly, and a small run ranks all defects."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

import functional_nn as fnn
from experiments.autopsy import __main__ as autopsy
from experiments.autopsy.course import compared, prepared, train_variant
from experiments.autopsy.defects import CONSTRUCTORS, DEFECTS
from experiments.autopsy.ranking import ranked, variant_summary
from experiments.autopsy.variants import (
    AUTHORS,
    LENET5,
    LENET5_SILU,
    NETWORKS,
    PERCEPTRON,
    RIGHT,
    Budget,
    Variant,
    alone,
    variants,
)
from functional_nn import data, tree


def gradients(splits, *names, network=LENET5):
    """Return how the gradient of the network with these defects lies to the right one's, on the training images."""
    subject = prepared(Variant(network, names, "tested"), splits)
    images, labels = splits["train"]
    params = subject.right.init(np.random.default_rng(0), images.shape[1:])
    return compared(subject, params, subject.prepare["train"](images), labels)


def test_the_right_networks_gradient_is_the_true_one(splits):
    for network in NETWORKS:
        found = gradients(splits, network=network)
        assert found["cosine"] == pytest.approx(1.0, abs=1e-9)
        assert set(found["errors"].values()) == {0.0}


def test_dropped_gradients_are_wrong_by_their_whole_size_and_have_no_direction(splits):
    found = gradients(splits, "2")
    assert {name: found["errors"][name] for name in ("c1", "c3", "f5", "f6", "f7")} == {
        "c1": 1.0, "c3": 1.0, "f5": 0.0, "f6": 0.0, "f7": 0.0,
    }  # fmt: skip
    assert [found["cosines"][name] for name in ("c1", "c3", "f5")] == [0.0, 0.0, pytest.approx(1.0, abs=1e-9)]


@pytest.mark.parametrize(
    ("defect", "wrong_layers"),
    [("1", {"c1", "c3", "f5", "f6"}), ("3", {"c1"}), ("4", {"c1", "c3", "f5", "f6", "f7"}), ("8", {"c1", "c3"})],
)
def test_layers_before_a_wrong_backward_get_a_wrong_gradient_and_no_others(defect, wrong_layers, splits):
    errors = gradients(splits, defect)["errors"]
    assert {name for name, error in errors.items() if error > 1e-3} == wrong_layers


@pytest.mark.parametrize("defect", ["5", "6", "9"])
def test_start_preparation_and_arithmetic_leave_the_gradient_right(defect, splits):
    assert max(gradients(splits, defect)["errors"].values()) < 1e-5


def test_errors_and_cosines_are_those_of_the_definition(splits):
    subject = prepared(Variant(PERCEPTRON, ("eq. 4",), "tested"), splits)
    images, labels = splits["train"]
    params = subject.right.init(np.random.default_rng(0), images.shape[1:])
    x = subject.prepare["train"](images)
    found = compared(subject, params, x, labels)
    wrong, true = (
        tree.ravel(model.vjp(params, x)[1](subject.loss.vjp(model.apply(params, x), labels)[1](1.0))[0])[0]
        for model in (subject.model, subject.right)
    )
    expected = float(wrong @ true / (np.linalg.norm(wrong) * np.linalg.norm(true)))
    assert found["cosine"] == pytest.approx(expected, rel=1e-4)


def test_a_network_that_diverges_keeps_its_last_finite_parameters_and_says_when(splits):
    outcome = train_variant(
        Variant(LENET5_SILU, ("eq. 9 to the letter",), "tested"), Budget(3, 1e4), 0, splits, threads=1, progress=False
    )
    assert outcome.record["diverged"] == len(outcome.record["history"]) + 1
    json.dumps(outcome.record, allow_nan=False)
    assert all(np.isfinite(leaf).all() for leaf in tree.leaves(outcome.network.params))


@pytest.mark.parametrize("variant", [v for network in NETWORKS for v in variants(network)], ids=lambda v: v.name)
def test_every_variants_network_goes_to_a_file_and_back(variant, splits, tmp_path):
    """Its backward stays as wrong as it was: the defects are constructors."""
    subject = prepared(variant, splits)
    images, labels = splits["train"]
    params = subject.model.init(np.random.default_rng(0), images.shape[1:])
    kept = fnn.Trained(subject.model, params, images.shape[1:], transform=subject.prepare["train"], loss=subject.loss)
    fnn.save(tmp_path / "network.npz", kept)
    loaded = fnn.load(tmp_path / "network.npz", CONSTRUCTORS)
    assert loaded.predict(images).tobytes() == kept.predict(images).tobytes()
    x = subject.prepare["train"](images)
    gradients = [fnn.value_and_grad(net.model, net.loss)(net.params, x, labels) for net in (kept, loaded)]
    assert gradients[0][0] == gradients[1][0]
    assert tree.ravel(gradients[0][1])[0].tobytes() == tree.ravel(gradients[1][1])[0].tobytes()
    assert pickle.loads(pickle.dumps(subject.model)) == subject.model  # as it comes back from another process


def test_the_perceptrons_defects_keep_it_from_learning_the_digits():
    splits = dict(data.digits().items())
    right, authors = (
        train_variant(Variant(PERCEPTRON, names, "tested"), Budget(10, 0.003), 0, splits, threads=1, progress=False)
        for names in ((), PERCEPTRON.ran)
    )
    assert right.record["test"] > 0.9
    images, labels = splits["test"]
    for outcome in (right, authors):
        assert (outcome.network.predict(images).argmax(axis=1) == labels).mean() == outcome.record["test"]
    assert authors.record["test"] < 0.6
    assert abs(authors.record["history"][-1]["loss"] - math.log(10)) < 0.1


def test_each_defect_is_tried_alone_and_repaired_or_put_back_in_the_authors_network():
    made = {variant.role: set(variant.defects) for variant in variants(LENET5)}
    ran = set(LENET5.ran)
    assert made[RIGHT] == set()
    assert made[AUTHORS] == ran
    assert all(made[alone(name)] == {name} for name in LENET5.defects)
    assert made["the author's, 3 repaired"] == ran - {"3"}
    assert made["the author's, 1 put back"] == ran | {"1"}
    assert len(made) == 2 + 2 * len(LENET5.defects)


def test_every_defect_of_the_catalogue_is_tried():
    assert {name for network in NETWORKS for name in network.defects} == set(DEFECTS)


def test_harm_and_gain_are_differences_of_test_accuracies(splits):
    accuracies = {(network.name, v.role): i / 100 for network in NETWORKS for i, v in enumerate(variants(network))}
    rows = []
    for network in NETWORKS:
        for variant in variants(network):
            outcome = train_variant(variant, Budget(1, 1e-6), 0, splits, threads=1, progress=False)
            record = outcome.record | {"test": accuracies[network.name, variant.role]}
            rows.append(variant_summary(variant, Budget(1, 1e-6), [replace(outcome, record=record)], splits))
    ranking = ranked(rows)
    assert [row["harm"] for row in ranking] == sorted((row["harm"] for row in ranking), reverse=True)
    lenet5 = {row["defect"]: row for row in ranking if row["network"] == "lenet5"}
    of = {role: value for (name, role), value in accuracies.items() if name == "lenet5"}
    assert lenet5["3"]["harm"] == pytest.approx(of[RIGHT] - of["3 alone"])
    assert lenet5["3"]["gain"] == pytest.approx(of["the author's, 3 repaired"] - of[AUTHORS])
    assert lenet5["1"]["gain"] == pytest.approx(of[AUTHORS] - of["the author's, 1 put back"])
    assert lenet5["1"]["repaired"] == of[AUTHORS]
    assert all(row["gain"] is None for row in ranking if row["network"] == "lenet5_silu")


def test_a_run_ranks_all_defects_and_is_not_repeated(image_lists, tmp_path, capsys):
    arguments = ["--data", str(image_lists), "--out", str(tmp_path / "out"), "--epochs", "1", "--seeds", "1"]
    autopsy.main([*arguments, "--workers", "1"])
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert len(results["defects"]) == sum(len(network.defects) for network in NETWORKS)
    assert {"data", "seeds", "packages", "commit", "machine", "seconds", "overflow"} <= results.keys()
    assert all(row["settings"]["learning_rate"] > 0 for row in results["rows"])
    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    assert all(DEFECTS[name].title in printed for name in DEFECTS)
    assert page.count("data:image/png;base64") == len(NETWORKS)
    assert 'src="http' not in page
    networks = {file.name: file.read_bytes() for file in (tmp_path / "out" / "networks").iterdir()}
    network = fnn.load(tmp_path / "out" / "networks" / "LeNet-5-the-author-s.npz", CONSTRUCTORS)
    record = next(row for row in results["rows"] if row["model"] == "LeNet-5, the author's")["seeds"][0]
    assert (network.about["role"], network.about["test"]) == (AUTHORS, record["test"])
    autopsy.main([*arguments, "--workers", "1"])
    assert networks == {file.name: file.read_bytes() for file in (tmp_path / "out" / "networks").iterdir()}
    count = sum(len(variants(network)) for network in NETWORKS)
    assert len(networks) == count
    assert f"{count} of {count} runs are finished already" in capsys.readouterr().out
    again = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert again["defects"] == results["defects"]


def test_bad_arguments_say_what_to_do(tmp_path, capsys):
    with pytest.raises(SystemExit):
        autopsy.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "out")])
    assert "there is no such directory" in capsys.readouterr().err
