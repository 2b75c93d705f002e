"""Whole steps on the ranks of MPI: `mpiexec -n P python -m mpi4py -m experiments.scaling.under_mpi POINTS FILE`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from experiments.scaling.measure import whole_step
from experiments.scaling.subjects import Point

MODULE = "experiments.scaling.under_mpi"


def mpiexec() -> str | None:
    """Return the path of MPI's launcher, which may stand beside the interpreter; None where there is none."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    return shutil.which("mpiexec", path=os.pathsep.join(places))


def on_mpi(ranks: int, points: Sequence[Point]) -> list[float]:
    """Return the seconds of a whole step at each point, on so many ranks of this machine.

    Raises `RuntimeError` where they fail; what they print goes to standard error.
    """
    launcher = mpiexec()
    assert launcher is not None  # as the command made sure
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "seconds.json"
        program = [sys.executable, "-m", "mpi4py", "-m", MODULE, json.dumps(points), str(file)]
        finished = subprocess.run([launcher, "-n", str(ranks), *program], stdout=sys.stderr, check=False)
        if finished.returncode:
            raise RuntimeError(f"mpiexec ended with exit code {finished.returncode}; its error stands above")
        return json.loads(file.read_text(encoding="utf-8"))


def _main(points: str, file: str) -> None:
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    taken = [whole_step(Point(*point), comm) for point in json.loads(points)]
    if comm.Get_rank() == 0:
        Path(file).write_text(json.dumps(taken), encoding="utf-8")


if __name__ == "__main__":
    _main(*sys.argv[1:])
