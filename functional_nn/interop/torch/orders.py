"""The orders in which PyTorch holds the entries of an example.

It holds an image (channels, height, width), so a flattened image has its entries in another order there. The `dense`
layer that takes them must have its rows in this order. A `dense` layer that is reshaped to an image must have its
columns in it. What other layers give vectors may be in any order, as long as all agree.
"""

from __future__ import annotations

import math

import numpy as np

from functional_nn.layer import Shape

__all__ = ["Order", "axes_in_torch", "indices_in_torch"]


def axes_in_torch(shape: Shape) -> tuple[int, ...]:
    """Return our axes of an example in PyTorch's order: those of an image are (channels, height, width)."""
    return (2, 0, 1) if len(shape) == 3 else tuple(range(len(shape)))


def indices_in_torch(shape: Shape) -> np.ndarray:
    """Return which of our entries, in row-major order, stands at each of PyTorch's places."""
    return np.arange(math.prod(shape)).reshape(shape).transpose(axes_in_torch(shape)).reshape(-1)


class Order:
    """The order of a vector's entries in PyTorch; open until something settles it, and ours if nothing does."""

    def __init__(self, size: int, indices: np.ndarray | None = None) -> None:
        self.size = size
        self._indices = indices
        self._joined: Order | None = None

    @property
    def indices(self) -> np.ndarray:
        """Which of our entries stands at each of PyTorch's places."""
        indices = self._root()._indices
        return np.arange(self.size) if indices is None else indices

    def settle(self, indices: np.ndarray) -> bool:
        """Settle an open order; return whether it is this one now."""
        root = self._root()
        if root._indices is None:
            root._indices = indices
        return np.array_equal(root._indices, indices)

    def join(self, other: Order) -> bool:
        """Let two orders be one if either is open; return whether they are equal now."""
        mine, others = self._root(), other._root()
        if mine is others:
            return True
        if mine._indices is None:
            mine._joined = others
            return True
        return others.settle(mine._indices)

    def _root(self) -> Order:
        return self if self._joined is None else self._joined._root()
