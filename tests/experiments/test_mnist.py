"""LeNet-5 on small images: the plain structure, test images read once, and a run that is not repeated."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import functional_nn as fnn
from experiments import mnist
from experiments.running.training import train
from functional_nn import data, tree

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
    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    assert "data:image/png;base64" in page
    assert 'src="http' not in page
    networks = {file.name: file.read_bytes() for file in (tmp_path / "out" / "networks").iterdir()}
    assert set(networks) == {"lenet5_silu-seed-0.npz", "lenet5_silu-seed-1.npz"}
    mnist.main(arguments)
    assert "2 of 2 runs are finished already" in capsys.readouterr().out
    assert networks == {file.name: file.read_bytes() for file in (tmp_path / "out" / "networks").iterdir()}


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
