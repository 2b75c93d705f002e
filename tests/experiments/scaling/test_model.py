"""The cost model: exact examples, laws, and the library's own sharing of chunks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.scaling.model import (
    Exchange,
    Limits,
    Link,
    Step,
    chunks_of_a_rank,
    crowded,
    fitted,
    limits,
    powers_of_two,
    speedup,
    step_seconds,
)
from functional_nn.parallel.binary_tree import own_leaves
from tests.refusals import refused

STEP = Step(chunk=10.0, rest=2.0, size=1000, arrays=4)
EXCHANGE = Exchange(fixed=0.5, a_byte=0.001, packing=0.25)  # 1.5 an exchange of STEP, and 1 for its packing

seconds = st.floats(1e-6, 1e3)
costs = st.floats(0.0, 1e3)
chunk_counts = st.integers(1, 300)
rank_counts = st.sampled_from(powers_of_two(64))
steps = st.builds(Step, seconds, costs, st.integers(4, 10**8), st.integers(1, 500))
exchanges = st.builds(Exchange, costs, st.floats(0.0, 1e-6), costs)


@pytest.mark.parametrize(
    ("chunks", "ranks", "expected"),
    [
        (8, 1, 8 * 10.0 + 2.0),
        (8, 2, 4 * 10.0 + 2.0 + 1.0 + 1 * 1.5),
        (8, 4, 2 * 10.0 + 2.0 + 1.0 + 2 * 1.5),
        (8, 8, 1 * 10.0 + 2.0 + 1.0 + 3 * 1.5),
        (8, 64, 1 * 10.0 + 2.0 + 1.0 + 6 * 1.5),  # 56 ranks have no chunk, and take part in the exchange
        (6, 2, 4 * 10.0 + 2.0 + 1.0 + 1 * 1.5),  # 4 chunks and 2
        (3, 1, 3 * 10.0 + 2.0),
        (1, 64, 10.0 + 2.0),  # every rank computes the only chunk
    ],
)
def test_seconds_of_a_step_by_hand(chunks, ranks, expected):
    assert step_seconds(STEP, EXCHANGE, chunks, ranks) == pytest.approx(expected, rel=1e-12)


def test_a_network_adds_its_latency_and_every_byte_to_an_exchange():
    over = EXCHANGE.over(Link(latency=2.0, bandwidth=100.0))
    assert over.seconds(1000) == pytest.approx(1.5 + 2.0 + 10.0, rel=1e-12)
    assert over.packing == EXCHANGE.packing


def test_ranks_that_share_cores_take_turns():
    assert crowded(3.0, ranks=4, cores=2) == 6.0
    assert crowded(3.0, ranks=2, cores=2) == crowded(3.0, ranks=1, cores=2) == 3.0


def test_limits_by_hand():
    free = Exchange(0.0, 0.0)
    assert limits(Step(1.0, 0.0, 4, 1), free, chunks=16, most=64) == Limits(paying=32, fastest=16)
    # t = 17, 10, 7, 6, 6 on 1 to 16 ranks: 1.7, 2.43, 2.83 and 2.83 times faster
    assert limits(Step(1.0, 1.0, 4, 1), Exchange(1.0, 0.0), chunks=16, most=16) == Limits(paying=4, fastest=8)
    assert limits(Step(1.0, 0.0, 4, 1), Exchange(100.0, 0.0), chunks=16) == Limits(paying=1, fastest=1)


@given(chunk_counts, rank_counts)
def test_the_busiest_rank_takes_as_many_chunks_as_the_library_gives_it(chunks, ranks):
    assert chunks_of_a_rank(chunks, ranks) == max(len(own_leaves(chunks, rank, ranks)) for rank in range(ranks))


@given(steps, exchanges, chunk_counts)
def test_one_rank_exchanges_nothing(step, exchange, chunks):
    assert step_seconds(step, exchange, chunks, 1) == step_seconds(step, Exchange(0.0, 0.0), chunks, 1)
    assert speedup(step, exchange, chunks, 1) == 1.0


@given(steps, exchanges, chunk_counts, rank_counts)
def test_no_number_of_ranks_is_faster_than_its_share_nor_than_what_each_does(step, exchange, chunks, ranks):
    """Amdahl's law: a chunk and the rest are done by every rank, however many there are."""
    whole, parted = (step_seconds(step, exchange, chunks, count) for count in (1, ranks))
    assert parted >= whole / ranks * (1.0 - 1e-12)
    assert parted >= (step.chunk + step.rest) * (1.0 - 1e-12)


@given(steps, chunk_counts, rank_counts)
def test_without_costs_of_exchange_more_ranks_are_never_slower(step, chunks, ranks):
    free = Exchange(0.0, 0.0)
    assert step_seconds(step, free, chunks, 2 * ranks) <= step_seconds(step, free, chunks, ranks)


@given(steps, exchanges, chunk_counts, rank_counts, st.sampled_from([0.5, 2.0, 1024.0]))
def test_another_unit_of_time_changes_no_speedup(step, exchange, chunks, ranks, unit):
    slower = Step(unit * step.chunk, unit * step.rest, step.size, step.arrays)
    costlier = Exchange(unit * exchange.fixed, unit * exchange.a_byte, unit * exchange.packing)
    expected = speedup(step, exchange, chunks, ranks)
    assert speedup(slower, costlier, chunks, ranks) == pytest.approx(expected, rel=1e-12)


@given(steps, exchanges, st.integers(2, 300), st.sampled_from(powers_of_two(64)[1:]), seconds)
def test_latency_is_paid_once_for_each_doubling_of_the_ranks(step, exchange, chunks, ranks, latency):
    over = exchange.over(Link(latency, math.inf))
    added = step_seconds(step, over, chunks, ranks) - step_seconds(step, exchange, chunks, ranks)
    scale = step_seconds(step, over, chunks, ranks)
    assert added == pytest.approx(math.log2(ranks) * latency, abs=1e-12 * scale)


@given(exchanges.filter(lambda exchange: exchange.fixed > 1e-3))
def test_the_fit_of_exact_exchanges_finds_them(exchange):
    sizes, arrays = [4, 10**5, 10**6, 10**7, 10**5], [1, 1, 10, 3, 60]
    taken = [exchange.seconds(size) + count * exchange.packing for size, count in zip(sizes, arrays, strict=True)]
    found = fitted(sizes, arrays, taken)
    refound = [found.seconds(size) + count * found.packing for size, count in zip(sizes, arrays, strict=True)]
    assert refound == pytest.approx(taken, rel=1e-6)


def test_the_fit_weighs_relative_errors_and_has_no_negative_costs():
    found = fitted([4, 100, 10_000], [1, 2, 3], [1e-6, 1e-7, 1e-6])
    assert min(found.fixed, found.a_byte, found.packing) >= 0.0


def test_exchanges_that_do_not_tell_their_costs_apart_are_refused():
    with refused(ValueError, "3 exchanges do not tell what bytes and what arrays cost: measure other sizes"):
        fitted([4, 8, 16], [1, 1, 1], [1.0, 1.0, 1.0])


@pytest.mark.parametrize(("most", "expected"), [(1, [1]), (2, [1, 2]), (7, [1, 2, 4]), (64, [1, 2, 4, 8, 16, 32, 64])])
def test_powers_of_two_end_at_the_most(most, expected):
    assert powers_of_two(most) == expected
