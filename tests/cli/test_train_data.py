"""`functional-nn train` on data of all kinds, and on what is no data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import functional_nn as fnn
from tests.cli.conftest import QUICK, Run, assert_same_network, save_pictures


@pytest.mark.parametrize("out", ["kept.npz", "./kept.npz", "../{}/kept.npz"])
def test_the_run_does_not_overwrite_its_own_data(out: str, pets: Path, run: Run) -> None:
    out = out.format(Path.cwd().name)
    assert run("train", pets, "--out", "a.npz", "--cache", "kept.npz", *QUICK).code == 0
    before = Path("kept.npz").read_bytes()
    for arguments in (("kept.npz",), (pets, "--cache", "kept.npz")):
        ran = run("train", *arguments, "--out", out, "--force", *QUICK)
        assert ran.code == 2
        assert "is a file that this run writes: give another --out" in ran.err
    assert Path("kept.npz").read_bytes() == before
    assert run("train", "kept.npz", "--out", "b.npz", *QUICK).code == 0
    assert_same_network(Path("a.npz"), Path("b.npz"))


def test_validation_images_are_held_out_where_the_data_have_none(pets: Path, run: Run) -> None:
    splits = fnn.data.load(pets, 8)
    nothing = splits.train[0][:0], splits.train[1][:0]
    bare = fnn.data.Splits(splits.train, nothing, nothing, splits.classes, "bare")
    fnn.data.cached("bare.npz", "bare", lambda: bare)
    ran = run("train", "bare.npz", "--out", "pets.npz", *QUICK)
    assert ran.code == 0
    assert "test: there are no test images" in ran.out
    network = fnn.load("pets.npz")
    assert network.about["history"][0]["val_loss"] > 0
    assert network.about["test"] == {}
    assert "There are no test images" in Path("pets.html").read_text()
    assert run("evaluate", "pets.npz", "bare.npz").code == 2


def test_grey_pictures_are_trained_on_in_one_channel(pets: Path, run: Run) -> None:
    for picture in pets.glob("*/*.png"):
        Image.open(picture).convert("L").save(picture)
    ran = run("train", pets, "--out", "grey.npz", "--size", 16, "--epochs", 6, "--workers", 1)
    assert ran.code == 0
    assert "images of 16x16x3 in 2 classes, all of them grey\nlenet5: " in ran.out
    network = fnn.load("grey.npz")
    assert network.input_shape == (16, 16, 1)
    assert (network.about["settings"]["learning_rate"], network.about["settings"]["flip"]) == (6e-3, False)
    splits = fnn.data.load(pets, 16)
    Image.fromarray(splits.test[0][0]).save("three.png")  # grey in three channels
    Image.fromarray(splits.test[0][0][..., 0]).save("one.png")
    save_pictures(Path("colour"), 1, 60)
    answers = [
        *network.classify(["three.png", "one.png"]),
        *network.classify([splits.test[0][0], splits.test[0][0][..., :1]]),
    ]
    assert answers == [answers[0]] * 4
    assert run("classify", "grey.npz", "colour", "one.png").code == 0
    figures = json.loads(run("evaluate", "grey.npz", pets, "--json").out)
    assert figures["right"] == network.about["test"]["right"]
    assert figures["seen_in_training"] == 0
    ran = run("train", pets, "--out", "small.npz", "--size", 8, "--epochs", 1)
    assert "small_resnet: " in ran.out  # LeNet-5 needs 16 pixels
    assert fnn.load("small.npz").input_shape == (8, 8, 1)


def test_what_is_no_data_is_told_in_a_line(net: Path, run: Run) -> None:
    Path("empty").mkdir()
    Path("notes.txt").touch()
    saved = "pets.npz: holds what train wrote, a network or a checkpoint, and no pictures: name another"
    folder = "notes.txt is no folder that can be written (File exists): name another --out"
    np.savez("own.npz", x=np.zeros(2))
    cases = [
        (
            ("nowhere", "--out", "a.npz"),
            "nowhere: there is no such folder: give a folder that holds one folder of pict",
        ),
        (("empty", "--out", "a.npz"), "empty: there are no pictures in it: give a folder that holds"),
        (("notes.txt", "--out", "a.npz"), "notes.txt: this is a file: give a folder that holds"),
        ((net, "--out", "a.npz"), saved),
        (("pets", "--out", "a.npz", "--cache", net), saved),
        (("own.npz", "--out", "a.npz"), "own.npz: holds x.npy, expected splits that `cached` wrote: name another file"),
        (("pets", "--out", "notes.txt/a.npz"), f"--out notes.txt/a.npz: {folder}"),
        (
            ("pets", "--out", "a.npz", "--cache", "notes.txt/c.npz"),
            "notes.txt/c.npz: its folder cannot be made (File ex",
        ),
    ]
    for arguments, message in cases:
        ran = run("train", *arguments, *QUICK)
        assert ran.code == 2
        assert ran.err.startswith(f"functional-nn: error: {message}")
        assert ran.err.count("\n") == 1
    ran = run("classify", "nonet.npz", "pets")
    missing = "nonet.npz: there is no such file, expected one that functional-nn train wrote"
    assert (ran.code, ran.err) == (2, f"functional-nn: error: {missing}\n")


def test_all_broken_pictures_are_named_at_once(pets: Path, run: Run) -> None:
    pictures = sorted(pets.glob("*/*.png"))  # those of all three splits
    for picture in pictures:
        picture.write_bytes(b"broken")
    ran = run("train", pets, "--out", "pets.npz", *QUICK)
    assert ran.code == 2
    assert ran.err.startswith("functional-nn: error: 40 of 40 images cannot be used:\n")
    assert all(f": {picture} is no image" in ran.err for picture in pictures)


def test_so_few_pictures_that_none_can_be_held_out_are_told_with_the_number_needed(run: Run, tmp_path: Path) -> None:
    for folder in ("few", "parts/train", "parts/test"):
        for level, name in enumerate(("cat", "dog")):
            save_pictures(tmp_path / folder / name, 5, 60 + level)
        ran = run("train", tmp_path / folder.partition("/")[0], "--out", tmp_path / "few.npz", *QUICK)
        assert ran.code == 2
        assert ran.err.endswith("any class, the largest has 5: add examples, at least 6 in a class\n")


def test_digits_are_data(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    ran = run("train", "digits", "--out", "digits.npz", "--size", 16, "--epochs", 4, "--model", "perceptron")
    assert ran.code == 0
    assert fnn.load("digits.npz").about["settings"]["flip"] is False
    assert fnn.load("digits.npz").about["test"]["accuracy"] > 0.6
