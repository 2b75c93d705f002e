"""What a value is, as JSON that is compared without making the value: arrays stand in it by their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from functional_nn import tree
from functional_nn.saving.document import digest
from functional_nn.saving.encode import Encoder, Node, Path, place

__all__ = ["described", "differences", "summed"]

NAMED = {"call": "arguments", "record": "fields"}
ATOMS = ("array", "constant", "float", "function", "scalar")
UNNAMED = {"args", "arguments", "dict", "fields", "items", "tuple"}  # keys of the JSON that stand in no path
DIGITS = 32  # of a digest
SHOWN = 100  # characters of each side of a difference


def described(value: Any) -> Node:
    """Return the JSON of a value: that of two equal calls is equal. Functions count by their names alone.

    Raises `TypeError`, which says what to do, for what no file can name, as `save` does.
    """
    return _Describer().node(value)


def summed(tree_: Any, name: str) -> Node:
    """Return a description of a whole tree in one line; `name` is how an error calls it."""
    text = json.dumps(described({name: tree_}))
    sha256 = hashlib.sha256(text.encode("ascii")).hexdigest()
    return {"array": f"{tree.size(tree_):,} numbers, sha256 {sha256[:DIGITS]}"}


class _Describer(Encoder):
    """An encoder that keeps no array, and says which one it is."""

    def _stored(self, array: np.ndarray, path: Path) -> str:
        if array.dtype.hasobject:
            raise TypeError(f"{place(path)} is an array of {array.dtype}: convert it to numbers")
        return f"{array.dtype.name} of shape {array.shape}, sha256 {digest(array)[:DIGITS]}"


def differences(given: Node, stored: Node, path: Path = (), there: str = "in the file") -> Iterator[str]:
    """Yield a line for each place at which two descriptions differ; `there` is where the second stands."""
    if json.dumps(given) == json.dumps(stored):  # 1, 1.0 and True are three
        return
    if isinstance(given, list) and isinstance(stored, list) and len(given) == len(stored):
        for i, (one, other) in enumerate(zip(given, stored, strict=True)):
            yield from differences(one, other, (*path, str(i)), there)
    elif isinstance(given, dict) and isinstance(stored, dict) and _is_one_kind(given, stored):
        for key in given:
            yield from differences(given[key], stored[key], path if key in UNNAMED else (*path, key), there)
    else:
        yield f"{place(path)}: {_shown(given)} given, {_shown(stored)} {there}"


def _is_one_kind(given: dict[str, Node], stored: dict[str, Node]) -> bool:
    """Return whether two nodes differ within: they have the same names in the same order, and are no atoms."""
    kind = next(iter(given), "")
    if list(given) != list(stored) or kind in ATOMS:
        return False
    if kind in NAMED:
        return bool(given[kind] == stored[kind])
    both_tuples = kind == "tuple" and isinstance(given[kind], list) and isinstance(stored[kind], list)
    return not both_tuples or len(given[kind]) == len(stored[kind])


def _shown(node: Node) -> str:
    text = _text(node)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _text(node: Node) -> str:
    if isinstance(node, list):
        return f"[{', '.join(map(_text, node))}]"
    if not isinstance(node, dict):
        return repr(node)
    kind = next(iter(node), "")
    if kind in NAMED and isinstance(node[kind], str):
        inner = ", ".join(f"{name}={_text(child)}" for name, child in node.get(NAMED[kind], {}).items())
        return f"{node[kind].removeprefix('functional_nn.')}({inner})"
    if kind == "tuple" and isinstance(node[kind], list):
        return f"({', '.join(map(_text, node[kind]))})"
    if len(node) == 1:
        return node[kind].removeprefix("functional_nn.") if isinstance(node[kind], str) else _text(node[kind])
    return f"{{{', '.join(f'{name}: {_text(child)}' for name, child in node.items())}}}"
