"""The arguments of a value's call by their content: kept, compared, hashed, printed, and told whether they pickle."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

__all__ = ["check_picklable", "hash_of", "plain", "same", "show"]


def plain(argument: Any) -> Any:
    """Return an argument as values keep it: Python's numbers, tuples, arrays that nobody can write to."""
    if isinstance(argument, np.generic):
        return argument.item()
    if isinstance(argument, np.ndarray):
        return _frozen(argument)
    if isinstance(argument, dict):
        return {key: plain(child) for key, child in argument.items()}
    if isinstance(argument, list | tuple):
        children = [plain(child) for child in argument]
        return type(argument)(*children) if hasattr(argument, "_fields") else tuple(children)
    return argument


def show(value: Any) -> str:
    """Return how an argument prints in a call: functions by their names, arrays by dtype and shape."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {show(child)}' for key, child in value.items())}}}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, partial):
        bound = [show(child) for child in value.args] + [
            f"{key}={show(child)}" for key, child in value.keywords.items()
        ]
        return f"partial({', '.join([show(value.func), *bound])})"
    if type(value) is tuple:
        return f"({', '.join(map(show, value))}{',' if len(value) == 1 else ''})"
    return str(getattr(value, "__name__", None) or repr(value))


def check_picklable(what: str, value: Any) -> None:
    """Raise `TypeError`, with the remedy, for a function that no other process could find by its name."""
    if isinstance(value, partial):
        value = (value.func, *value.args, *value.keywords.values())
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for child in value:
            check_picklable(what, child)
    elif inspect.isfunction(value) and not _importable(value):
        kind = "a lambda" if value.__name__ == "<lambda>" else f"{value.__name__}, which stands in another function"
        raise TypeError(f"{what} is {kind}: to pickle it, define it by `def` at the top level of a module")


def _importable(function: Any) -> bool:
    module = sys.modules.get(function.__module__)
    return "<" not in function.__qualname__ and hasattr(module, function.__qualname__.split(".")[0])


def _frozen(array: np.ndarray) -> np.ndarray:
    if not array.flags.writeable and array.base is None:
        return array
    copy = array.copy(order="K")
    copy.flags.writeable = False
    return copy


def same(a: Any, b: Any) -> bool:
    """Return whether two arguments are equal by content."""
    if a is b:
        return True
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    if isinstance(a, partial) and isinstance(b, partial):
        return same((a.func, a.args, a.keywords), (b.func, b.args, b.keywords))
    if isinstance(a, float) and isinstance(b, float):  # -0.0 is not 0.0, and nan is nan: as they print
        return repr(a) == repr(b)
    return type(a) is type(b) and bool(a == b)  # 1, 1.0 and True are three


def hash_of(value: Any) -> int:
    """Return a hash that equal arguments share: of an array that of its shape, so that it stays cheap."""
    if isinstance(value, Mapping):
        return hash(frozenset((key, hash_of(child)) for key, child in value.items()))
    if isinstance(value, tuple):
        return hash(tuple(map(hash_of, value)))
    if isinstance(value, np.ndarray):
        return hash((value.shape, value.dtype.str))
    if isinstance(value, partial):
        return hash((hash_of(value.func), hash_of(value.args), hash_of(value.keywords)))
    if isinstance(value, float) and value != value:
        return hash("nan")  # Python's is that of the object
    try:
        return hash(value)
    except TypeError:
        kinds = "numbers, strings, tuples, dicts, arrays, functions and values"
        raise TypeError(
            f"an argument is the {type(value).__name__} {value!r}; a value's arguments are {kinds}"
        ) from None
