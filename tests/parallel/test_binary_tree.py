"""Sums along a binary tree: the order of the additions is the same for every number of ranks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn.parallel.binary_tree import TreeSum, own_leaves, sum_over_ranks
from functional_nn.parallel.flat import layout_of
from tests.parallel.thread_ranks import queue_ranks, results

SIZES = [1, 2, 4, 8]
COUNTS = range(1, 41)


class Written(str):
    """A sum as it is written: it shows the order of the additions."""

    def __add__(self, other):
        return Written(f"({self}+{other})")


def written(count, low=0, width=64):
    """The sum of the leaves from `low` on, by halves of `width` leaves: None where there are no such leaves."""
    if low >= count:
        return None
    if width == 1:
        return str(low)
    left, right = (written(count, start, width // 2) for start in (low, low + width // 2))
    return left if right is None else f"({left}+{right})"


def summed(leaves, add):
    total = TreeSum(add)
    for leaf in leaves:
        total.put(leaf)
    return total.result()


def over_ranks(size, leaves, add, spoilt):
    """What each rank gets, of leaves that are lists of arrays."""
    every = queue_ranks(size, spoilt)

    def task(ranks):
        own = own_leaves(len(leaves), ranks.rank, ranks.size)
        mine = summed([leaves[i] for i in own], add)
        return sum_over_ranks(ranks, mine, len(leaves), layout_of([np.zeros(1)] * len(leaves[0])))

    return results(every, task), every


def test_the_oracle_by_hand():
    sums = {1: "0", 2: "(0+1)", 3: "((0+1)+2)", 5: "(((0+1)+(2+3))+4)", 6: "(((0+1)+(2+3))+(4+5))"}
    assert {count: written(count) for count in sums} == sums
    assert written(7) == "(((0+1)+(2+3))+((4+5)+6))"


@pytest.mark.parametrize("count", COUNTS)
def test_one_rank_adds_by_halves(count):
    assert summed(map(str, range(count)), lambda left, right: f"({left}+{right})") == written(count)


def test_no_values_have_no_sum():
    assert summed([], None) is None


@pytest.mark.parametrize("size", SIZES)
def test_all_ranks_get_the_sum_by_halves_whatever_their_number(size):
    for count in COUNTS:
        leaves = [[np.array([Written(i)], object), np.array([Written(-i)], object)] for i in range(count)]
        add = lambda left, right: [a + b for a, b in zip(left, right, strict=True)]  # noqa: E731
        sums, every = over_ranks(size, leaves, add, Written("spoilt"))
        for ranks in every:
            for array in ranks.lent:  # as the next sum does
                array[...] = Written("spoilt")
        for first, second in sums:
            assert first.tolist() == [written(count)]
            assert second[0].replace("-", "") == written(count)


@pytest.mark.parametrize("size", SIZES)
def test_ranks_exchange_with_neighbours_then_with_pairs(size):
    _, every = over_ranks(size, [[np.ones(1)]] * 3, lambda a, b: [a[0] + b[0]], np.nan)
    for ranks in every:
        assert ranks.partners == [ranks.rank ^ 1, ranks.rank ^ 2, ranks.rank ^ 4][: size.bit_length() - 1]


@given(st.integers(1, 40), st.integers(0, 10_000))
def test_the_bits_of_a_float_sum_are_the_same_for_every_number_of_ranks(count, seed):
    rng = np.random.default_rng(seed)
    leaves = [
        [rng.standard_normal(3).astype(np.float32) * np.float32(10.0) ** rng.integers(-4, 5)] for _ in range(count)
    ]

    def expected(low=0, width=64):
        if low >= count or width == 1:
            return leaves[low][0] if low < count else None
        left, right = expected(low, width // 2), expected(low + width // 2, width // 2)
        return left if right is None else left + right

    for size in SIZES:
        for (total,) in over_ranks(size, leaves, lambda a, b: [a[0] + b[0]], np.nan)[0]:
            np.testing.assert_array_equal(total, expected(), strict=True)


@pytest.mark.parametrize("size", SIZES)
def test_every_leaf_has_one_rank_and_groups_are_aligned(size):
    for count in COUNTS:
        shares = [own_leaves(count, rank, size) for rank in range(size)]
        assert [leaf for share in shares for leaf in share] == list(range(count))
        width = len(shares[0]) if any(shares[1:]) else None
        for rank, share in enumerate(shares):
            if share and width:
                assert share.start == rank * width
                assert width & (width - 1) == 0
                assert len(share) <= width


def test_few_leaves_leave_ranks_without_any():
    assert [list(own_leaves(3, rank, 4)) for rank in range(4)] == [[0], [1], [2], []]
    assert [list(own_leaves(5, rank, 4)) for rank in range(4)] == [[0, 1], [2, 3], [4], []]
    assert [list(own_leaves(1, rank, 2)) for rank in range(2)] == [[0], []]
