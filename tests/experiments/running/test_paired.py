"""Intervals over seeds, by numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.running.paired import Difference, paired, ranks, t_interval, told_apart


def test_the_interval_of_a_mean_is_the_hand_worked_one():
    """1, 2, 3, 4, 5: mean 3, deviation sqrt(10 / 4) = 1.581, its error 0.7071; t(0.975, 4) = 2.776 (Student)."""
    low, high = t_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    assert (low, high) == (pytest.approx(3 - 2.776 * 0.70711, abs=4e-4), pytest.approx(3 + 2.776 * 0.70711, abs=4e-4))


def test_a_difference_is_taken_seed_by_seed():
    """The differences are 0.1, 0.2 and 0.3: mean 0.2, error 0.1 / sqrt(3) = 0.05774, t(0.975, 2) = 4.303."""
    found = paired([0.5, 0.9, 0.4], [0.4, 0.7, 0.1])
    assert found.mean == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - 4.303 * 0.057735, abs=2e-5)
    assert found.high == pytest.approx(0.2 + 4.303 * 0.057735, abs=2e-5)
    assert not found.shows
    assert str(found) == "+0.200 (-0.048 to +0.448)"


def test_several_comparisons_widen_each_interval_by_bonferroni():
    """Ten intervals at once: t(1 - 0.05 / 20, 2) = t(0.9975, 2) = 14.089."""
    found = paired([0.5, 0.9, 0.4], [0.4, 0.7, 0.1], comparisons=10)
    assert found.high - found.mean == pytest.approx(14.089 * 0.057735, abs=2e-5)


def test_one_seed_has_no_interval_and_puts_nothing_in_order():
    assert paired([0.5], [0.25]) == Difference(0.25, None, None)
    assert not paired([0.5], [0.25]).shows
    assert str(paired([0.5], [0.25])) == "+0.250"
    assert t_interval([0.5]) is None
    assert ranks([[0.5], [0.1], [0.9]]) == [(1, 3)] * 3


def test_only_intervals_that_exclude_zero_put_rows_in_order():
    """The first two differ by chance: -0.01, 0.01, -0.01 and 0.01. The third lies 0.5 below both."""
    first = [0.90, 0.92, 0.91, 0.93]
    second = [0.91, 0.91, 0.92, 0.92]
    third = [0.401, 0.42, 0.41, 0.43]
    assert ranks([first, second, third]) == [(1, 2), (1, 2), (3, 3)]
    assert ranks([third, first]) == [(2, 2), (1, 1)]


def test_rows_that_are_equal_seed_by_seed_share_their_rank():
    assert ranks([[0.1, 0.9], [0.1, 0.9]]) == [(1, 2), (1, 2)]


def test_a_difference_that_is_the_same_for_every_seed_shows():
    assert paired([0.25, 0.5], [0.0, 0.25]) == Difference(0.25, 0.25, 0.25)
    assert paired([0.25, 0.5], [0.0, 0.25]).shows


@given(st.lists(st.lists(st.integers(0, 50), min_size=3, max_size=3), min_size=1, max_size=5), st.randoms())
def test_ranks_go_with_their_rows(figures, random):
    """Another order of the rows gives the same ranks in that order, and the ranks of some row include every place."""
    order = list(range(len(figures)))
    random.shuffle(order)
    found = ranks(figures)
    assert ranks([figures[i] for i in order]) == [found[i] for i in order]
    assert all(low <= high for low, high in found)
    assert all(any(low <= place <= high for low, high in found) for place in range(1, 1 + len(figures)))


def test_the_interval_holds_the_mean_of_95_in_100_samples():
    rng = np.random.default_rng(0)
    intervals = [t_interval(sample) for sample in rng.normal(3.0, 2.0, (2000, 5)).tolist()]
    held = np.mean([low <= 3.0 <= high for low, high in intervals])
    assert abs(held - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 2000)


def test_shares_are_told_apart_where_their_difference_exceeds_its_interval():
    """0.5 of 200 images has the variance 0.25 / 200, a difference of two twice that: 1.96 sqrt(0.0025) = 0.098."""
    assert not told_apart(0.5, 0.597, 200)
    assert told_apart(0.5, 0.6, 200)
    assert told_apart(0.6, 0.5, 200)
    assert not told_apart(1.0, 1.0, 200)
