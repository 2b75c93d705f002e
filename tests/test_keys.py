"""Keys: equal ones draw alike, all others do not."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import keys
from tests.refusals import refused

numbers = st.integers(0, 2**32 - 1)
some_keys = st.lists(numbers, min_size=1, max_size=3).map(tuple)


def draws(key):
    return keys.generator(key).integers(0, 2**63, 4).tolist()


@given(some_keys)
def test_equal_keys_give_equal_draws(key):
    assert draws(key) == draws(tuple(key))


@given(st.sets(some_keys, min_size=2, max_size=6))
def test_different_keys_give_different_draws(several):
    found = [tuple(draws(key)) for key in several]
    assert len(set(found)) == len(several)


def test_keys_do_not_collide_where_plain_tuples_do():
    plain = [np.random.default_rng(seed).integers(0, 2**63) for seed in ((1,), (1, 0), (1, 0, 0))]
    assert plain[0] == plain[1] == plain[2]
    ours = [tuple(draws(key)) for key in ((1,), (1, 0), (1, 0, 0), (0, 1), (0, 0, 1))]
    assert len(set(ours)) == len(ours)


def test_folding_separates_every_position_of_a_small_tree():
    every = [key for length in range(1, 4) for key in itertools.product(range(4), repeat=length)]
    assert len({tuple(draws(key)) for key in every}) == len(every)


@given(some_keys, numbers, numbers)
def test_fold_appends(key, i, j):
    assert keys.fold(key, i) == (*key, i)
    assert keys.fold(key, i, j) == keys.fold(keys.fold(key, i), j) == (*key, i, j)


def test_an_int_is_a_key_of_one():
    assert keys.fold(7) == (7,)
    assert keys.fold(7, 1) == (7, 1)
    assert draws(7) == draws((7,))
    assert keys.fold(np.int64(7), np.uint8(1)) == (7, 1)
    assert keys.fold(np.int64(0), np.uint8(0)) == (0, 0)
    assert all(type(i) is int for i in keys.fold(np.int64(7), np.uint8(1)))


def test_generators_do_not_share_state_with_each_other_or_with_numpy():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    first, second = keys.generator(3), keys.generator(3)
    first.random(10)
    assert second.random() == keys.generator(3).random()
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_the_draws_of_a_key_are_those_of_its_seed_sequence():
    sequence = np.random.SeedSequence(5, spawn_key=(2, 3))
    assert draws((5, 2, 3)) == np.random.default_rng(sequence).integers(0, 2**63, 4).tolist()


@pytest.mark.parametrize("bad", [-1, (), (1, -1), 1.0, "1", None, (1, 2.0), True, (True,), [1, 2], ((1,),)])
def test_what_is_no_key_is_refused(bad):
    for use in (keys.generator, lambda key: keys.fold(key, 1)):
        with pytest.raises(ValueError, match=r"^a key is a non-negative int or a tuple of them, got "):
            use(bad)


@pytest.mark.parametrize("bad", [-1, 1.5, "a", None, True])
def test_what_cannot_be_folded_in_is_refused(bad):
    with refused(ValueError, f"a key is a non-negative int or a tuple of them, got {(1, bad)!r}"):
        keys.fold(1, bad)


def test_numbers_that_would_spill_into_the_next_are_refused():
    assert keys.fold(2**128 - 1, 2**32 - 1) == (2**128 - 1, 2**32 - 1)
    for bad in (2**128, (1, 2**32)):
        with refused(ValueError, f"key {bad!r}: the first number must be below 2**128, the folded ones below 2**32"):
            keys.generator(bad)
