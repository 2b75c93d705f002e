"""A rank that fails ends all, within seconds: its error is printed, the exit code tells, and no process is left."""

import signal

import pytest

import functional_nn as fnn
from tests.mpi.running import Run, needs_mpi

pytestmark = needs_mpi

# on how many ranks, and what is printed, once: by the rank that fails, or by the first where all are told
FAULTS = {
    "layer": (4, "RuntimeError: a layer broke in the middle of a step"),
    "callback": (4, "ValueError: a callback failed"),
    "folder": (2, "FileNotFoundError: [Errno 2] fit: epoch 3 cannot be kept"),
    "arguments": (2, "rank 1 was given other arguments than rank 0:\n  seed.0: 1 given, 0 on rank 0"),
    "exit": (2, "SystemExit: an image is missing"),
    "first call": (2, "ValueError: data_parallel: x has 2200 examples, targets 7"),
    "first fit": (2, "ValueError: fit: batch_size is 0"),
    "first prediction": (2, "TypeError: predict: x is a list"),
    "first evaluation": (2, "TypeError: evaluate: loss is 'loss'"),
    "first statistics": (2, "ValueError: statistics: x has 0 examples"),
    "between": (2, "ValueError: between two calls"),
    "at the end": (2, "ValueError: after all calls"),
}
OF_ALL = ("callback", "folder", "arguments", "first fit")
REPORTS = {"layer": {1: ["a line that nobody has flushed"]}, "at the end": {0: ["done"]}}


@pytest.mark.parametrize("way", FAULTS)
def test_the_error_of_one_rank_is_printed_and_ends_all(way, tmp_path):
    ranks, message = FAULTS[way]
    outcome = Run(ranks, "faults", way, tmp_path).ended()
    assert outcome.code == 1
    assert message in outcome.error
    assert f"rank {0 if way in OF_ALL else 1} of {ranks} failed, and ends the others:\nTraceback" in outcome.error
    assert outcome.error.count(" failed, and ends the others:") == 1
    assert "line" in outcome.error.split(message)[0]  # a traceback
    assert outcome.reports == REPORTS.get(way, {})


def test_a_rank_that_is_killed_ends_all(tmp_path):
    outcome = Run(2, "faults", "killed", tmp_path).ended()
    assert outcome.code == 9
    assert "Killed (signal 9)" in outcome.printed
    assert outcome.reports == {}


def test_an_interrupt_ends_all_and_the_checkpoint_holds_the_last_epoch(tmp_path):
    run = Run(2, "faults", "interrupt", tmp_path)
    assert run.process.stderr is not None
    for line in run.process.stderr:
        if line.startswith("epoch 4/"):
            break
    run.process.send_signal(signal.SIGINT)
    outcome = run.ended()
    assert outcome.code == 1
    assert f"go on by the same call again: its checkpoint is {tmp_path / 'run.npz'}" in outcome.error
    assert outcome.error.count("functional_nn.training.fit.Interrupted: training was interrupted after ") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]
    assert len(fnn.load(tmp_path / "run.npz").history) >= 3


def test_mpi4py_ends_all_where_a_rank_fails_before_its_first_call(tmp_path):
    outcome = Run(2, "faults", "before", tmp_path, by=("-m", "mpi4py")).ended()
    assert outcome.code == 1
    assert "ValueError: before the first call" in outcome.error
    assert outcome.reports == {}
