"""`functional-nn train` after Ctrl-C, beside another run, and with other options than before."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

import functional_nn as fnn
from functional_nn.cli import main
from tests.cli.conftest import QUICK, Run, assert_same_network, interrupted, names, press_ctrl_c, save_pictures


def test_an_interrupted_run_goes_on_by_the_same_command_to_the_same_network(pets: Path, run: Run) -> None:
    options = [*QUICK[:4], "--epochs", "150", "--patience", "0"]
    assert main(["train", str(pets), "--out", "whole.npz", *options]) == 0
    command = ["train", str(pets), "--out", "pets.npz", *options]
    with subprocess.Popen(
        [sys.executable, "-m", "functional_nn", *command], stderr=subprocess.PIPE, text=True
    ) as child:
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
    with subprocess.Popen([sys.executable, "-m", "functional_nn", *first], stderr=subprocess.PIPE, text=True) as child:
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
