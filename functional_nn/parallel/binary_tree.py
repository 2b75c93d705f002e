"""The order in which the chunks of a batch are added up: the same for threads, processes and machines.

Chunk i is leaf i of a binary tree. A node is the sum of its left and its right half; the right half may lack chunks.
An aligned group of 2 ** k leaves is a subtree of its own, whoever computes it. So each rank takes a group, all of equal
size, and sums it. Then the ranks add up each other's sums along the rest of the tree. No bit depends on how many ranks
there are.

    chunks     0   1   2   3   4   5
               +---+   +---+   +---+
                 +-------+       |       2 ranks: rank 0 takes chunks 0 to 3, rank 1 chunks 4 and 5
                     +-----------+       4 ranks: 0 and 1; 2 and 3; 4 and 5; none
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from functional_nn.parallel.flat import Arrays, Layout
from functional_nn.parallel.ranks import Ranks

__all__ = ["TreeSum", "own_leaves", "sum_over_ranks"]

Value = TypeVar("Value")


class TreeSum(Generic[Value]):
    """The sum of values that come in the order of their leaves, the first one a group's first.

    >>> from functional_nn.parallel.binary_tree import TreeSum
    >>> total = TreeSum(lambda left, right: f"({left}+{right})")
    >>> for chunk in "abcdef":
    ...     total.put(chunk)
    >>> total.result()
    '(((a+b)+(c+d))+(e+f))'
    """

    def __init__(self, add: Callable[[Value, Value], Value]) -> None:
        self._add = add
        self._sums: list[tuple[int, Value]] = []  # whole subtrees, each with its height, from left to right

    def put(self, value: Value) -> None:
        """Add the next leaf's value."""
        height = 0
        while self._sums and self._sums[-1][0] == height:
            _, left = self._sums.pop()
            value, height = self._add(left, value), height + 1
        self._sums.append((height, value))

    def result(self) -> Value | None:
        """Return the sum, None of no values."""
        if not self._sums:
            return None
        *before, (_, total) = self._sums
        for _, left in reversed(before):
            total = self._add(left, total)
        return total


def own_leaves(count: int, rank: int, size: int) -> range:
    """Return which of `count` leaves a rank of so many takes."""
    width = _width(count, size)
    return range(min(count, rank * width), min(count, (rank + 1) * width))


def sum_over_ranks(ranks: Ranks, own: Arrays | None, count: int, layout: Layout) -> Arrays:
    """Return the sum of all ranks' sums over their `own_leaves`; `own` is None where there are none.

    All arrays are of the layout. Ranks exchange sums with their neighbour, then pairs with pairs, and so on: log2 of
    their number of exchanges, after which each has the whole.
    """
    width, reach = _width(count, ranks.size), 1
    while reach < ranks.size:
        partner = ranks.rank ^ reach
        they_have_some = partner // reach * reach * width < count
        theirs = ranks.exchange(partner, own, layout if they_have_some else None)
        if own is None:
            own = None if theirs is None else [array.copy() for array in theirs]
        elif theirs is not None:
            left, right = (own, theirs) if ranks.rank < partner else (theirs, own)
            own = [a + b for a, b in zip(left, right, strict=True)]
        reach *= 2
    assert own is not None  # leaf 0 has a rank
    return own


def _width(count: int, size: int) -> int:
    """Return how many leaves a rank's group has: a power of two."""
    width = 1
    while width * size < count:
        width *= 2
    return width
