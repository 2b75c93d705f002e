"""Scripts of this folder on several ranks of MPI: how they are started, and what each rank reports."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.mpi.report import REPORT

ROOT = Path(__file__).parents[2]
SECONDS = 120  # in which a run hangs; the longest takes 3 where the machine does nothing else
MARK = "FUNCTIONAL_NN_MPI_RUN"  # a variable by whose value the processes of a run are found


def mpiexec() -> str | None:
    """The program that starts ranks: the one beside this Python, else the system's."""
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


MISSING = " and ".join(
    [*([] if find_spec("mpi4py") else ["mpi4py"]), *([] if mpiexec() else ["mpiexec, a program of MPI,"])]
)
if os.environ.get("REQUIRE_MPI"):  # set by .ci/run, which must not pass where these tests are skipped
    assert not MISSING, f"{MISSING} not installed"
needs_mpi = pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} not installed: pip install -e '.[mpi]' mpich")


class Outcome(NamedTuple):
    """How a run ended."""

    code: int
    reports: dict[int, list[Any]]  # of each rank, in order
    error: str  # what all printed on standard error
    printed: str  # and on standard output, mpiexec too


class Run:
    """A script of this folder, as it runs on `ranks` ranks."""

    def __init__(self, ranks: int, script: str, *arguments: Any, by: tuple[str, ...] = ()) -> None:
        self.mark = uuid.uuid4().hex
        program = mpiexec()
        assert program is not None
        # for the tests of faults it counts that each rank runs the script itself, as a user's
        path = Path(__file__).parent / f"{script}.py"
        self.process = subprocess.Popen(
            [program, "-n", str(ranks), sys.executable, *by, str(path), *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {MARK: self.mark, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        )

    def ended(self) -> Outcome:
        """Wait for the end, after which no process of the run is left."""
        try:
            printed, error = self.process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            for process in [self.process.pid, *self.left()]:
                os.kill(process, signal.SIGKILL)
            printed, error = self.process.communicate()
            pytest.fail(f"the ranks hang; they printed\n{printed}\n{error}")
        until = time.monotonic() + SECONDS
        while self.left() and time.monotonic() < until:
            time.sleep(0.05)
        assert not self.left()
        reports: dict[int, list[Any]] = {}
        for line in printed.splitlines():
            if not line.startswith(REPORT):  # a word of mpiexec's own
                continue
            rank, report = json.loads(line.removeprefix(REPORT))
            reports.setdefault(rank, []).append(report)
        return Outcome(self.process.returncode, reports, error, printed)

    def left(self) -> list[int]:
        """The processes of this run, where the system tells of them."""
        wanted, found = f"{MARK}={self.mark}".encode(), []
        for environ in Path("/proc").glob("[0-9]*/environ"):
            try:
                if wanted in environ.read_bytes().split(b"\0"):
                    found.append(int(environ.parent.name))
            except OSError:  # another user's, or it has just ended
                continue
        return found


def run(ranks: int, script: str, *arguments: Any) -> dict[int, list[Any]]:
    """What the ranks of a run that ends well report."""
    outcome = Run(ranks, script, *arguments).ended()
    assert outcome.code == 0, outcome.error
    assert sorted(outcome.reports) == list(range(ranks)), outcome.error
    return outcome.reports
