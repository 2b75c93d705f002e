"""A value as JSON and arrays: what is stored is the call that made it, and the tree that it is.

None, True, 3, "text"           as they are
1.5, and nan                    1.5, {"float": "nan"}
[1, 2], (1, 2), {"a": 1}        [1, 2], {"tuple": [1, 2]}, {"dict": {"a": 1}}; {"items": [[1, "x"]]} for {1: "x"}
an array, np.float32(2.0)       {"array": "params.c1.w"}, {"scalar": "float32", "bytes": "00000040"}
dense(3)                        {"call": "functional_nn.layers.dense", "arguments": {"units": 3, ...}}
relu, he_normal                 {"constant": "functional_nn.layers.relu"}, {"function": "..."}
partial(f, 2, a=1)              {"partial": {"function": "f"}, "args": {"tuple": [2]}, "keywords": {"dict": {"a": 1}}}
AdamState(...), FitResult(...)  {"record": "functional_nn.optim.AdamState", "fields": {"step": 2, ...}}
"""

from __future__ import annotations

import math
import re
import struct
from functools import partial
from typing import Any

import numpy as np

from functional_nn import npz
from functional_nn.arguments import ARRAYS
from functional_nn.record import Record
from functional_nn.saving.names import FUNCTIONS, is_named_tuple, name_of
from functional_nn.value import Value, is_constant

__all__ = ["MOST_LEVELS", "Encoder", "Node", "Path", "place"]

Node = Any
Path = tuple[str, ...]

MOST_LEVELS = 100  # of nodes within nodes: far from the depth at which Python's own stack ends
LONGEST_NAME = 200


def place(path: Path) -> str:
    """Return how a message calls the place that a path leads to."""
    return ".".join(path) or "the value"


class Encoder:
    """Turns values into JSON, and collects their arrays by name.

    Raises `TypeError`, naming the place, for what cannot be stored, and says what to do.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def node(self, value: Any, path: Path = ()) -> Node:
        """Return the JSON of a value; `path` leads to it."""
        if len(path) > MOST_LEVELS:
            raise ValueError(f"{place(path[:6])}... is nested in {MOST_LEVELS} levels: does it contain itself?")
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": _not_finite(value)}
        if kind in ARRAYS:
            return {"array": self._stored(value, path)}
        if isinstance(value, np.generic):
            return self._scalar(value, path)
        if isinstance(value, Value):
            return self._value(value, path)
        if isinstance(value, partial):
            return {
                "partial": self.node(value.func, (*path, "func")),
                "args": self.node(value.args, (*path, "args")),
                "keywords": self.node(value.keywords, (*path, "keywords")),
            }
        if isinstance(value, FUNCTIONS):
            return {"function": _name(value, path)}
        return self._children(value, path)

    def _children(self, value: Any, path: Path) -> Node:
        """Return the JSON of what holds others."""
        kind = type(value)
        if kind is list:
            return self._listed(value, path)
        if kind is tuple:
            return {"tuple": self._listed(value, path)}
        if kind is dict:
            if all(type(key) is str for key in value):
                return {"dict": {key: self.node(child, (*path, key)) for key, child in value.items()}}
            pairs = value.items()
            return {"items": [[self._key(key, path), self.node(child, (*path, str(key)))] for key, child in pairs]}
        if is_named_tuple(kind):
            return {"record": _name(kind, path), "fields": self._fields(value._asdict(), path)}
        if isinstance(value, Record):
            fields = {name: getattr(value, name) for name in value.field_names()}
            return {"record": _name(kind, path), "fields": self._fields(fields, path)}
        raise TypeError(f"{place(path)} is a {kind.__module__}.{kind.__name__}, which cannot be saved{_remedy(value)}")

    def _listed(self, values: Any, path: Path) -> list[Node]:
        return [self.node(child, (*path, str(i))) for i, child in enumerate(values)]

    def _fields(self, fields: dict[str, Any], path: Path) -> dict[str, Node]:
        return {name: self.node(child, (*path, name)) for name, child in fields.items()}

    def _key(self, key: Any, path: Path) -> Node:
        if not isinstance(key, str | int | float | bool | tuple | None):
            raise TypeError(f"{place(path)} has the key {key!r}, which cannot be saved: use strings or numbers")
        return self.node(key, (*path, "key"))

    def _value(self, value: Value, path: Path) -> Node:
        kind, call = type(value).__name__, value.call
        if call is None:
            raise TypeError(
                f"{place(path)} is the {kind} {value!r}, which no constructor made, so no file can say how to make it: "
                f"write a function that returns it, and decorate it with @fnn.constructor"
            )
        name = _name(call.constructor, path)
        if is_constant(value):
            return {"constant": name}
        return {"call": name, "arguments": self._fields(call.arguments, path)}

    def _scalar(self, value: np.generic, path: Path) -> Node:
        _check_dtype(value.dtype, path)
        little = np.asarray(value, value.dtype.newbyteorder("<"))
        return {"scalar": value.dtype.name, "bytes": little.tobytes().hex()}

    def _stored(self, array: np.ndarray, path: Path) -> str:
        """Keep an array in row-major order and little-endian, and return the name of its entry."""
        _check_dtype(array.dtype, path)
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", ".".join(path))[:LONGEST_NAME] or "value"
        number, unique = 1, name
        while unique in self.arrays:  # a key may contain a dot, or what was replaced
            number, unique = number + 1, f"{name}~{number}"
        # The library safetensors (0.8) takes the memory as it lies: it would scramble an array in another order.
        self.arrays[unique] = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        return unique


def _name(thing: Any, path: Path) -> str:
    try:
        return name_of(thing)
    except TypeError as error:
        raise TypeError(f"{place(path)} is {error}") from None


def _check_dtype(dtype: np.dtype[Any], path: Path) -> None:
    if dtype.newbyteorder("=") not in npz.DTYPES:
        remedy = ": make it a list of strings" if dtype.kind in "US" else ": convert it to numbers of 64 bits or fewer"
        raise TypeError(f"{place(path)} is an array of {dtype}, which cannot be saved{remedy}")


def _not_finite(value: float) -> str:
    """Return "nan", "inf" or "-inf", or the eight bytes of a nan with another sign or payload."""
    stored = struct.pack(">d", value)
    return str(value) if stored == struct.pack(">d", float(str(value))) else stored.hex()


def _remedy(value: Any) -> str:
    if isinstance(value, dict):
        return ": convert it, dict(...)"
    if isinstance(value, np.ndarray):
        return ": convert it, np.asarray(...)"
    if callable(value):
        return ": make it a function at the top level of a module, or a value by @fnn.constructor"
    return ": expected trees of arrays and numbers, results of fit, and values that constructors made"
