"""A layer in a user's own module, as `module:name`, `file.py:name` or `file.py:name(2.0, units=3)`.

The name is a layer, or a function that returns one. Its arguments are literals (numbers, strings, tuples, lists, dicts,
True, False, None): they are read, and never run as code.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from functional_nn.layer import Layer

__all__ = ["OwnCodeError", "layer_of"]

TARGET = re.compile(r"(?P<module>.+?):(?P<name>[^\W\d][\w.]*)(?P<call>\(.*\))?", re.DOTALL)
EXPECTED = "expected MODULE:LAYER, such as my_layers.py:scale, my_layers:scale or my_layers:scale(2.0)"


class OwnCodeError(Exception):
    """The user's own code raised; the cause is what it raised."""


def layer_of(target: str) -> Layer:
    """Return the layer. Raises `ValueError` for what is none, and `OwnCodeError` where the user's code raises."""
    match = TARGET.fullmatch(target.strip())
    if match is None:
        raise ValueError(f"{target!r}: {EXPECTED}")
    arguments, keywords = _literals(target, match["call"] or "()")
    found: Any = _module(match["module"])
    for name in match["name"].split("."):
        if not hasattr(found, name):
            public = ", ".join(sorted(other for other in vars(found) if not other.startswith("_"))[:10])
            raise ValueError(f"{target}: {match['module']} has no {name}; it has {public or 'no public names'}")
        found = getattr(found, name)
    if match["call"] or (callable(found) and not isinstance(found, Layer)):
        found = _called(target, found, arguments, keywords)
    if not isinstance(found, Layer):
        raise ValueError(f"{target}: is a {type(found).__name__}, expected a Layer, or a function that returns one")
    return found


def _literals(target: str, call: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call's text."""
    try:
        node = ast.parse(f"f{call}", mode="eval").body
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            raise ValueError("more than one call")
        if any(keyword.arg is None for keyword in node.keywords):
            raise ValueError("** in it")
        arguments = [ast.literal_eval(argument) for argument in node.args]
        return arguments, {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        remedy = "expected literals, such as (2.0, units=3): for more define the layer in the module by a name"
        raise ValueError(f"{target}: cannot read its arguments ({error}), {remedy}") from None


def _module(name: str) -> ModuleType:
    path = Path(name)
    if path.suffix != ".py":
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does, a console script does not
        try:
            found = importlib.util.find_spec(name)
        except (ImportError, ValueError):  # a parent is missing, or is no package
            found = None
        if found is None:
            raise ValueError(f"{name}: there is no such module here or among the installed ones, {EXPECTED}")
        return _imported(name)
    if not path.is_file():
        raise FileNotFoundError(f"{name}: there is no such file, {EXPECTED}")
    sys.path.insert(0, str(path.resolve().parent))
    free = path.stem not in sys.modules  # a file may have the name of a module that is in use
    return _imported(path.stem if free else f"{path.stem}_to_check", path.resolve())


def _imported(name: str, path: Path | None = None) -> ModuleType:
    try:
        if path is None:
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None  # the name ends in .py
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    except (Exception, SystemExit) as error:
        raise OwnCodeError(f"{path or name} cannot be imported") from error


def _called(target: str, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    if not callable(function) or isinstance(function, Layer):
        raise ValueError(f"{target}: is a {type(function).__name__}: give it without arguments")
    try:
        return function(*arguments, **keywords)
    except (ValueError, TypeError) as error:  # the arguments do not fit
        raise ValueError(f"{target}: {error}") from error
    except (Exception, SystemExit) as error:
        raise OwnCodeError(f"{target} cannot be called") from error
