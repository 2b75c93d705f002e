"""Pytrees: nested dicts, lists and tuples of arrays, handled as one value.

Nodes are dict (visited in sorted key order), list, tuple, NamedTuple (its field names are its paths) and None
(empty); everything else is a leaf. No function here writes to a tree that it is given.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from functional_nn import nodes
from functional_nn.nodes import Tree

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


def map(f: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """Return the tree of `f(leaf, *leaves at the same place in rest)`, with the nodes of `tree`.

    Raises `TypeError`, naming the path, where a tree of `rest` has other nodes or keys than `tree`.

    >>> tree.map(lambda a, b: a + b, {"w": 1, "b": [2, 3]}, {"w": 10, "b": [20, 30]})
    {'b': [22, 33], 'w': 11}
    """
    try:
        return nodes.map_leaves(f, tree, rest)
    except nodes.Mismatch:
        for other in rest:
            nodes.check_alike(tree, other)
        raise


def map_arrays(f: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """Return `map(f, tree, *rest)` for trees of arrays of equal shapes and dtypes: nothing is broadcast or promoted.

    What `f` returns becomes an array, of no axes too. Raises `TypeError`, naming the path, where the trees differ in
    their nodes, or the arrays in shape or dtype.

    >>> tree.map_arrays(np.add, {"w": np.ones(2)}, {"w": np.ones(1)})
    Traceback (most recent call last):
        ...
    TypeError: trees differ at w: float64 of shape (2,) against float64 of shape (1,)
    """
    try:
        return nodes.map_arrays(f, tree, rest)
    except (nodes.Mismatch, AttributeError):
        nodes.check_arrays(tree, rest)
        raise


def leaves(tree: Tree) -> list[Any]:
    """Return the leaves of `tree` in visiting order.

    >>> tree.leaves({"w": 1, "b": [2, 3]})
    [2, 3, 1]
    """
    found: list[Any] = []
    nodes.map_leaves(found.append, tree, ())
    return found


def items(tree: Tree) -> list[tuple[str, Any]]:
    """Return `(path, leaf)` for every leaf in visiting order; a path joins keys, indices and fields by dots.

    >>> tree.items({"c1": {"w": 1, "b": 2}, "rest": [3]})
    [('c1.b', 2), ('c1.w', 1), ('rest.0', 3)]
    """
    return nodes.named_leaves(tree)


def flatten(tree: Tree) -> tuple[list[Any], Callable[[list[Any]], Tree]]:
    """Return the leaves and `unflatten(leaves)`, which puts as many leaves back in their places.

    `unflatten` raises `ValueError` when it is given another number of leaves.

    >>> leaves, unflatten = tree.flatten({"w": 1, "b": [2, 3]})
    >>> unflatten([10 * leaf for leaf in leaves])
    {'b': [20, 30], 'w': 10}
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

    >>> vector, unravel = tree.ravel({"w": np.ones((1, 2)), "b": np.zeros(1)})
    >>> vector
    array([0., 1., 1.])
    >>> unravel(np.array([1.0, 2.0, 3.0]))
    {'b': array([1.]), 'w': array([[2., 3.]])}
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
    """Return the number of array entries in `tree` (a number counts as one).

    >>> tree.size({"w": np.ones((3, 4)), "b": np.zeros(4)})
    16
    """
    return sum(math.prod(np.shape(leaf)) for leaf in leaves(tree))


def describe(tree: Tree) -> str:
    """Return one line on a tree: how many numbers, in how many arrays, and the first and last paths.

    >>> tree.describe({"w": np.ones((3, 4)), "b": np.zeros(4)})
    '16 numbers in 2 leaves: b, w'
    """
    paths = [path for path, _ in items(tree)]
    if not paths:
        return "nothing"
    shown = paths if len(paths) <= 6 else [*paths[:3], "...", *paths[-2:]]
    arrays = "1 leaf" if len(paths) == 1 else f"{len(paths)} leaves"
    return f"{size(tree):,} numbers in {arrays}: {', '.join(path or 'the root' for path in shown)}"


def zeros_like(tree: Tree) -> Tree:
    """Return a tree of zeros with the shapes and dtypes of `tree`.

    >>> tree.zeros_like({"w": np.ones(2, np.float32)})
    {'w': array([0., 0.], dtype=float32)}
    """
    return map(np.zeros_like, tree)


def cast(tree: Tree, dtype: Any) -> Tree:
    """Return `tree` with its arrays of floats in another float dtype, such as `np.float64`.

    Arrays of whole numbers or booleans, and Python's numbers, stay as they are; so do arrays that have the dtype
    already. Raises `TypeError` for a dtype of no floats and, naming the path, for a leaf that is complex, or neither a
    number nor an array of numbers; `ValueError` for a number beyond the dtype's range.

    >>> tree.cast({"w": np.ones(2, np.float32), "step": np.array(3)}, np.float64)
    {'step': array(3), 'w': array([1., 1.])}
    """
    wanted = np.dtype(dtype)
    if wanted.kind != "f":
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

    >>> tree.allclose({"w": np.array([1.0])}, {"w": np.array([1.0 + 1e-9])})
    True
    """
    nodes.check_alike(a, b)
    pairs = [(path, left, right) for (path, left), right in zip(items(a), leaves(b), strict=True)]
    for path, left, right in pairs:
        for leaf in (left, right):
            if _kind(leaf) not in "biufc":
                raise TypeError(f"allclose: {path or 'the root'} is {_noun(leaf)}, expected numbers")
        if np.shape(left) != np.shape(right):
            shapes = f"shape {np.shape(left)} against {np.shape(right)}"
            raise TypeError(f"trees differ at {path or 'the root'}: {shapes}")
    return all(np.allclose(left, right, rtol, atol) for _, left, right in pairs)


def _kind(leaf: Any) -> str:
    """Return the kind of a leaf's dtype, "O" for what is no number and no array of numbers."""
    return np.asarray(leaf).dtype.kind if isinstance(leaf, np.ndarray | np.generic | numbers.Number) else "O"


def _noun(leaf: Any) -> str:
    return f"an array of {leaf.dtype}" if isinstance(leaf, np.ndarray) else f"a {type(leaf).__name__}"
