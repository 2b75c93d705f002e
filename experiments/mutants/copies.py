"""Copies of the library's layers, combinators and losses, with one module compiled from another syntax tree.

The copies replace nothing: after the import the library is as before.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, FrameType
from typing import Any
from unittest.mock import patch

import numpy as np

import functional_nn
from experiments.mutants.cases import Library

COPIED = ("layers", "compose", "losses")
Place = tuple[str, int]  # a module's name and the line where a function begins
GARBAGE = 0.7  # in memory that a mutant forgets to write


def library_copy(module: str | None = None, syntax: ast.Module | None = None) -> Library:
    """Return a fresh copy of the library's modules, in which `module` is compiled from `syntax`."""
    prefix = functional_nn.__name__
    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_copied(name)}
    attributes = {name: getattr(functional_nn, name) for name in COPIED}
    finder = _Finder(module, syntax) if module and syntax else None
    try:
        if finder:
            sys.meta_path.insert(0, finder)
        return Library(*(importlib.import_module(f"{prefix}.{name}") for name in COPIED))
    finally:
        if finder:
            sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if _is_copied(name)]:
            del sys.modules[name]
        sys.modules.update(kept)
        for name, value in attributes.items():
            setattr(functional_nn, name, value)


def functions_run(call: Callable[[], Any]) -> set[Place]:
    """Return the functions of the copied modules that `call` runs."""
    run: set[Place] = set()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and _is_copied(name):
            run.add((name, frame.f_code.co_firstlineno))

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    return run


@contextmanager
def unwritten_memory() -> Iterator[None]:
    """Let `np.empty` always return the same numbers, so that the fate of a mutant that forgets to write is fixed."""

    def filled(allocate: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def empty(*arguments: Any, **keywords: Any) -> np.ndarray:
            array = allocate(*arguments, **keywords)
            array[...] = np.asarray(GARBAGE).astype(array.dtype)
            return array

        return empty

    with patch.multiple(np, empty=filled(np.empty), empty_like=filled(np.empty_like)):
        yield


class _Finder(MetaPathFinder):
    """Finds one module in its usual place, and gives it other code."""

    def __init__(self, module: str, syntax: ast.Module) -> None:
        self.module, self.syntax = module, syntax

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        if fullname != self.module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin, compile(self.syntax, spec.origin, "exec"))
        return spec


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, code: CodeType) -> None:
        super().__init__(fullname, path)
        self.code = code

    def get_code(self, fullname: str) -> CodeType:
        return self.code


def _is_copied(name: str) -> bool:
    package, _, rest = name.partition(".")
    return package == functional_nn.__name__ and rest.partition(".")[0] in COPIED
