"""LeNet-5 on small images: the plain structure, test images read once, and a run that is not repeated."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import functional_nn as fnn
from experiments import mnist, mnist_trials
from experiments.mnist_trials import Trial, held_out
from experiments.running.training import train
from experiments.single import whole
from functional_nn import data, tree
from tests.experiments.parsed import read

TINY = ("--epochs", "1", "--seeds", "2")


def test_the_network_is_the_plain_lenet5():
    params = mnist.LENET5.network(classes=10).init(np.random.default_rng(0), (32, 32, 1))
    assert {name: entry["w"].shape for name, entry in params.items()} == {
        "c1": (5, 5, 1, 6), "c3": (5, 5, 6, 16), "f5": (400, 120), "f6": (120, 84), "f7": (84, 10),
    }  # fmt: skip
    assert tree.size(params) == 61_706


def test_training_reads_no_test_image():
    splits = {part: pair for part, pair in data.digits().items() if part != "test"}
    row = mnist.row_of(epochs=1)
    assert train(row, splits, seed=0, threads=1).history[0]["val_accuracy"] > 0.1


def test_a_run_gives_table_results_and_page_and_is_not_repeated(tmp_path, capsys):
    arguments = ["--data", "digits", "--out", str(tmp_path / "out"), *TINY]
    mnist.main(arguments)
    first = capsys.readouterr().out
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    (row,) = results["rows"]
    assert row["test"] == np.mean([record["test"] for record in row["seeds"]])
    assert row["parameters"] == 61_706
    assert f"{row['test']:.4f} ± {row['test_sd']:.4f}" in first
    assert {"data", "seeds", "packages", "commit", "machine", "seconds"} <= results.keys()
    page = read(tmp_path / "out" / "page.html")
    assert [len(figure.drawings) for figure in page.figures] == [0, 4, 2, 2, 2, 2]
    networks = {file.name: file.read_bytes() for file in (tmp_path / "out" / "networks").iterdir()}
    assert set(networks) == {"lenet5_silu-seed-0.npz", "lenet5_silu-seed-1.npz"}
    mnist.main(arguments)
    assert "2 of 2 runs are finished already" in capsys.readouterr().out
    assert networks == {file.name: file.read_bytes() for file in (tmp_path / "out" / "networks").iterdir()}


def test_networks_that_train_on_the_validation_images_show_the_test_images_alone(tmp_path, capsys):
    mnist.main(["--data", "digits", "--out", str(tmp_path / "whole"), *TINY])
    printed = capsys.readouterr().out
    (row,) = json.loads((tmp_path / "whole" / "results.json").read_text(encoding="utf-8"))["rows"]
    splits = data.digits()
    assert {"val", "val_sd", "val_test"} & row.keys() == set()
    assert all(entry["val_accuracy"] is None for record in row["seeds"] for entry in record["history"])
    assert "seed              train             test              seconds" in printed
    assert "of its mean over seeds" in printed
    assert "val + test" not in (tmp_path / "whole" / "page.html").read_text(encoding="utf-8")
    mnist.main(["--data", "digits", "--out", str(tmp_path / "held"), "--hold-out", "--epochs", "1", "--seeds", "1"])
    (row,) = json.loads((tmp_path / "held" / "results.json").read_text(encoding="utf-8"))["rows"]
    assert {"val", "val_test"} <= row.keys()
    assert row["seeds"][0]["history"][0]["val_accuracy"] == row["val"]
    assert ", one seed; 61,706 parameters" in capsys.readouterr().out
    assert len(whole(dict(splits.items()))["train"][0]) == len(splits.train[0]) + len(splits.val[0])


def test_trials_hold_out_a_sixth_of_all_training_images_and_read_no_test_image(tmp_path, capsys, monkeypatch):
    splits = dict(data.digits().items())
    parts = held_out(splits)
    n = len(splits["train"][0]) + len(splits["val"][0])
    assert parts.keys() == {"train", "val"}
    assert [len(parts[part][0]) for part in ("train", "val")] == [n - n // 6, n // 6]
    np.testing.assert_array_equal(parts["val"][0][-1], splits["val"][0][-1])
    trials = (
        Trial({"epochs": 2}, 0, reached=0.25),
        Trial({"epochs": 2, "average": 0.99}, 0, smoothing=0.1),
    )
    monkeypatch.setattr(mnist_trials, "TRIALS", trials)
    mnist.main(["--data", "digits", "--out", str(tmp_path), "--trials"])
    plain, averaged = json.loads((tmp_path / "trials.json").read_text(encoding="utf-8"))["rows"]
    printed = capsys.readouterr().out
    assert f"{plain['reached']:.4f} (recorded 0.2500), last parameters {plain['last']:.4f}: epochs 2, seed 0" in printed
    assert averaged["changes"] == "epochs 2, average 0.99, smoothing 0.1"
    assert plain["reached"] == plain["last"]
    assert averaged["reached"] != averaged["last"]
    assert not {"test", "test_loss"} & {*plain, *averaged}


def test_options_that_the_trials_do_not_follow_are_refused(tmp_path, capsys):
    for option in (["--model", "lenet5_1998"], ["--epochs", "3"], ["--seeds", "5"], ["--seed", "1"], ["--hold-out"]):
        with pytest.raises(SystemExit):
            mnist.main(["--data", "digits", "--out", str(tmp_path), "--trials", *option])
        assert f"of their own: leave out {option[0]}" in capsys.readouterr().err


def test_the_recorded_trials_are_settings_that_can_be_trained():
    for trial in mnist_trials.TRIALS:
        row = trial.as_row(mnist.LENET5)
        assert row.loss.call.name == ("cross_entropy" if trial.smoothing else "softmax_cross_entropy")
        assert 0.99 < trial.reached < 1.0, trial
    best = max(mnist_trials.TRIALS, key=lambda trial: trial.reached)
    assert best.as_row(mnist.LENET5).settings == mnist.SETTINGS


def test_a_network_survives_its_run(tmp_path, capsys):
    """The line that the command prints at its end classifies image files by name."""
    out, data_set = tmp_path / "out", data.digits()
    mnist.main(["--data", "digits", "--out", str(out), "--epochs", "2", "--seeds", "1"])
    (row,) = json.loads((out / "results.json").read_text(encoding="utf-8"))["rows"]
    file, (images, labels) = out / "networks" / "lenet5_silu-seed-0.npz", data_set.test
    network = fnn.load(file)
    assert (network.predict(images).argmax(axis=1) == labels).mean() == row["test"] == network.about["test"]
    assert network.classes == data_set.classes
    assert network.about["command"].startswith("python -m experiments.mnist --data digits --out ")
    assert network.about["data"].startswith(data_set.description)
    assert network.about["seed"] == 0
    Image.fromarray(images[0, :, :, 0]).save(tmp_path / "image.png")
    assert capsys.readouterr().out.endswith(f"  fnn.load({str(file)!r}).classify(['image.png'])\n")
    assert network.classify([tmp_path / "image.png"]) == network.classify(images[:1])


def test_data_must_be_given(capsys):
    with pytest.raises(SystemExit):
        mnist.main([])
    assert "--data" in capsys.readouterr().err


def test_one_epoch_of_mnist_reaches_ninety_seven_percent(real_data, tmp_path):
    mnist.main(["--data", str(real_data("mnist")), "--out", str(tmp_path), "--epochs", "1", "--seeds", "1"])
    (row,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    assert row["test"] > 0.97


def test_lenet5_of_1998_is_trained_by_its_own_loss(tmp_path, capsys):
    mnist.main(["--data", "digits", "--out", str(tmp_path), "--model", "lenet5_1998", "--epochs", "3", "--seeds", "1"])
    (row,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    assert row["parameters"] == 60_000
    assert row["test"] > 0.5  # far above chance: the smallest penalty is the answer


def test_lenet5_of_1998_knows_ten_digits_only():
    with pytest.raises(ValueError, match="ten outputs, one a digit; the data have 50 classes"):
        mnist.lenet5_1998(50)
