"""Finished runs on disk, each under a name that its full configuration gives, so that no run is repeated."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import functional_nn as fnn
from experiments.running.machine import ROOT, environment
from experiments.running.options import InputError
from experiments.running.outcome import Outcome

CHECKER = "testing"  # the part of the library that no training runs


class Store:
    """A directory of finished runs: a file of `fnn.save` each, with the record, the arrays and the network.

    A run is found again only under an equal configuration. Any number of commands may use one directory at a time.
    `constructors` are those of experiments that the networks are made of. Raises `InputError` for a directory that an
    older version wrote, whose runs lack the networks.
    """

    def __init__(self, directory: Path, constructors: Sequence[Callable[..., Any]] = ()) -> None:
        self.directory, self.constructors = directory, constructors
        older = sorted(directory.glob("*.json"))
        if older:
            raise InputError(
                f"{directory} holds runs of an older version, which kept no networks ({older[0].name}, {len(older)} in "
                "all): delete this directory to train them anew, or give another --out"
            )
        directory.mkdir(parents=True, exist_ok=True)

    def find(self, name: str, configuration: dict[str, Any]) -> Outcome | None:
        """Return the finished run of this configuration, or None; raise `InputError` for a file that is damaged."""
        file = self._file(name, configuration)
        try:
            kept = fnn.load(file, self.constructors)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise InputError(f"delete this file, and the command repeats the run: {error}") from error
        if not isinstance(kept, dict) or (kept.get("name"), kept.get("configuration")) != (name, configuration):
            raise InputError(f"delete this file, and the command repeats the run: {file} holds something else")
        return Outcome(kept["record"], kept["arrays"], kept["network"])

    def add(self, name: str, configuration: dict[str, Any], outcome: Outcome) -> None:
        """Keep a run. Raises `OSError`, which names the file, where that fails."""
        kept = {"name": name, "configuration": configuration, "environment": environment()}
        result = {"record": outcome.record, "arrays": outcome.arrays, "network": outcome.network}
        fnn.save(self._file(name, configuration), kept | result)

    def has_of_other_code(self, name: str, configuration: dict[str, Any]) -> bool:
        """Return whether there is a run that differs in nothing but the code that computed it."""
        file = self._file(name, configuration)
        same = self.directory.glob(f"{file.stem.rpartition('-')[0]}-*.npz")
        return any(other != file for other in same)

    def _file(self, name: str, configuration: dict[str, Any]) -> Path:
        rest = {key: value for key, value in configuration.items() if key != "code"}
        digest = hashlib.sha256(json.dumps([name, rest], sort_keys=True).encode()).hexdigest()[:16]
        return self.directory / f"{file_stem(name)}-{digest}-{configuration.get('code', 'any')}.npz"


def file_stem(name: str) -> str:
    """Return a run's or a network's name as that of a file: "lenet5-seed-0" for "lenet5, seed 0"."""
    return re.sub(r"\W+", "-", name).strip("-")


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
