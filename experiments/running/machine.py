"""This machine: its cores, the versions of what is installed, and how long a call takes."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from time import perf_counter
from typing import Any

from functional_nn.training import available_cores

PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-image", "pillow", "joblib", "dask", "matplotlib")
ROOT = Path(__file__).parents[2]


def seconds(call: Callable[[], Any], times: int, *, warmup: int = 0) -> list[float]:
    """Return the seconds that each of `times` calls takes, after `warmup` calls that are not timed."""
    for _ in range(warmup):
        call()
    taken = []
    for _ in range(times):
        began = perf_counter()
        call()
        taken.append(perf_counter() - began)
    return taken


def environment() -> dict[str, Any]:
    """Return the versions, the commit and the machine that figures were computed with."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "python": platform.python_version(),
        "packages": {name: number for name, number in versions.items() if number},
        "commit": _commit(),
        "machine": f"{platform.machine()}, {available_cores()} cores, {platform.system()} {platform.release()}",
    }


def processor() -> str:
    """Return the processor's name where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit that is checked out around this file, with a mark for changes; None without git."""
    if not (ROOT / ".git").exists():
        return None
    try:
        commit = _git("describe", "--always", "--abbrev=12", "--exclude=*")
        changed = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit}-dirty" if changed else commit


def _git(*words: str) -> str:
    """Return what git says; it writes nothing. (`describe --dirty` would, and leaves a lock where it cannot.)"""
    command = ["git", "--no-optional-locks", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
