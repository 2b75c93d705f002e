"""Memory order: which axis of an array runs slowest and which fastest, and new arrays in another's order.

Images are (n, h, w, c) to the caller, but convolutions return them with the batch innermost, as (h, c, w, n), and
ufuncs keep that order by themselves. A layer that allocates an array of its own follows its input's order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from functional_nn.layer import Shape


def memory_order(x: np.ndarray) -> tuple[int, ...]:
    """Return the axes of x from the slowest to the fastest."""
    return tuple(sorted(range(x.ndim), key=[-abs(stride) for stride in x.strides].__getitem__))


def empty_in_order(
    order: tuple[int, ...], shape: Shape, dtype: np.dtype[Any], allocate: Callable[..., np.ndarray] = np.empty
) -> np.ndarray:
    """Return a new array of `shape` whose axes lie in `order` in memory: `allocate` makes it."""
    array = allocate([shape[axis] for axis in order], dtype)
    return array.transpose(_inverse(order))


@cache
def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))
