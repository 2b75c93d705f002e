"""Training that is killed at any instant leaves a whole file or none, and goes on from it to the same bits."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import tree
from tests.training.test_checkpoint_refuses import PARAMS, fit

EPOCHS, KILLS = 12, 50

# One process imports the library and forks the trainings: each is killed as a process of its own, and costs no start.
KILLER = """
import json, os, random, signal, sys, time
from pathlib import Path
from tests.training.test_checkpoint_refuses import PARAMS, fit

folder, epochs, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
instants = random.Random(0)

def training(path):
    process = os.fork()
    if process == 0:
        try:
            fit(path, params=PARAMS, epochs=epochs, workers=1)
            os._exit(0)
        finally:
            os._exit(1)
    return process

def ended(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

for name in ("first.npz", "whole.npz"):  # the first warms up
    began = time.perf_counter()
    assert ended(training(folder / name)) == 0
    duration = time.perf_counter() - began
report = []
while len(report) < kills:
    path = folder / f"{len(report)}.npz"
    process = training(path)
    time.sleep(instants.uniform(0.0, duration))
    os.kill(process, signal.SIGKILL)
    if ended(process) != -signal.SIGKILL:  # the disk was faster than before: the run had ended
        path.unlink()
        continue
    hidden = len(list(folder.glob(f".{path.name}.*")))
    if path.exists():
        path.with_suffix(".killed.npz").write_bytes(path.read_bytes())
    report.append({"hidden": hidden, "resumed": ended(training(path))})
print(json.dumps(report))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_fifty_kills_break_no_file_and_change_no_bit(tmp_path):
    command = [sys.executable, "-c", KILLER, str(tmp_path), str(EPOCHS), str(KILLS)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    whole = fnn.load(tmp_path / "whole.npz")
    assert len(whole.history) == EPOCHS
    epochs = []
    for i, row in enumerate(report):
        assert row["resumed"] == 0, run.stderr
        result = fnn.load(tmp_path / f"{i}.npz")
        tree.map(np.testing.assert_array_equal, (result.params, result.state), (whole.params, whole.state))
        assert [r | {"seconds": 0} for r in result.history] == [r | {"seconds": 0} for r in whole.history]
        killed = tmp_path / f"{i}.killed.npz"
        epochs.append(len(fnn.load(killed).history) if killed.exists() else 0)  # any epoch, and always a whole file
    assert len(report) == KILLS
    assert len(set(epochs)) > 3  # spread over the run
    assert sum(row["hidden"] for row in report) >= 1  # and some within the writing of the file
    assert not list(tmp_path.glob(".*"))  # what a killed writer left is removed by the next


# The instants at which a kill is most likely to do harm, one by one: `os.name` in place of the call that is reached.
AT = """
import os, signal, sys
from tests.training.test_checkpoint_refuses import PARAMS, fit

path, function, number, before = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "before"
real, calls = getattr(os, function), []

def killing(*arguments):
    calls.append(arguments)
    if len(calls) == number and before:
        os.kill(os.getpid(), signal.SIGKILL)
    result = real(*arguments)
    if len(calls) == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(os, function, killing)
fit(path, params=PARAMS, epochs=4, workers=1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL")
@pytest.mark.parametrize(
    ("function", "number", "when", "kept"),
    [
        ("fsync", 1, "before", None),  # the trial, before any epoch
        ("fsync", 2, "after", None),  # the first epoch: on the disk, but not yet under its name
        ("replace", 1, "after", 1),
        ("fsync", 4, "before", 2),  # the third epoch
        ("replace", 3, "before", 2),
        ("replace", 3, "after", 3),
    ],
)
def test_a_kill_around_each_step_of_a_write(function, number, when, kept, tmp_path):
    path = tmp_path / "run.npz"
    run = subprocess.run([sys.executable, "-c", AT, str(path), function, str(number), when], check=False)
    assert run.returncode == -9
    assert (len(fnn.load(path).history) if path.exists() else None) == kept
    assert len(list(tmp_path.glob(".*.unfinished"))) == (0 if (function, when) == ("replace", "after") else 1)
    result, whole = fit(path, params=PARAMS, epochs=4), fit(None, params=PARAMS, epochs=4)
    tree.map(np.testing.assert_array_equal, (result.params, result.state), (whole.params, whole.state))
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]
