"""The cost model: exact examples, and laws."""

from __future__ import annotations

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

STEP = Step(chunk=10.0, rest=3.0, size=100, arrays=4)
EXCHANGE = Exchange(fixed=2.0, a_byte=0.01, packing=0.25)
steps = st.builds(
    Step, chunk=st.floats(1e-4, 1.0), rest=st.floats(0, 1.0), size=st.integers(1, 10**8), arrays=st.integers(1, 99)
)
exchanges = st.builds(Exchange, fixed=st.floats(0, 1e-3), a_byte=st.floats(0, 1e-8), packing=st.floats(0, 1e-4))


@pytest.mark.parametrize(
    ("chunks", "ranks", "seconds"),
    [
        (1, 1, 13.0),
        (1, 64, 13.0),  # all compute the only chunk, and exchange nothing
        (4, 1, 43.0),
        (4, 2, 20 + 3 + 4 * 0.25 + 1 * (2 + 1)),
        (4, 4, 10 + 3 + 4 * 0.25 + 2 * (2 + 1)),
        (4, 16, 10 + 3 + 4 * 0.25 + 4 * (2 + 1)),  # four ranks have a chunk, all take part in the sum
        (5, 2, 40 + 3 + 4 * 0.25 + 1 * (2 + 1)),  # the first rank's branch has four chunks
    ],
)
def test_the_seconds_of_a_step(chunks, ranks, seconds):
    assert step_seconds(STEP, EXCHANGE, chunks, ranks) == pytest.approx(seconds)


@pytest.mark.parametrize(("chunks", "ranks", "own"), [(1, 1, 1), (8, 2, 4), (5, 2, 4), (5, 4, 2), (3, 4, 1), (7, 1, 7)])
def test_the_chunks_of_the_busiest_rank(chunks, ranks, own):
    assert chunks_of_a_rank(chunks, ranks) == own


@given(st.integers(1, 200), st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_the_busiest_rank_is_that_of_the_binary_tree(chunks, ranks):
    from functional_nn.parallel.binary_tree import own_leaves

    assert chunks_of_a_rank(chunks, ranks) == max(len(own_leaves(chunks, rank, ranks)) for rank in range(ranks))


def test_a_link_adds_its_latency_and_what_each_byte_takes():
    over = EXCHANGE.over(Link(latency=0.5, bandwidth=50.0))
    assert over.seconds(100) == pytest.approx(EXCHANGE.seconds(100) + 0.5 + 2.0)
    assert over.packing == EXCHANGE.packing


def test_ranks_beyond_the_cores_take_turns():
    assert [crowded(3.0, ranks, 2) for ranks in (1, 2, 4)] == [3.0, 3.0, 6.0]


@given(steps, exchanges, st.integers(1, 100), st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_no_number_of_ranks_is_more_than_its_own_times_faster(step, exchange, chunks, ranks):
    times = speedup(step, exchange, chunks, ranks)
    assert 0 < times <= ranks * (1 + 1e-12)
    assert ranks > 1 or times == 1


@given(steps, st.sampled_from([2, 4, 8, 16, 32, 64]))
def test_with_nothing_but_chunks_each_rank_counts_in_full(step, ranks):
    free = Step(step.chunk, 0.0, step.size, step.arrays)
    assert speedup(free, Exchange(0.0, 0.0), 64, ranks) == pytest.approx(ranks)


def test_where_adding_ranks_stops_paying():
    assert limits(Step(1.0, 0.0, 0, 0), Exchange(0.0, 0.0), chunks=8) == Limits(paying=16, fastest=8)
    slow = Exchange(fixed=10.0, a_byte=0.0)
    assert limits(Step(1.0, 0.0, 0, 0), slow, chunks=8) == Limits(paying=1, fastest=1)


@given(
    st.floats(1e-6, 1e-2), st.floats(1e-12, 1e-7), st.floats(1e-8, 1e-4)
)  # costs that measurements without noise must give back
def test_the_fit_finds_the_costs_of_exact_measurements(fixed, a_byte, packing):
    sizes, arrays = [4_000, 400_000, 4_000_000, 8_000, 262_000], [1, 1, 1, 20, 10]
    seconds = [fixed + size * a_byte + count * packing for size, count in zip(sizes, arrays, strict=True)]
    found = fitted(sizes, arrays, seconds)
    again = [found.seconds(size) + count * found.packing for size, count in zip(sizes, arrays, strict=True)]
    assert again == pytest.approx(seconds, rel=1e-6)


def test_too_few_sizes_do_not_tell_the_costs():
    with pytest.raises(ValueError, match="3 exchanges do not tell what bytes and what arrays cost"):
        fitted([100, 100, 100], [1, 2, 3], [1.0, 2.0, 3.0])


def test_powers_of_two():
    assert [powers_of_two(most) for most in (1, 2, 6, 64)] == [[1], [1, 2], [1, 2, 4], [1, 2, 4, 8, 16, 32, 64]]
