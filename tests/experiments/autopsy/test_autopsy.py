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
from experiments.autopsy.findings import paragraphs
from experiments.autopsy.ranking import ranked, variant_summary
from experiments.autopsy.tables import markdown
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
    networks_with,
    variants,
)
from experiments.autopsy.verdicts import overflow
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


def rows_of(accuracies, splits):
    """Return a summary of every variant, whose runs from several seeds reach `accuracies(network, role)`."""
    rows, budget = [], Budget(1, 1e-6)
    for network in NETWORKS:
        for variant in variants(network):
            outcome = train_variant(variant, budget, 0, splits, threads=1, progress=False)
            of_seeds = [
                replace(outcome, record=outcome.record | {"test": test}) for test in accuracies(network, variant.role)
            ]
            rows.append(variant_summary(variant, budget, of_seeds, splits))
    return rows


def test_harm_and_gain_are_differences_of_test_accuracies(splits):
    of = {(network.name, v.role): i / 100 for network in NETWORKS for i, v in enumerate(variants(network))}
    ranking = ranked(rows_of(lambda network, role: [of[network.name, role]], splits))
    assert [row["harm"] for row in ranking] == sorted((row["harm"] for row in ranking), reverse=True)
    lenet5 = {row["defect"]: row for row in ranking if row["network"] == "lenet5"}
    of = {role: value for (name, role), value in of.items() if name == "lenet5"}
    assert lenet5["3"]["harm"] == pytest.approx(of[RIGHT] - of["3 alone"])
    assert lenet5["3"]["gain"] == pytest.approx(of["the author's, 3 repaired"] - of[AUTHORS])
    assert lenet5["1"]["gain"] == pytest.approx(of[AUTHORS] - of["the author's, 1 put back"])
    assert lenet5["1"]["repaired"] == of[AUTHORS]
    assert all(row["gain"] is None for row in ranking if row["network"] == "lenet5_silu")
    assert all(row["harm_interval"] is None and not row["harm_shows"] for row in ranking)  # of one seed
    assert all(row["rank"] == [1, len(LENET5.defects)] for row in lenet5.values())
    texts = paragraphs(ranking, rows_of(lambda network, role: [0.5], splits), overflow(), 3)
    assert sum("one seed gives no intervals, so no defect and no repair is ranked" in text for text in texts) == 3


# The perceptron's accuracies from three seeds. Three defects are to hold together: t(1 - 0.05 / 6, 2) = 7.649.
# Alone, 7 costs 0.1, 0.2 and 0.3: 0.2 +- 7.649 0.1 / sqrt(3) = -0.242 to 0.642, which is nothing. 9 costs nothing at
# all; eq. 4 costs 0.50, 0.51 and 0.52: 0.51 +- 7.649 0.01 / sqrt(3) = 0.466 to 0.554.
BY_HAND = {
    RIGHT: [0.90, 0.92, 0.94],
    "7 alone": [0.80, 0.72, 0.64],
    "9 alone": [0.90, 0.92, 0.94],
    "eq. 4 alone": [0.40, 0.41, 0.42],
    AUTHORS: [0.10, 0.20, 0.30],
    "the author's, 7 repaired": [0.30, 0.10, 0.35],
    "the author's, 9 repaired": [0.10, 0.20, 0.30],
    "the author's, eq. 4 repaired": [0.88, 0.97, 1.07],
}


@pytest.fixture
def by_hand(splits):
    return rows_of(lambda network, role: BY_HAND[role] if network is PERCEPTRON else [0.5, 0.5, 0.5], splits)


