"""A value from JSON and arrays: the constructors' calls are made anew. `encode` shows what the JSON looks like."""

from __future__ import annotations

import inspect
import struct
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from functional_nn import npz
from functional_nn.record import Record
from functional_nn.saving.encode import MOST_LEVELS, Node, Path, place
from functional_nn.saving.names import FUNCTIONS, Known, is_record
from functional_nn.value import is_constant, is_constructor

__all__ = ["Decoder"]

KINDS = {"call": "constructor", "constant": "value", "function": "function", "record": "class"}  # what has a name
NAMED_CHILDREN, CHILDREN = ("arguments", "dict", "fields"), ("args", "items", "keywords", "partial", "tuple")
SCALARS = {dtype.name: dtype for dtype in npz.DTYPES}


class Decoder:
    """Turns JSON into values; each of `arrays` serves once. Raises `ValueError` that names the place.

    The only functions that it calls are constructors, the library's and the caller's.
    """

    def __init__(self, arrays: dict[str, np.ndarray], known: Known) -> None:
        self._arrays, self._known = dict(arrays), known
        self._readers: dict[str, Callable[[dict[str, Node], Path], Any]] = {
            "array": self._array,
            "call": self._call,
            "constant": lambda node, path: self._found(node, "constant", is_constant, path),
            "dict": lambda node, path: self._fields(node, "dict", path),
            "float": lambda node, path: _not_finite(_text(node, "float", path), path),
            "function": lambda node, path: self._found(node, "function", _is_function, path),
            "items": self._items,
            "partial": self._partial,
            "record": self._record,
            "scalar": _scalar,
            "tuple": lambda node, path: tuple(self._listed(node["tuple"], path)),
        }

    def root(self, node: Node, path: Path = ()) -> Any:
        """Return the value of the whole JSON; raises `ValueError` that names all constructors which are not known."""
        self._known.check(_names(node))
        return self.value(node, path)

    def value(self, node: Node, path: Path = ()) -> Any:
        """Return the value of a node of the JSON; `path` leads to it."""
        if len(path) > MOST_LEVELS:
            raise ValueError(f"{place(path[:6])}... is nested in more than {MOST_LEVELS} levels")
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, list):
            return self._listed(node, path)
        kind = next(iter(node), None)
        if kind not in self._readers:
            raise ValueError(f"{place(path)} is stored as {kind!r}, which this version does not know")
        return self._readers[kind](node, path)

    def _listed(self, node: Node, path: Path) -> list[Any]:
        if not isinstance(node, list):
            raise ValueError(f"{place(path)} is a {type(node).__name__}, expected a list")
        return [self.value(child, (*path, str(i))) for i, child in enumerate(node)]

    def _fields(self, node: dict[str, Node], key: str, path: Path) -> dict[str, Any]:
        fields = node.get(key)
        if not isinstance(fields, dict):
            raise ValueError(f"{place(path)} is a {type(fields).__name__}, expected {key} by name")
        return {name: self.value(child, (*path, name)) for name, child in fields.items()}

    def _items(self, node: dict[str, Node], path: Path) -> dict[Any, Any]:
        pairs = [self._listed(pair, path) for pair in node["items"]]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError(f"{place(path)} is no list of pairs of a key and a value")
        return dict(pairs)

    def _array(self, node: dict[str, Node], path: Path) -> np.ndarray:
        name = _text(node, "array", path)
        if name not in self._arrays:
            raise ValueError(f"{place(path)} is the entry {name}, which is missing or serves another place")
        return self._arrays.pop(name)

    def _found(self, node: dict[str, Node], key: str, fits: Callable[[Any], bool], path: Path) -> Any:
        name = _text(node, key, path)
        thing = self._known.find(name)
        if not fits(thing):
            remedy = ": decorate it with @fnn.constructor" if key == "call" else ""
            raise ValueError(f"{place(path)} needs the {KINDS[key]} {name}, but {thing!r} is none{remedy}")
        return thing

    def _call(self, node: dict[str, Node], path: Path) -> Any:
        constructor = self._found(node, "call", is_constructor, path)
        arguments = self._fields(node, "arguments", path)
        signature = inspect.signature(constructor)
        for unknown in arguments.keys() - signature.parameters.keys():
            raise ValueError(
                f"{place(path)} was made with the argument {unknown}, but this version's is "
                f"{constructor.__name__}{signature}".split(" -> ")[0]
            )
        # in the order of the signature, whatever that of the JSON is
        known = {name: arguments[name] for name in signature.parameters if name in arguments}
        bound = inspect.BoundArguments(signature, known)
        return _made(lambda: constructor(*bound.args, **bound.kwargs), path)

    def _partial(self, node: dict[str, Node], path: Path) -> Any:
        function = self.value(node["partial"], (*path, "func"))
        args, keywords = self.value(node["args"], (*path, "args")), self.value(node["keywords"], (*path, "keywords"))
        if not _is_function(function) and not isinstance(function, partial):
            raise ValueError(f"{place(path)} is a partial of {function!r}, expected a function")
        return _made(lambda: partial(function, *args, **keywords), path)

    def _record(self, node: dict[str, Node], path: Path) -> Any:
        kind = self._found(node, "record", is_record, path)
        fields = self._fields(node, "fields", path)
        expected = kind.field_names() if issubclass(kind, Record) else kind._fields
        if fields.keys() != set(expected):
            given = ", ".join(fields) or "none"
            raise ValueError(f"{place(path)} has the fields {given}, expected {', '.join(expected) or 'none'}")
        return _made(lambda: kind.restored(**fields) if issubclass(kind, Record) else kind(**fields), path)


def _names(node: Node) -> Iterator[str]:
    """Yield the names of what the JSON needs."""
    if isinstance(node, list):
        for child in node:
            yield from _names(child)
    elif isinstance(node, dict):
        yield from (node[kind] for kind in KINDS if isinstance(node.get(kind), str))
        for key in NAMED_CHILDREN:
            yield from _names(list(node.get(key, {}).values()))
        for key in CHILDREN:
            yield from _names(node.get(key))


def _is_function(thing: Any) -> bool:
    return isinstance(thing, FUNCTIONS)


def _made(make: Callable[[], Any], path: Path) -> Any:
    try:
        return make()
    except Exception as error:  # a constructor may raise anything at what a file holds
        raise ValueError(f"{place(path)} cannot be made: {error}") from error


def _text(node: dict[str, Node], key: str, path: Path) -> str:
    if not isinstance(node[key], str):
        raise ValueError(f"{place(path)}: its {key} is a {type(node[key]).__name__}, expected a name")
    return str(node[key])


def _not_finite(text: str, path: Path) -> float:
    if text in ("nan", "inf", "-inf"):
        return float(text)
    try:
        return float(struct.unpack(">d", bytes.fromhex(text))[0])
    except (ValueError, struct.error):
        raise ValueError(f"{place(path)}: {text!r:.40} is no float") from None


def _scalar(node: dict[str, Node], path: Path) -> Any:
    try:
        dtype = SCALARS[node["scalar"]].newbyteorder("<")
        return np.frombuffer(bytes.fromhex(node["bytes"]), dtype, count=1)[0].astype(dtype.newbyteorder("="))
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{place(path)} is no number of NumPy's") from None
