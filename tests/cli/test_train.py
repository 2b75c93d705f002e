"""`functional-nn train`: what it writes, and what it refuses before any work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import functional_nn as fnn
from tests.cli.conftest import QUICK, Run, names


def test_the_network_and_its_page_are_written_and_nothing_else_stays(pets: Path, run: Run) -> None:
    ran = run("train", pets, "--out", "new/folder/pets.npz", *QUICK)
    assert ran.code == 0
    assert names(Path("new/folder")) == {"pets.npz", "pets.html"}
    assert "image folders in pets, with 32 training, 4 validation and 4 test images of 8x8x3 in 2 classes" in ran.out
    assert "perceptron: 12,482 parameters; at most 3 epochs, batches of 8" in ran.out
    assert "test: 4 of 4 images are right: 100.0% (95 % interval 51.0% to 100.0%)" in ran.out
    assert "epoch 3/3" in ran.err


def test_the_file_holds_all_that_prediction_needs_and_how_it_came_about(net: Path) -> None:
    network = fnn.load(net)
    assert isinstance(network, fnn.Trained)
    assert (network.classes, network.input_shape) == (("cat", "dog"), (8, 8, 3))
    assert network.model == fnn.models.two_layer_perceptron(classes=2)
    assert network.loss == fnn.losses.softmax_cross_entropy
    splits = fnn.data.load("pets", 8)
    assert network.transform == fnn.data.standardize(splits.train[0])
    about = network.about
    assert about["data"] == splits.description
    assert about["settings"] | {"model": "perceptron", "epochs": 3, "shift": 1, "flip": True} == about["settings"]
    assert about["epochs"] == len(about["history"]) == 3
    assert about["versions"].keys() == {"functional_nn", "numpy", "python"}
    assert about["test"]["accuracy"] == (network.predict(splits.test[0]).argmax(1) == splits.test[1]).mean()
    best = min(about["history"], key=lambda record: record["val_loss"])
    assert about["best_epoch"] == best["epoch"]
    loss = fnn.evaluate(network.model, network.params, *splits.val, loss=network.loss, transform=network.transform)
    assert loss["loss"] == best["val_loss"] == about["validation"]["loss"]


def test_training_ends_where_the_validation_loss_no_longer_falls(pets: Path, run: Run) -> None:
    options = (*QUICK[:4], "--epochs", "40", "--learning-rate", "0.5")  # so large that it soon gets worse
    assert run("train", pets, "--out", "a.npz", *options, "--patience", "2").code == 0
    assert run("train", pets, "--out", "b.npz", *options, "--patience", "0").code == 0
    early, late = (fnn.load(name).about for name in ("a.npz", "b.npz"))
    assert early["epochs"] == early["best_epoch"] + 2 < late["epochs"] == 40
    assert early["history"][-1]["val_loss"] == late["history"][early["epochs"] - 1]["val_loss"]


def test_a_network_that_exists_is_not_replaced_without_force(net: Path, run: Run) -> None:
    before = net.read_bytes()
    ran = run("train", "pets", "--out", net, *QUICK, "--seed", 1)
    assert ran.code == 2
    assert ran.err == "functional-nn: error: pets.npz exists: name another --out, or give --force to replace it\n"
    assert net.read_bytes() == before
    assert run("train", "pets", "--out", net, *QUICK, "--seed", 1, "--force").code == 0
    assert fnn.load(net).about["settings"]["seed"] == 1


@pytest.mark.parametrize("name", ["pets.html", "pets.best.npz", "pets.checkpoint.npz"])
def test_files_of_ones_own_that_the_run_would_write_are_kept_without_force(name: str, pets: Path, run: Run) -> None:
    fnn.save("own.npz", {"w": 1.0})
    Path("own.npz").rename(name)
    before = Path(name).read_bytes()
    ran = run("train", pets, "--out", "pets.npz", *QUICK)
    assert ran.code == 2
    assert name in ran.err
    assert "--force" in ran.err
    assert Path(name).read_bytes() == before


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("pets", "--out pets: expected a name that ends in .npz or .safetensors"),
        (".npz", "--out .npz: expected a name that ends in"),
        ("pets/cat/0.png/pets.npz", "pets/cat/0.png"),
        ("folder.npz", "folder.npz: this is a directory"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_the_data_are_read(
    out: str, message: str, pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("folder.npz").mkdir()
    monkeypatch.setattr("functional_nn.data.load", lambda *_: pytest.fail("the data were read"))
    ran = run("train", pets, "--out", out, *QUICK)
    assert ran.code == 2
    assert ran.err.startswith("functional-nn: error: ")
    assert message in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "small_resnet", "--size", "10"), "small_resnet needs a --size that 4 divides, not 10: give 12"),
        (("--model", "lenet5_1998"), "made for ten classes, the digits, and images of 32x32x1"),
        (("--model", "lenet5", "--size", "8"), "lenet5"),
        (("--shift", "8", "--size", "8"), "8 pixels would shift a 8x8 image out of sight"),
        (("--batch-size", "100000"), "--batch-size 100000: there are 32 training images: give 32 at most"),
        (("--chunk", "5", "--batch-size", "4"), "--chunk 5: a batch has 4 images: give 4 at most"),
        (("--chunk", "0"), "--chunk: '0': expected a whole number from 1"),
        (("--processes", "3"), "--processes: '3': expected a power of two from 1 to 256"),
        (("--processes", "0"), "--processes: '0': expected a power of two from 1 to 256"),
        (("--processes", "-2"), "--processes: '-2': expected a power of two from 1 to 256"),
        (("--processes", "two"), "--processes: 'two': expected a power of two from 1 to 256"),
        (("--processes", "512"), "--processes: '512': expected a power of two from 1 to 256"),
        (("--cache", ""), "--cache: '': expected the name of a file or a folder"),
        (("--epochs", "0"), "--epochs: '0': expected a whole number from 1"),
        (("--learning-rate", "nan"), "--learning-rate: 'nan': expected a number above 0"),
        (("--weight-decay", "-1"), "--weight-decay: '-1': expected a number that is not negative"),
        (("--epoch", "3"), "unrecognized arguments: --epoch 3"),
    ],
)
def test_options_that_do_not_fit_are_told_in_a_line(
    options: tuple[str, ...], message: str, pets: Path, run: Run
) -> None:
    ran = run("train", pets, "--out", "pets.npz", *options)
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.startswith("functional-nn: error: ")
    assert ran.err.count("\n") == 1


def test_divergence_is_told_with_what_to_do(pets: Path, run: Run) -> None:
    ran = run("train", pets, "--out", "pets.npz", *QUICK, "--learning-rate", "1e30", "--weight-decay", "0")
    assert ran.code == 2
    assert "the loss is" in ran.err
    assert ran.err.endswith(": give a smaller --learning-rate\n")
    assert ".result" not in ran.err


def test_a_network_is_saved_as_safetensors(pets: Path, run: Run) -> None:
    pytest.importorskip("safetensors")
    assert run("train", pets, "--out", "pets.safetensors", *QUICK).code == 0
    assert run("classify", "pets.safetensors", pets / "cat" / "0.png").code == 0


def test_missing_safetensors_is_told_before_training(pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    ran = run("train", pets, "--out", "pets.safetensors", *QUICK)
    assert ran.code == 2
    assert ".[safetensors]" in ran.err