def test_intervals_and_ranks_are_the_hand_worked_ones(by_hand):
    lines = {line["defect"]: line for line in ranked(by_hand) if line["network"] == "perceptron"}
    np.testing.assert_allclose(lines["7"]["harm_interval"], [-0.2416, 0.6416], atol=2e-4)
    np.testing.assert_allclose(lines["eq. 4"]["harm_interval"], [0.4658, 0.5542], atol=2e-4)
    assert lines["9"]["harm_interval"] == [0.0, 0.0]
    assert {name: line["harm_shows"] for name, line in lines.items()} == {"7": False, "9": False, "eq. 4": True}
    # 7 lies 0.40, 0.31 and 0.22 above eq. 4: 0.31 +- 7.649 0.09 / sqrt(3) = -0.087 to 0.707: they are in no order
    assert {name: line["rank"] for name, line in lines.items()} == {"7": [1, 3], "9": [2, 3], "eq. 4": [1, 2]}
    assert {name: line["gain_shows"] for name, line in lines.items()} == {"7": False, "9": False, "eq. 4": True}
    np.testing.assert_allclose([lines["7"]["gain"], lines["eq. 4"]["gain"]], [0.05, 0.77333], atol=1e-5)


def test_the_text_ranks_only_what_the_intervals_tell_apart(by_hand):
    (text,) = (t for t in paragraphs(ranked(by_hand), by_hand, overflow(), 3) if t.startswith("Perceptron"))
    assert "costs: dw2 in place of w2 (eq. 4) +0.510 (+0.466 to +0.554); not told from no effect: hidden" in text
    assert "; changes no seed's accuracy: softmax without its maximum, float128 (9)." in text
    assert "helps: dw2 in place of w2 (eq. 4)" in text
    assert "The most helpful repair is that of dw2 in place of w2 (eq. 4): it reaches 0.973, the right" in text
    assert "these seeds do not tell the two apart" in text
    table = markdown(ranked(by_hand), by_hand)
    assert "**+0.510 (+0.466 to +0.554)** | 1 to 2 | 0.973 | **+0.773" in table
    assert " | 0.920 (0.870 to 0.970) |" in table


def test_the_defects_that_are_asked_for_are_tried_in_the_networks_that_have_them():
    networks = networks_with(["4", "2"])
    assert [network.name for network in networks] == ["lenet5"]
    made = {variant.role: variant.defects for variant in variants(networks[0])}
    assert list(made) == [
        RIGHT, "2 alone", "4 alone", AUTHORS, "the author's, 2 repaired", "the author's, 4 repaired"
    ]  # fmt: skip
    assert made[AUTHORS] == LENET5.ran
    assert made["the author's, 4 repaired"] == ("2", "3", "5", "6", "8", "9")
    assert [network.name for network in networks_with(["9"])] == ["lenet5", "perceptron"]
    assert networks_with(None) == NETWORKS


def test_a_run_of_two_defects_says_nothing_of_the_others(image_lists, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--data", str(image_lists), "--out", str(out), "--epochs", "1", "--quick", "--defects", "2", "4"]
    autopsy.main([*arguments, "--workers", "1"])
    printed = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert results["seeds"] == [0, 1, 2]
    assert [line["defect"] for line in results["defects"]] in (["2", "4"], ["4", "2"])
    assert "networks: 6 of LeNet-5\n" in printed
    assert "Defect 6" not in printed
    assert (out / "table.md").read_text(encoding="utf-8").count("\n") == 4 + 1 + 4
    with pytest.raises(SystemExit):
        autopsy.main(["--defects", "10"])
    assert "invalid choice: '10'" in capsys.readouterr().err


def test_a_run_ranks_all_defects_and_is_not_repeated(image_lists, tmp_path, capsys):
    arguments = ["--data", str(image_lists), "--out", str(tmp_path / "out"), "--epochs", "1", "--seeds", "1"]
    autopsy.main([*arguments, "--workers", "1"])
    printed = capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    assert len(results["defects"]) == sum(len(network.defects) for network in NETWORKS)
    assert {"data", "seeds", "packages", "commit", "machine", "seconds", "overflow"} <= results.keys()
    assert all(row["settings"]["learning_rate"] > 0 for row in results["rows"])
    assert all(DEFECTS[name].title in printed for name in DEFECTS)
    assert (tmp_path / "out" / "page.html").is_file()
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
