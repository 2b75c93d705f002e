"""`functional-nn train --processes`: the same network from any number of processes, and no process that stays."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import functional_nn as fnn
from functional_nn.cli import fitted
from functional_nn.cli.run_record import RunRecord
from functional_nn.parallel import Processes
from tests.cli.conftest import QUICK, Run, assert_same_network, interrupted, names

pytestmark = pytest.mark.skipif(not hasattr(socket, "send_fds"), reason="there are no such processes here")

Started = list[tuple[int, int]]
SHARED = (*QUICK, "--chunk", "2")  # four chunks a batch
LONG = (*QUICK[:4], "--epochs", "150", "--patience", "0", "--chunk", "2")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    """Return a list that gets, of each start of processes, their number and how often `fit` lets them train."""
    starts: Started = []

    class Counted(Processes):
        def __enter__(self) -> Processes:
            starts.append((self.size, 0))
            return super().__enter__()

        def beside(self, *arguments: object):
            starts[-1] = (self.size, starts[-1][1] + 1)
            return super().beside(*arguments)

    monkeypatch.setattr(fitted, "processes", Counted)
    return starts


def test_any_number_of_processes_and_of_their_threads_gives_the_same_network(
    pets: Path, run: Run, started: Started
) -> None:
    for n in (1, 2, 4):
        assert run("train", pets, "--out", f"{n}.npz", *SHARED, "--processes", n).code == 0
    assert run("train", pets, "--out", "threads.npz", *SHARED, "--processes", 2, "--workers", 2).code == 0
    assert started == [(2, 1), (4, 1), (2, 1)]
    for other in ("2.npz", "4.npz", "threads.npz"):
        assert_same_network(Path("1.npz"), Path(other))
        assert fnn.load(other).about["settings"] == fnn.load("1.npz").about["settings"]
    assert run("train", pets, "--out", "whole.npz", *QUICK).code == 0
    with pytest.raises(AssertionError):
        assert_same_network(Path("1.npz"), Path("whole.npz"))  # else the chunks were not added up at all


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (4, 2)])
def test_an_interrupted_run_goes_on_with_another_number_of_processes(
    before: int, after: int, pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch, started: Started
) -> None:
    assert run("train", pets, "--out", "whole.npz", *SHARED).code == 0
    command = ("train", pets, "--out", "pets.npz", *SHARED, "--processes")
    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "write", on_second_call(press_ctrl_c, RunRecord.write))
        ran = run(*command, before)
    assert ran.code == 130
    kept = "2 of 3 epochs are kept in pets.checkpoint.npz; the same command goes on from there"
    assert ran.err.splitlines()[-1] == f"functional-nn: interrupted: {kept}"
    assert "processes" not in Path("pets.checkpoint.json").read_text()
    started.clear()
    ran = run(*command, after)
    assert ran.code == 0, ran.err
    assert "going on after 2 of 3 epochs" in ran.out
    assert started == [(after, 1)] * (after > 1)  # once, and not to compare the checkpoint
    assert_same_network(Path("whole.npz"), Path("pets.npz"))


def test_an_interrupted_run_with_another_chunk_is_another_run(
    pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(monkeypatch, run, "train", pets, "--out", "pets.npz", *SHARED)
    assert "  --chunk: 4 given, 2 in the file" in run("train", pets, "--out", "pets.npz", *QUICK, "--chunk", 4).err
    assert "  --chunk: none given, 2 in the file" in run("train", pets, "--out", "pets.npz", *QUICK).err


@pytest.mark.parametrize(
    ("how", "send"),
    [("SIGINT", "kill"), ("SIGINT", "killpg"), ("SIGTERM", "kill"), ("SIGKILL", "kill")],  # killpg: as a terminal does
)
def test_a_command_that_is_ended_leaves_no_process_and_goes_on_from_its_epochs(
    how: str, send: str, pets: Path, run: Run
) -> None:
    command = ["train", str(pets), "--out", "pets.npz", *LONG, "--processes", "4"]
    with subprocess.Popen(
        [sys.executable, "-m", "functional_nn", *command], stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        assert child.stderr is not None
        while "epoch 2/" not in (line := child.stderr.readline()):
            assert line, "the child ended before its second epoch"
        getattr(os, send)(child.pid, signal.Signals[how])
        _, said = child.communicate(timeout=60)  # its end comes when no process holds the stream any more
    if how == "SIGINT":
        assert child.returncode == 130
        assert " of 150 epochs are kept in pets.checkpoint.npz; the same command goes on" in said.splitlines()[-1]
    else:
        assert child.returncode == -signal.Signals[how]
    ran = run(*command[:-1], 2)
    assert ran.code == 0, ran.err
    assert "going on after " in ran.out
    assert names() == {"pets", "pets.npz", "pets.html"}


def test_a_process_that_is_killed_ends_the_command_in_a_line_with_the_cause(
    pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Processes] = []

    def noted(n: int) -> Processes:
        opened.append(Processes(n))
        return opened[-1]

    monkeypatch.setattr(fitted, "processes", noted)
    with monkeypatch.context() as patch:
        patch.setattr(RunRecord, "write", on_second_call(lambda *_: opened[0]._helpers[-1].kill(), RunRecord.write))
        ran = run("train", pets, "--out", "pets.npz", *SHARED, "--processes", 4)
    assert ran.code == 2
    cause = "process 3 of 4 was killed by SIGKILL; the others have ended, too"
    kept = "2 of 3 epochs are kept in pets.checkpoint.npz; the same command goes on from there"
    assert ran.err.splitlines()[-1] == f"functional-nn: error: {cause}; {kept}"
    assert "Traceback" not in ran.err
    assert opened[0]._helpers == []
    assert run("train", pets, "--out", "pets.npz", *SHARED, "--processes", 4).code == 0


def test_divergence_is_told_as_on_threads(pets: Path, run: Run) -> None:
    wild = ("--learning-rate", "1e30", "--weight-decay", "0")
    one, two = (run("train", pets, "--out", f"{n}.npz", *SHARED, *wild, "--processes", n) for n in (1, 2))
    assert one == two
    assert one.code == 2


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ("--processes", 2),
            "a batch of 8 is not cut, so that only the validation is shared out: give --chunk 4 to cut it",
        ),
        (
            ("--processes", 8, "--chunk", 4),
            "a batch of 8 is cut into 2 chunks, so that 6 processes have no part in it: "
            "give --chunk 1 to cut it further",
        ),
        (
            ("--processes", 4, "--chunk", 3, "--batch-size", 7),
            "a batch of 7 is cut into 3 chunks, so that 1 process has no part in it: give --chunk 1 to cut it further",
        ),
        (
            ("--processes", 4, "--chunk", 1, "--batch-size", 5),  # two, two, one, none
            "a batch of 5 is cut into 5 chunks, so that 1 process has no part in it",
        ),
        (("--processes", 2, "--batch-size", 1), "a batch of 1 is not cut, so that only the validation is shared out"),
        (("--processes", 2, "--chunk", 4), None),
        (("--processes", 2, "--chunk", 1), None),
        (("--processes", 1), None),
    ],
)
def test_processes_without_a_chunk_are_told_with_what_to_do(
    options: tuple[object, ...], line: str | None, pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitted, "processes", press_ctrl_c)  # it is told before they start
    monkeypatch.setattr(fitted, "fit", press_ctrl_c)
    told = [text for text in run("train", pets, "--out", "a.npz", *QUICK, *options).out.splitlines() if "--pro" in text]
    assert told == ([] if line is None else [f"--processes {options[1]}: {line}"])


@pytest.mark.parametrize("lacking", ["package", "system"])
def test_where_processes_cannot_start_it_is_told_in_a_line_before_the_data_are_read(
    lacking: str, pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    if lacking == "package":
        monkeypatch.setitem(sys.modules, "cloudpickle", None)
        message = (
            "--processes 2 needs cloudpickle, which is not installed: "
            "run pip install -e '.[processes]' in a clone of functional_nn"
        )
    else:
        monkeypatch.delattr(socket, "send_fds")
        message = (
            "--processes 2: this system passes no descriptors between processes: "
            "leave it out, and training runs on threads"
        )
    with monkeypatch.context() as patch:
        patch.setattr("functional_nn.data.load", lambda *_: pytest.fail("the data were read"))
        ran = run("train", pets, "--out", "pets.npz", *SHARED, "--processes", 2)
    assert (ran.code, ran.err) == (2, f"functional-nn: error: {message}\n")
    assert names() == {"pets"}
    assert run("train", pets, "--out", "pets.npz", *SHARED, "--processes", 1).code == 0


def test_the_help_says_what_to_expect(run: Run) -> None:
    text = " ".join(run("train", "--help").out.split())
    assert "--processes N share out each batch among N processes" in text
    assert "A network depends on --chunk, in its last bits, but not on --processes and --workers" in text


def on_second_call(act: Callable[..., None], usual: Callable[..., None]) -> Callable[..., None]:
    """Return a function that does the usual, and after its second call acts, too."""
    calls: list[int] = []

    def called(*arguments: object) -> None:
        usual(*arguments)
        calls.append(1)
        if len(calls) == 2:
            act(*arguments)

    return called


def press_ctrl_c(*arguments: object) -> None:
    raise KeyboardInterrupt
