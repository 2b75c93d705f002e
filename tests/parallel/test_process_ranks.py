"""The ranks of one machine's processes, here as threads with the same pipes: sums and values pass between all."""

from __future__ import annotations

import random
import threading
import time
from contextlib import ExitStack

import numpy as np
import pytest

from functional_nn.parallel.binary_tree import TreeSum, own_leaves, sum_over_ranks
from functional_nn.parallel.flat import layout_of
from functional_nn.parallel.process_ranks import REQUESTS, partners
from tests.parallel.thread_ranks import piped_ranks, results

SIZES = [2, 4, 8]


@pytest.fixture(params=SIZES)
def every(request):
    with ExitStack() as stack:
        yield piped_ranks(request.param, stack)


def dawdle(ranks, step):
    """Now this rank is ahead, now that one."""
    time.sleep(random.Random(100 * step + ranks.rank).choice([0.0, 0.0, 0.003]))


def test_partners_are_neighbours_then_pairs():
    assert {rank: partners(rank, 8) for rank in (0, 5)} == {0: [1, 2, 4], 5: [4, 7, 1]}
    assert partners(0, 1) == []


def test_values_are_gathered_in_the_order_of_the_ranks(every):
    def task(ranks):
        gathered = []
        for step in range(5):
            dawdle(ranks, step)
            gathered.append(ranks.gather((ranks.rank, step)))
        return gathered

    size = len(every)
    assert results(every, task) == [[[(rank, step) for rank in range(size)] for step in range(5)]] * size


def test_large_values_are_gathered_although_all_send_at_once(every):
    """More than a socket holds, and arrays, which lie in shared memory."""
    values = results(every, lambda ranks: ranks.gather((str(ranks.rank) * 1_000_000, np.full(100_000, ranks.rank))))
    for gathered in values:
        for rank, (text, array) in enumerate(gathered):
            assert text == str(rank) * 1_000_000
            assert array.tolist() == [rank] * 100_000


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13])
def test_sum_after_sum_is_right_whoever_is_ahead(every, count):
    """With room for one message alone, a rank that is ahead would overwrite what the other still reads."""
    steps, size = 12, len(every)
    leaves = np.random.default_rng(0).standard_normal((steps, count, 1000)).astype(np.float32)

    def task(ranks):
        sums = []
        for step in range(steps):
            dawdle(ranks, step)
            total = TreeSum(lambda a, b: [a[0] + b[0]])
            for leaf in own_leaves(count, ranks.rank, size):
                total.put([leaves[step, leaf]])
            sums.append(sum_over_ranks(ranks, total.result(), count, layout_of([leaves[0, 0]]))[0])
        return sums

    for sums in results(every, task):
        for step in range(steps):
            alone = TreeSum(lambda a, b: a + b)
            for leaf in leaves[step]:
                alone.put(leaf)
            np.testing.assert_array_equal(sums[step], alone.result())


def test_what_an_exchange_returned_stands_until_the_next_one(every):
    """The other rank is one exchange ahead while this one reads."""
    ahead = threading.Event()

    def task(ranks):
        partner = ranks.rank ^ 1
        layout = layout_of([np.zeros(1000)])
        (first,) = ranks.exchange(partner, [np.full(1000, 1.0 + ranks.rank)], layout)
        if ranks.rank == 0:
            ahead.wait(10)
            time.sleep(0.05)  # rank 1 has sent its second message, and waits for ours
        if ranks.rank == 1:
            ahead.set()
        kept = first.tolist()
        ranks.exchange(partner, [np.full(1000, 9.0)], layout)
        return kept == [1.0 + partner] * 1000

    assert results(every, task) == [True] * len(every)


def test_a_rank_with_nothing_to_add_gets_the_sum_and_keeps_it(every):
    def task(ranks):
        own = [np.array([5.0])] if ranks.rank == 0 else None
        (total,) = sum_over_ranks(ranks, own, 1, layout_of([np.zeros(1)]))
        for _ in range(3):  # the sums that follow must not be written into this one
            sum_over_ranks(ranks, None if own is None else [np.array([7.0])], 1, layout_of([np.zeros(1)]))
        return total.tolist()

    assert results(every, task) == [[5.0]] * len(every)


def test_requests_come_in_turn_until_there_is_nothing_more(every):
    def task(ranks):
        if ranks.rank > 0:
            return [(value, [array.tolist() for array in arrays]) for value, arrays in ranks.requests()]
        for number in range(4):
            for other in range(1, ranks.size):
                ranks.pipes[other].send((number, other))
                ranks.pipes[other].send_arrays([np.arange(number), np.ones(1)], REQUESTS)
        for other in range(1, ranks.size):
            ranks.pipes[other].send(None)
        return None

    for rank, requests in enumerate(results(every, task)[1:], 1):
        assert requests == [((number, rank), [list(range(number)), [1.0]]) for number in range(4)]
