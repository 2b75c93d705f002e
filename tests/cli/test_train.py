"""`functional-nn train`: what it writes, what it refuses before any work, and how it goes on after Ctrl-C."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import functional_nn as fnn
from functional_nn.cli import main
from tests.cli.conftest import QUICK, Run, save_pictures

CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from functional_nn.cli import main
sys.exit(main(sys.argv[1:]))
"""


def names(folder: Path = Path()) -> set[str]:
    return {path.name for path in folder.iterdir()}


def assert_same_network(a: Path, b: Path) -> None:
    one, two = fnn.load(a), fnn.load(b)
    assert (one.model, one.transform, one.classes, one.loss) == (two.model, two.transform, two.classes, two.loss)
    for x, y in zip(fnn.tree.leaves(one.params), fnn.tree.leaves(two.params), strict=True):
        np.testing.assert_array_equal(x, y)


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


def test_an_interrupted_run_goes_on_by_the_same_command_to_the_same_network(pets: Path, run: Run) -> None:
    options = [*QUICK[:4], "--epochs", "150", "--patience", "0"]
    assert main(["train", str(pets), "--out", "whole.npz", *options]) == 0
    command = ["train", str(pets), "--out", "pets.npz", *options]
    with subprocess.Popen([sys.executable, "-c", CHILD, *command], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        while "epoch 2/" not in (line := child.stderr.readline()):
            assert line, "the child ended before its second epoch"
        child.send_signal(signal.SIGINT)
        *_, last = child.stderr.read().splitlines()
        assert child.wait(60) == 130
    done = int(last.split(" of 150")[0].rpartition(" ")[2])
    assert 1 <= done < 150  # the second may not have been written yet
    kept = "150 epochs are kept in pets.checkpoint.npz; the same command goes on from there"
    assert last == f"functional-nn: interrupted: {done} of {kept}"
    assert {"pets.checkpoint.npz", "pets.best.npz"} <= names()
    assert "pets.npz" not in names()
    ran = run(*command)
    assert ran.code == 0, ran.err
    assert f"going on after {done} of 150 epochs, kept in pets.checkpoint.npz" in ran.out
    assert f"epoch {done}/" not in ran.err
    assert names() == {"pets", "whole.npz", "whole.html", "pets.npz", "pets.html"}
    assert_same_network(Path("whole.npz"), Path("pets.npz"))


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such locks")
def test_a_second_run_into_the_same_file_is_refused_while_the_first_is_at_work(pets: Path, run: Run) -> None:
    first = ["train", str(pets), "--out", "pets.npz", *QUICK[:4], "--epochs", "2000", "--patience", "0"]
    with subprocess.Popen([sys.executable, "-c", CHILD, *first], stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        while "epoch 2/" not in (line := child.stderr.readline()):
            assert line, "the child ended before its second epoch"
        for out in ("pets.npz", "pets.safetensors"):
            ran = run("train", pets, "--out", out, *QUICK, "--seed", 5, "--force")
            assert ran.code == 2
            assert f"--out {out}: another run is writing it: wait for its end, or name another --out" in ran.err
        child.send_signal(signal.SIGINT)
        child.stderr.read()
    assert names() == {"pets", "pets.checkpoint.npz", "pets.checkpoint.json", "pets.best.npz"}
    Path(".pets.lock").touch()  # that of a run that was killed
    assert run("train", pets, "--out", "pets.npz", *QUICK, "--force").code == 0
    assert names() == {"pets", "pets.npz", "pets.html"}


def interrupted(monkeypatch: pytest.MonkeyPatch, run: Run, *command: object) -> None:
    """Run a command line up to the end of training, and press Ctrl-C there."""
    with monkeypatch.context() as patch:
        patch.setattr("functional_nn.cli.run.scores_of", press_ctrl_c)
        ran = run(*command)
    assert ran.code == 130
    assert "the same command goes on from there" in ran.err


def press_ctrl_c(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_before_the_first_epoch_leaves_nothing(
    pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("functional_nn.data.load", press_ctrl_c)
    ran = run("train", pets, "--out", "pets.npz", *QUICK)
    assert (ran.code, ran.err) == (
        130,
        "functional-nn: interrupted: no epoch had ended; the same command begins again\n",
    )
    assert names() == {"pets"}


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


def test_a_run_that_was_to_replace_a_network_goes_on_with_force_and_without(
    net: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for again in ((), ("--force",)):
        command = ("train", "pets", "--out", net, *QUICK, "--seed", len(again) + 1)
        interrupted(monkeypatch, run, *command, "--force")
        ran = run(*command, *again)
        assert ran.code == 0
        assert "going on after 3 of 3 epochs" in ran.out
        assert fnn.load(net).about["settings"]["seed"] == len(again) + 1


def test_the_checkpoint_of_another_run_is_kept_unless_force_is_given(
    pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(monkeypatch, run, "train", pets, "--out", "pets.npz", *QUICK)
    kept = Path("pets.checkpoint.npz").read_bytes()
    other = ("train", pets, "--out", "pets.npz", *QUICK, "--batch-size", 16)
    ran = run(*other)
    assert ran.code == 2
    assert ran.err.splitlines() == [
        "functional-nn: error: pets.checkpoint.npz: this is the checkpoint of another run:",
        "  --batch-size: 16 given, 8 in the file",
        "give the options of that run to go on, --force to begin anew, or another --out",
    ]
    assert "going on" not in ran.out
    assert Path("pets.checkpoint.npz").read_bytes() == kept
    ran = run(*other, "--force")
    assert ran.code == 0
    assert "beginning anew: pets.checkpoint.npz cannot be gone on from" in ran.out
    assert fnn.load("pets.npz").about["settings"]["batch_size"] == 16


def test_new_pictures_are_another_run(pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("train", pets, "--out", "pets.npz", *QUICK)
    interrupted(monkeypatch, run, *command)
    save_pictures(pets / "cat", 20, 60, seed=1)
    ran = run(*command)
    assert ran.code == 2
    assert "  DATA: the pictures are others than before: image folders in pets, with 32 training" in ran.err
    save_pictures(pets / "cat" / "more", 20, 60, seed=2)
    assert "  DATA: image folders in pets, with 48 training" in run(*command).err


def test_options_changed_after_an_interrupt_are_told_by_their_names(
    pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", pets, "--out", "pets.npz", *QUICK)
    interrupted(monkeypatch, run, *command)
    changed = {"--epochs": (4, 3), "--learning-rate": (0.5, 0.002), "--shift": (2, 1), "--seed": (7, 0)}
    options = [part for name, (given, _) in changed.items() for part in (name, given)]
    lines = run(*command, "--no-flip", *options).err.splitlines()
    expected = {f"  {name}: {given} given, {kept} in the file" for name, (given, kept) in changed.items()}
    assert set(lines[1:-1]) == {*expected, "  --flip: no given, yes in the file"}
    assert "  --size: 12 given, 8 in the file" in run(*command, "--size", 12).err
    Path("pets.checkpoint.json").unlink()
    assert "  optimizer.learning_rate.rate: 0.5 given" in run(*command, "--learning-rate", 0.5).err
    assert run(*command, "--patience", 4).code == 0
    assert names() == {"pets", "pets.npz", "pets.html"}


def test_a_best_epoch_that_was_removed_is_told(pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("train", pets, "--out", "pets.npz", *QUICK)
    interrupted(monkeypatch, run, *command)
    Path("pets.best.npz").unlink()
    assert "pets.best.npz is missing: the best epoch is sought from epoch 3 on" in run(*command).out


def test_an_option_that_does_not_fit_removes_nothing_with_force(
    pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("train", pets, "--out", "pets.npz", *QUICK)
    interrupted(monkeypatch, run, *command)
    before = names()
    ran = run(*command, "--force", "--shift", 8)
    assert ran.code == 2
    assert "beginning anew" not in ran.out
    assert names() == before
    assert "going on after 3 of 3 epochs" in run(*command).out


def test_a_damaged_checkpoint_is_told_and_force_begins_anew(pets: Path, run: Run) -> None:
    Path("pets.checkpoint.npz").write_bytes(b"PK\3\4 no more")
    command = ("train", pets, "--out", "pets.npz", *QUICK)
    ran = run(*command)
    assert ran.code == 2
    assert "pets.checkpoint.npz: truncated" in ran.err
    assert ran.err.splitlines()[-1] == "give --force to begin anew, or another --out"  # no options can repair it
    assert run(*command, "--force").code == 0


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--model", "small_resnet", "--size", "10"), "small_resnet needs a --size that 4 divides, not 10: give 12"),
        (("--model", "lenet5_1998"), "made for ten classes, the digits, and images of 32x32x1"),
        (("--model", "lenet5", "--size", "8"), "lenet5"),
        (("--shift", "8", "--size", "8"), "8 pixels would shift a 8x8 image out of sight"),
        (("--batch-size", "100000"), "--batch-size 100000: there are 32 training images: give 32 at most"),
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
