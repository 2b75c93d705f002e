"""Pytrees: nested dicts, lists and tuples of arrays, handled as one value.

Nodes are dict (visited in sorted key order), list, tuple, NamedTuple (its field names are its paths) and None
(empty); everything else is a leaf. No function here writes to a tree that it is given.
"""

from __future__ import annotations

import builtins
import math
import numbers
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from functional_nn.arguments import ARRAYS, not_an_array

__all__ = [
    "allclose",
    "cast",
    "describe",
    "flatten",
    "items",
    "leaves",
    "map",
    "map_arrays",
    "ravel",
    "size",
    "zeros_like",
]

Tree = Any
Path = tuple[str, ...]


def map(f: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """Return the tree of `f(leaf, *leaves at the same place in rest)`, with the nodes of `tree`.

    Raises `TypeError`, naming the path, where a tree of `rest` has other nodes or keys than `tree`.
    """
    try:
        return _map(f, tree, rest)
    except _Mismatch:
        for other in rest:
            _check_alike(tree, other, ())
        raise


def map_arrays(f: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """Return `map(f, tree, *rest)` for trees of arrays of equal shapes and dtypes: nothing is broadcast or promoted.

    What `f` returns becomes an array, of no axes too. Raises `TypeError`, naming the path, where the trees differ in
    their nodes, or the arrays in shape or dtype.
    """
    try:
        return _map_arrays(f, tree, rest)
    except (_Mismatch, AttributeError):
        _check_arrays(tree, rest)
        raise


def leaves(tree: Tree) -> list[Any]:
    """Return the leaves of `tree` in visiting order."""
    _map((found := list[Any]()).append, tree, ())
    return found


def items(tree: Tree) -> list[tuple[str, Any]]:
    """Return `(path, leaf)` for every leaf in visiting order; a path joins keys, indices and fields by dots."""
    return [(".".join(path), leaf) for path, leaf in _walk(tree, ())]


def flatten(tree: Tree) -> tuple[list[Any], Callable[[list[Any]], Tree]]:
    """Return the leaves and `unflatten(leaves)`, which puts as many leaves back in their places.

    `unflatten` raises `ValueError` when it is given another number of leaves.
    """
    found = leaves(tree)

    def unflatten(new: list[Any]) -> Tree:
        if len(new) != len(found):
            raise ValueError(f"unflatten: the tree has {len(found)} leaves, got {len(new)}")
        remaining = iter(new)
        return map(lambda _: next(remaining), tree)

    return found, unflatten


def ravel(tree: Tree) -> tuple[np.ndarray, Callable[[np.ndarray], Tree]]:
    """Return all entries of `tree` as one vector, and `unravel(vector)`, its inverse.

    All leaves must share one dtype (`TypeError` otherwise: nothing is promoted). `unravel` takes a vector
    of the same length, of any dtype, and returns a tree of new arrays of that dtype.
    """
    named = items(tree)
    arrays = [np.asarray(leaf) for _, leaf in named]
    for (path, _), array in zip(named, arrays, strict=True):
        if array.dtype != arrays[0].dtype:
            raise TypeError(f"ravel: {named[0][0]} is {arrays[0].dtype}, {path} is {array.dtype}; convert one")
    vector = np.concatenate([array.ravel() for array in arrays]) if arrays else np.zeros(0)
    shapes = [array.shape for array in arrays]
    ends = np.cumsum([0] + [array.size for array in arrays])

    def unravel(flat: np.ndarray) -> Tree:
        if np.shape(flat) != vector.shape:
            raise ValueError(f"unravel: expected a vector of shape {vector.shape}, got {np.shape(flat)}")
        pieces = (
            flat[start:end].reshape(shape).copy() for start, end, shape in zip(ends[:-1], ends[1:], shapes, strict=True)
        )
        return map(lambda _: next(pieces), tree)

    return vector, unravel


def size(tree: Tree) -> int:
    """Return the number of array entries in `tree` (a number counts as one)."""
    return sum(math.prod(np.shape(leaf)) for leaf in leaves(tree))


def describe(tree: Tree) -> str:
    """Return one line on a tree: how many numbers, in how many arrays, and the first and last paths."""
    if not (paths := [path for path, _ in items(tree)]):
        return "nothing"
    shown = paths if len(paths) <= 6 else [*paths[:3], "...", *paths[-2:]]
    arrays = "1 leaf" if len(paths) == 1 else f"{len(paths)} leaves"
    return f"{size(tree):,} numbers in {arrays}: {', '.join(path or 'the root' for path in shown)}"


def zeros_like(tree: Tree) -> Tree:
    """Return a tree of zeros with the shapes and dtypes of `tree`."""
    return map(np.zeros_like, tree)


def cast(tree: Tree, dtype: Any) -> Tree:
    """Return `tree` with its arrays of floats in another float dtype, such as `np.float64`.

    Arrays of whole numbers or booleans, and Python's numbers, stay as they are; so do arrays that have the dtype
    already. Raises `TypeError` for a dtype of no floats and, naming the path, for a leaf that is complex, or neither a
    number nor an array of numbers; `ValueError` for a number beyond the dtype's range.
    """
    if (wanted := np.dtype(dtype)).kind != "f":
        raise TypeError(f"cast: dtype is {wanted}, expected floats, such as np.float32")

    def converted(path: str, leaf: Any) -> Any:
        if _kind(leaf) not in "biuf":
            raise TypeError(f"cast: {path or 'the root'} is {_noun(leaf)}, expected real numbers")
        if not hasattr(leaf, "dtype") or leaf.dtype.kind != "f" or leaf.dtype == wanted:
            return leaf
        try:
            with np.errstate(over="raise"):
                return leaf.astype(wanted)
        except FloatingPointError:
            raise ValueError(f"cast: {path or 'the root'} has a number beyond the range of {wanted}") from None

    return flatten(tree)[1]([converted(path, leaf) for path, leaf in items(tree)])


def allclose(a: Tree, b: Tree, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Return whether all numbers of `a` are within atol + rtol |b| of those of `b`, as `np.allclose` does.

    A nan is close to nothing, not even to another nan; dtypes may differ. Raises `TypeError`, naming the path, where
    the trees differ in their nodes or shapes, and for a leaf that is neither a number nor an array of numbers.
    """
    _check_alike(a, b, ())
    pairs = [(path, left, right) for (path, left), right in zip(items(a), leaves(b), strict=True)]
    for path, left, right in pairs:
        for leaf in (left, right):
            if _kind(leaf) not in "biufc":
                raise TypeError(f"allclose: {path or 'the root'} is {_noun(leaf)}, expected numbers")
        if (one := np.shape(left)) != (two := np.shape(right)):
            raise TypeError(f"trees differ at {path or 'the root'}: shape {one} against {two}")
    return all(np.allclose(left, right, rtol, atol) for _, left, right in pairs)


class _Mismatch(TypeError):
    """Two trees differ somewhere: the walk that maps keeps no paths, since it runs at every step."""


def _map(f: Callable[..., Any], node: Tree, rest: Sequence[Tree]) -> Tree:
    if type(node) is dict:  # the common node, before the rarer ones
        for other in rest:
            if type(other) is not dict or other.keys() != node.keys():
                raise _Mismatch
        return {key: _map(f, node[key], [other[key] for other in rest]) for key in _in_order(node)}
    keys = _keys(node)
    for other in rest:
        if not _alike(node, other, keys):
            raise _Mismatch
    if keys is None:
        return f(node, *rest)
    return _rebuild(node, [_map(f, _child(node, key), [_child(other, key) for other in rest]) for key in keys])


def _map_arrays(f: Callable[..., Any], node: Tree, rest: Sequence[Tree]) -> Tree:
    if type(node) is dict:
        for other in rest:
            if type(other) is not dict or other.keys() != node.keys():
                raise _Mismatch
        return {key: _map_arrays(f, node[key], [other[key] for other in rest]) for key in _in_order(node)}
    if type(node) in ARRAYS:
        for other in rest:
            if type(other) not in ARRAYS or other.shape != node.shape or other.dtype != node.dtype:
                raise _Mismatch
        result = f(node, *rest)
        return result if type(result) is np.ndarray else np.asarray(result)
    keys = _keys(node)
    if keys is None or not all(_alike(node, other, keys) for other in rest):
        raise _Mismatch
    children = [_map_arrays(f, _child(node, key), [_child(other, key) for other in rest]) for key in keys]
    return _rebuild(node, children)


def _alike(node: Tree, other: Tree, keys: list[Any] | None) -> bool:
    return _keys(other) == keys and (keys is None or type(other) is type(node))


def _check_alike(node: Tree, other: Tree, path: Path) -> None:
    keys = _keys(node)
    if not _alike(node, other, keys):
        raise _mismatch(node, other, path)
    for key in keys or ():
        _check_alike(_child(node, key), _child(other, key), (*path, str(key)))


def _check_arrays(tree: Tree, rest: Sequence[Tree]) -> None:
    """Raise `TypeError` at the first place where the trees do not hold arrays of one shape and one dtype."""
    for path, leaf in items(tree):
        if type(leaf) not in ARRAYS:
            raise TypeError(f"{path or 'the root'} is {not_an_array(leaf)}")
    for other in rest:
        _check_alike(tree, other, ())
        for (path, a), (_, b) in zip(items(tree), items(other), strict=True):
            if type(b) not in ARRAYS:
                raise TypeError(f"{path or 'the root'} is an array in one tree and a {type(b).__name__} in another")
            if a.shape != b.shape or a.dtype != b.dtype:
                one, two = (f"{array.dtype} of shape {array.shape}" for array in (a, b))
                raise TypeError(f"trees differ at {path or 'the root'}: {one} against {two}")


def _walk(node: Tree, path: Path) -> Iterator[tuple[Path, Any]]:
    keys = _keys(node)
    if keys is None:
        yield path, node
        return
    for key in keys:
        yield from _walk(_child(node, key), (*path, str(key)))


def _keys(node: Tree) -> list[Any] | None:
    """Return what a node's children are called, in visiting order, or None for a leaf."""
    if isinstance(node, np.ndarray):  # the common leaf, before the rarer nodes
        return None
    if isinstance(node, dict):
        return _in_order(node)
    if node is None:
        return []
    if isinstance(node, list | tuple):
        return list(getattr(node, "_fields", range(len(node))))
    return None


def _in_order(node: dict[Any, Any]) -> list[Any]:
    try:
        return sorted(node)
    except TypeError:
        raise TypeError(f"a tree's dict has the keys {list(node)}, expected keys of one type, such as names") from None


def _child(node: Tree, key: Any) -> Tree:
    return getattr(node, key) if hasattr(node, "_fields") else node[key]


def _rebuild(node: Tree, children: list[Tree]) -> Tree:
    if isinstance(node, dict):
        return dict(zip(_in_order(node), children, strict=True))
    if node is None:
        return None
    if hasattr(node, "_fields"):
        return type(node)(*children)
    return type(node)(children)


def _mismatch(node: Tree, other: Tree, path: Path) -> TypeError:
    return TypeError(f"trees differ at {'.'.join(path) or 'the root'}: {_describe(node)} against {_describe(other)}")


def _kind(leaf: Any) -> str:
    """Return the kind of a leaf's dtype, "O" for what is no number and no array of numbers."""
    return np.asarray(leaf).dtype.kind if isinstance(leaf, np.ndarray | np.generic | numbers.Number) else "O"


def _noun(leaf: Any) -> str:
    return f"an array of {leaf.dtype}" if isinstance(leaf, np.ndarray) else f"a {type(leaf).__name__}"


def _describe(node: Tree) -> str:
    keys = _keys(node)
    kind = type(node).__name__
    return f"a leaf ({kind})" if keys is None else f"{kind} with {', '.join(builtins.map(str, keys)) or 'nothing'}"
