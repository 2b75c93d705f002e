"""Finished runs on disk, each under a name that its full configuration gives, so that none is repeated."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import zipfile
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from joblib import cpu_count

import functional_nn as fnn

PACKAGES = ("numpy", "scipy", "scikit-learn", "scikit-image", "pillow", "joblib", "dask", "matplotlib")
HERE = Path(__file__).parents[1]


@dataclass(frozen=True)
class Outcome:
    """What a run gives: `record`, which JSON can hold, and `arrays` for what cannot be told in a few figures."""

    record: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


class Store:
    """A directory of finished runs: a JSON file and an .npz file of each.

    A run is found again only under an equal configuration; a half-written one is never found.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def find(self, name: str, configuration: dict[str, Any]) -> Outcome | None:
        """Return the finished run of this configuration, or None; raise `ValueError` where its files are damaged."""
        file = self._file(name, configuration)
        arrays = file.with_suffix(".npz")
        if not file.is_file() or not arrays.is_file():
            return None
        try:
            record = json.loads(file.read_text(encoding="utf-8"))["record"]
            with np.load(arrays, allow_pickle=False) as loaded:
                return Outcome(record, dict(loaded))
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{file}, or the .npz beside it, is damaged ({error}): delete it") from error

    def add(self, name: str, configuration: dict[str, Any], outcome: Outcome) -> None:
        """Keep a run; the record's file comes last, and both are put in their place whole."""
        file = self._file(name, configuration)
        arrays = file.with_suffix(".npz")
        unfinished = arrays.with_suffix(".unfinished.npz")
        np.savez(unfinished, allow_pickle=False, **outcome.arrays)
        os.replace(unfinished, arrays)
        write_json(file, {"name": name, "configuration": configuration, **environment(), "record": outcome.record})

    def _file(self, name: str, configuration: dict[str, Any]) -> Path:
        text = json.dumps([name, configuration], sort_keys=True)
        readable = re.sub(r"\W+", "-", name).strip("-")
        return self.directory / f"{readable}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"


def write_json(file: Path, value: Any) -> None:
    """Write `value` to `file`, whole or not at all."""
    unfinished = file.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(value, indent=1, allow_nan=False), encoding="utf-8")
    os.replace(unfinished, file)


def environment() -> dict[str, Any]:
    """Return where and with what something is computed: versions, commit and machine."""
    return {
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "commit": _commit(),
        "machine": f"{platform.machine()}, {cpu_count()} cores, {platform.system()} {platform.release()}",
    }


def code(*files: str) -> str:
    """Return a digest of the sources that figures follow from: the library's, and these `files` of experiments."""
    library = Path(fnn.__file__).parent
    sources = [file for file in sorted(library.rglob("*.py")) if "testing" not in file.parts]
    digest = hashlib.sha256()
    for file in [*sources, *(HERE / name for name in files)]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit that is checked out where this file lies, with a mark for changes; None without git."""
    root = HERE.parent
    if not (root / ".git").exists():
        return None
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(describe, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
