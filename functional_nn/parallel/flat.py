"""Layouts of arrays in memory, and a tree of arrays as a few vectors, which one addition adds and one message sends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functional_nn import tree
from functional_nn.arguments import ARRAYS
from functional_nn.nodes import Tree

__all__ = ["Arrays", "Flat", "Layout", "axes_of", "compact", "layout_of", "row_major"]

Arrays = list[np.ndarray]
# of arrays: their shapes, dtypes and the order of their axes in memory, the outermost first; None: row-major
Layout = list[tuple[tuple[int, ...], np.dtype[Any], tuple[int, ...] | None]]

ALIGNMENT = 64  # bytes: of a cache line, and of the widest registers


class Flat:
    """Where the arrays of a tree lie in vectors, one for each dtype.

    >>> from functional_nn.parallel.flat import Flat
    >>> flat = Flat({"w": np.ones((2, 3)), "b": np.zeros(3)})
    >>> vectors = flat.pack({"w": np.ones((2, 3)), "b": np.full(3, 2.0)})
    >>> flat.placed([2 * vector for vector in vectors])["b"]
    array([4., 4., 4.])
    """

    def __init__(self, like: Tree) -> None:
        ends: dict[np.dtype[Any], int] = {}
        places = []
        for leaf in tree.leaves(like):
            step, start = max(1, ALIGNMENT // leaf.dtype.itemsize), ends.get(leaf.dtype, 0)
            size = math.prod(leaf.shape)
            ends[leaf.dtype] = start + -(-size // step) * step
            places.append((list(ends).index(leaf.dtype), start, start + size, leaf.shape))
        self.layout: Layout = [((size,), dtype, None) for dtype, size in ends.items()]
        self._places = places
        self._like = tree.map(lambda leaf: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape), like)

    def fits(self, arrays: Tree) -> bool:
        """Return whether the tree has these dtypes and shapes."""
        try:
            tree.map_arrays(lambda leaf, _: leaf, self._like, arrays)
        except TypeError:
            return False
        return True

    def pack(self, arrays: Tree) -> list[np.ndarray]:
        """Return new vectors that hold the arrays. Raises `TypeError` for another tree, shape or dtype."""
        vectors, places = [np.zeros(shape, dtype) for shape, dtype, _ in self.layout], iter(self._places)

        def put(_: np.ndarray, leaf: np.ndarray) -> np.ndarray:
            vector, start, stop, shape = next(places)
            vectors[vector][start:stop].reshape(shape)[...] = leaf
            return leaf

        tree.map_arrays(put, self._like, arrays)
        return vectors

    def placed(self, vectors: list[np.ndarray]) -> Tree:
        """Return the tree whose arrays are parts of the vectors."""
        places = iter(self._places)

        def part(_: Any) -> np.ndarray:
            vector, start, stop, shape = next(places)
            return vectors[vector][start:stop].reshape(shape)

        return tree.map(part, self._like)


def layout_of(arrays: Arrays) -> Layout:
    """Return the arrays' layout. Raises `TypeError` for an array of objects."""
    for array in arrays:
        if array.dtype.hasobject:
            remedy = "convert it to numbers or to text of one length, such as dtype U8"
            raise TypeError(f"an array of dtype {array.dtype} holds addresses, which no other process knows: {remedy}")
    return [(array.shape, array.dtype, None if array.flags.c_contiguous else axes_of(array)) for array in arrays]


def axes_of(array: np.ndarray) -> tuple[int, ...]:
    """Return the order of an array's axes in memory, the outermost first."""
    return tuple(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))


def compact(leaf: Any) -> Any:
    """Return an array without gaps in memory, its axes in their order, as messages give it back."""
    if type(leaf) not in ARRAYS:
        return leaf  # it is refused where it is used
    array = np.asarray(leaf)  # of a memory map, too
    if array.flags.c_contiguous:
        return array
    axes = axes_of(array)
    return np.ascontiguousarray(array.transpose(axes)).transpose(np.argsort(axes))


def row_major(leaf: Any) -> Any:
    """Return an array as files and messages give it back: the order in memory may change the last bits of a result."""
    return np.asarray(leaf, order="C") if type(leaf) in ARRAYS else leaf  # others are refused where they are used
