"""Finished runs on disk, each under a name that its full configuration gives, so that no run is repeated."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.running.machine import ROOT, environment
from experiments.running.options import InputError
from experiments.running.outcome import Outcome
from experiments.showing.files import write_json, write_whole

CHECKER = "testing"  # the part of the library that no training runs


class Store:
    """A directory of finished runs: a JSON file with the record, and an .npz file with the arrays, of each.

    A run is found again only under an equal configuration. Any number of commands may use one directory at a time.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def find(self, name: str, configuration: dict[str, Any]) -> Outcome | None:
        """Return the finished run of this configuration, or None; raise `InputError` where its files are damaged.

        The JSON file holds a digest of the record and the arrays, so that any change to either is noticed.
        """
        file = self._file(name, configuration)
        if not file.is_file():
            return None
        try:
            entry = json.loads(file.read_bytes())
            record, digest = entry["record"], entry["digest"]
            arrays = _arrays_file(file, digest)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise _damaged(file, error) from error
        if not arrays.is_file():
            return None
        content = arrays.read_bytes()
        if _digest(name, configuration, record, content) != digest:
            raise _damaged(file, "its digest is that of other content")
        with np.load(io.BytesIO(content), allow_pickle=False) as loaded:
            return Outcome(record, dict(loaded))

    def add(self, name: str, configuration: dict[str, Any], outcome: Outcome) -> None:
        """Keep a run; the JSON file, by which it is found, comes last. Raises `OSError` where that fails."""
        file, stream = self._file(name, configuration), io.BytesIO()
        np.savez(stream, allow_pickle=False, **outcome.arrays)
        digest = _digest(name, configuration, outcome.record, stream.getvalue())
        write_whole(_arrays_file(file, digest), stream.getvalue())
        entry = {"name": name, "configuration": configuration, **environment(), "record": outcome.record}
        write_json(file, entry | {"digest": digest})

    def _file(self, name: str, configuration: dict[str, Any]) -> Path:
        readable = re.sub(r"\W+", "-", name).strip("-")
        return self.directory / f"{readable}-{_sha256(_json([name, configuration]))[:16]}.json"


def code(*functions: Callable[..., Any]) -> str:
    """Return a digest of the sources that figures follow from.

    They are the library's, without its gradient checker, and the modules of these functions with all modules that
    they import, directly or through others, of experiments.
    """
    library = Path(fnn.__file__).parent
    sources = {str(file.relative_to(library)): file for file in library.rglob("*.py")}
    sources = {name: file for name, file in sources.items() if Path(name).parts[0] != CHECKER}
    for function in functions:
        module = _unwrapped(function).__module__
        if _source(module) is None and module.partition(".")[0] != fnn.__name__:
            raise ValueError(f"{function!r} is defined in {module}, which has no source file here")
        sources |= _with_imports(module)
    digest = hashlib.sha256()
    for name, file in sorted(sources.items()):
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    return _unwrapped(function.func) if isinstance(function, partial) else function


def _with_imports(module: str) -> dict[str, Path]:
    """Return, by name, the source files of a module, its packages, and the modules of experiments that it imports."""
    files: dict[str, Path] = {}
    names = [module]
    while names:
        name = names.pop()
        file = _source(name)
        if name not in files and file is not None:
            files[name] = file
            names += [*_imports(file), name.rpartition(".")[0]]
    return files


def _imports(file: Path) -> Iterator[str]:
    """Yield the names of experiments that a source file imports: modules, and what it takes from them."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name.partition(".")[0] == "experiments")


def _source(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _arrays_file(file: Path, digest: str) -> Path:
    """Return where the arrays of this digest stand: two runs that differ never share a file."""
    if not re.fullmatch("[0-9a-f]{64}", digest):
        raise ValueError(f"its digest is {digest!r}, expected 64 hexadecimal digits")
    return file.with_name(f"{file.stem}-{digest[:16]}.npz")


def _damaged(file: Path, reason: object) -> InputError:
    return InputError(f"{file}, or the .npz file beside it, is damaged ({reason}): delete both")


def _digest(name: str, configuration: dict[str, Any], record: Any, arrays: bytes) -> str:
    return _sha256(_json([name, configuration, record]) + arrays)


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
