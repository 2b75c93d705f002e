from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn.data import batches, one_hot
from functional_nn.data.batching import shuffled

sizes = st.integers(1, 40)
keys = st.none() | st.integers(0, 2**40)


def examples(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(2 * n, dtype=np.float32).reshape(n, 2), np.arange(n)


@given(n=sizes, batch_size=sizes, key=keys)
def test_every_example_comes_once_and_keeps_its_target(n: int, batch_size: int, key: int | None) -> None:
    x, y = examples(n)
    found = list(batches(x, y, batch_size, key))
    assert [len(xb) for xb, _ in found[:-1]] == [batch_size] * (len(found) - 1)
    assert 1 <= len(found[-1][0]) <= batch_size
    targets = np.concatenate([yb for _, yb in found])
    np.testing.assert_array_equal(np.sort(targets), y)
    np.testing.assert_array_equal(np.concatenate([xb for xb, _ in found]), x[targets])


@given(n=sizes, batch_size=sizes)
def test_without_a_key_the_order_is_kept(n: int, batch_size: int) -> None:
    x, y = examples(n)
    np.testing.assert_array_equal(np.concatenate([yb for _, yb in batches(x, y, batch_size, None)]), y)


def test_a_key_fixes_the_order_and_another_key_draws_another() -> None:
    x, y = examples(100)
    orders = [np.concatenate([yb for _, yb in batches(x, y, 7, key)]) for key in (1, 1, 2, (1, 0))]
    np.testing.assert_array_equal(orders[0], orders[1])
    assert not np.array_equal(orders[0], orders[2])
    assert not np.array_equal(orders[0], orders[3])
    assert not np.array_equal(orders[0], y)


@given(n=sizes, batch_size=sizes, key=keys)
def test_drop_last_leaves_out_the_short_batch_alone(n: int, batch_size: int, key: int | None) -> None:
    if n < batch_size:
        return
    x, y = examples(n)
    whole = list(batches(x, y, batch_size, key))
    dropped = list(batches(x, y, batch_size, key, drop_last=True))
    assert len(dropped) == n // batch_size
    for (xa, ya), (xb, yb) in zip(dropped, whole[: len(dropped)], strict=True):
        assert len(xa) == batch_size
        np.testing.assert_array_equal(xa, xb)
        np.testing.assert_array_equal(ya, yb)


def test_a_drawn_batch_is_a_copy_and_an_ordered_one_a_view() -> None:
    x, y = examples(10)
    drawn, _ = next(batches(x, y, 4, 0))
    ordered, _ = next(batches(x, y, 4, None))
    assert not np.shares_memory(drawn, x)
    assert np.shares_memory(ordered, x)


@given(n=sizes, batch_size=sizes, key=st.integers(0, 2**40) | st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_the_batches_are_those_of_the_drawn_indices(n: int, batch_size: int, key: int | tuple[int, ...]) -> None:
    first, *rest = (key,) if isinstance(key, int) else key
    order = np.random.default_rng(np.random.SeedSequence(first, spawn_key=tuple(rest))).permutation(n)
    indices = shuffled(n, batch_size, key)
    assert [chosen.tolist() for chosen in indices] == [
        order[i : i + batch_size].tolist() for i in range(0, n, batch_size)
    ]
    x, y = examples(n)
    found = list(batches(x, y, batch_size, key))
    assert len(found) == len(indices)
    for chosen, (xb, yb) in zip(indices, found, strict=True):
        np.testing.assert_array_equal(xb, x[chosen])
        np.testing.assert_array_equal(yb, y[chosen])


@pytest.mark.parametrize(
    ("n", "m", "batch_size", "drop_last", "message"),
    [
        (5, 4, 2, False, "x has 5 examples, y has 4"),
        (5, 5, 0, False, "batch_size=0"),
        (5, 5, -1, False, "batch_size=-1"),
        (5, 5, 2.0, False, "batch_size=2.0"),
        (5, 5, True, False, "batch_size=True"),
        (0, 0, 2, False, "empty"),
        (5, 5, 6, True, "5 examples make no batch of 6"),
    ],
)
def test_bad_arguments_raise_at_the_call(n: int, m: int, batch_size: int, drop_last: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        batches(examples(n)[0], examples(m)[1], batch_size, 0, drop_last)


def test_a_bad_key_and_a_list_raise_at_the_call() -> None:
    x, y = examples(4)
    with pytest.raises(ValueError, match="key"):
        batches(x, y, 2, -1)
    with pytest.raises(TypeError, match="batches: y is a list, expected a NumPy array"):
        batches(x, list(y), 2, 0)  # type: ignore[arg-type]


@given(labels=st.lists(st.integers(0, 6), max_size=20))
def test_one_hot_rows_have_their_one_at_the_label(labels: list[int]) -> None:
    rows = one_hot(np.array(labels, np.int64), 7)
    assert rows.shape == (len(labels), 7)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, np.eye(7)[np.array(labels, np.int64)])


def test_one_hot_gives_the_dtype_asked_for() -> None:
    assert one_hot(np.array([1, 0], np.uint8), 2, np.float64).dtype == np.float64


@pytest.mark.parametrize(
    ("labels", "message"), [([0, 3, -1], "label 3 at index 1"), ([0, -1, 5], "label -1 at index 1")]
)
def test_one_hot_names_the_first_bad_label(labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=rf"{message} is outside 0 \.\. 2"):
        one_hot(np.array(labels), 3)


def test_one_hot_refuses_what_is_no_label() -> None:
    with pytest.raises(TypeError, match="float64"):
        one_hot(np.array([0.0, 1.0]), 2)
    with pytest.raises(ValueError, match=r"\(2, 1\)"):
        one_hot(np.array([[0], [1]]), 2)
    with pytest.raises(ValueError, match="one_hot: classes is 0, expected an int of at least 1"):
        one_hot(np.array([], np.int64), 0)
