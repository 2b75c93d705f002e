from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn.data import Splits
from functional_nn.data.splits import by_class, check_size, check_val, hold_out
from functional_nn.errors import DataError


@given(
    counts=st.lists(st.integers(20, 60), min_size=1, max_size=5),
    val=st.floats(0.05, 0.4),
    test=st.floats(0.05, 0.4),
    seed=st.integers(0, 1000),
)
def test_the_parts_share_no_example_lose_none_and_keep_the_proportions(
    counts: list[int], val: float, test: float, seed: int
) -> None:
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = by_class("x", labels, val=val, test=test, key=seed)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    for fraction, part in zip((1 - val - test, val, test), parts, strict=True):
        assert (np.diff(part) > 0).all()
        np.testing.assert_allclose(
            np.bincount(labels[part], minlength=len(counts)), np.array(counts) * fraction, atol=1.01
        )


def test_the_key_draws_the_split_and_a_class_keeps_its_own_when_others_come() -> None:
    labels = np.repeat([0, 1], 50)
    first, again, other = (by_class("x", labels, val=0.2, test=0.2, key=key) for key in (0, 0, 1))
    np.testing.assert_array_equal(first[1], again[1])
    assert not np.array_equal(first[1], other[1])
    more = by_class("x", np.concatenate([labels, np.full(50, 2)]), val=0.2, test=0.2, key=0)
    np.testing.assert_array_equal(more[1][more[1] < 100], first[1])
    assert not np.array_equal(first[1][first[1] < 50], first[1][first[1] >= 50] - 50)  # classes draw on their own


@pytest.mark.parametrize(
    ("labels", "val", "test", "message"),
    [
        ([0, 0, 1, 1], -0.1, 0.1, "val=-0.1"),
        ([0, 0, 1, 1], 0.1, 1.0, "test=1.0"),
        ([0, 0, 1, 1], 0.5, 0.5, "leave nothing to train on"),
        ([0] * 10 + [7], 0.6, 0.1, "class 7 has 1 examples"),
        ([0, 0, 1, 1], 0.1, 0.0, "val=0.1 is less than one example"),
        ([0, 0, 1, 1], 0.0, 0.1, "test=0.1 is less than one example"),
    ],
)
def test_fractions_that_leave_a_part_empty_are_refused(
    labels: list[int], val: float, test: float, message: str
) -> None:
    with pytest.raises(DataError, match=f"^here: .*{message}"):
        by_class("here", np.array(labels), val=val, test=test, key=0)


def test_a_fraction_of_zero_leaves_its_part_empty() -> None:
    train, val, test = by_class("x", np.array([0, 0, 1, 1]), val=0.0, test=0.5, key=0)
    assert (len(train), len(val), len(test)) == (2, 0, 2)


@given(n=st.integers(2, 50), data=st.data())
def test_hold_out_takes_the_last_examples(n: int, data: st.DataObject) -> None:
    val = data.draw(st.integers(1, n - 1))
    images, labels = np.arange(2 * n).reshape(n, 2), np.arange(n)
    train, held = hold_out(images, labels, val)
    np.testing.assert_array_equal(held[1], np.arange(n - val, n))
    for part in (0, 1):
        np.testing.assert_array_equal(np.concatenate([train[part], held[part]]), (images, labels)[part])


@pytest.mark.parametrize("val", [0, -1, 10, 11, 2.0, True])
def test_nothing_and_everything_cannot_be_held_out(val: int) -> None:
    with pytest.raises(DataError, match=f"^here: val={val} examples to hold out of 10"):
        check_val("here", 10, val)


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "32"])
def test_a_size_that_is_no_positive_int_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="size="):
        check_size(size)


def make(**changes: Any) -> Splits:
    arrays = {
        name: (np.zeros((n, 4, 5, 3), np.uint8), np.arange(n)) for name, n in (("train", 3), ("val", 2), ("test", 1))
    }
    return Splits(**{"classes": ("a", "b", "c"), "description": "three, two and one", **arrays, **changes})


def test_splits_are_named_and_print_in_one_line() -> None:
    splits = make()
    assert [name for name, _ in splits.items()] == ["train", "val", "test"]
    assert all(split is getattr(splits, name) for name, split in splits.items())
    assert repr(splits) == "<Splits: three, two and one>"


IMAGES = np.zeros((2, 4, 5, 3), np.uint8)
LABELS = np.zeros(2, np.int64)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"val": [IMAGES, LABELS]}, TypeError, r"val is \(list\), expected a tuple of two NumPy arrays"),
        ({"val": (IMAGES,)}, TypeError, r"val is \(ndarray\), expected"),
        ({"val": (IMAGES, [0, 0])}, TypeError, r"val is \(ndarray, list\), expected"),
        ({"val": (np.ma.masked_array(IMAGES), LABELS)}, TypeError, r"val is \(MaskedArray, ndarray\), expected"),
        ({"val": (IMAGES.astype(np.float32), LABELS)}, ValueError, r"val images float32 .*expected uint8"),
        ({"val": (IMAGES[0], LABELS)}, ValueError, r"val images uint8 \(4, 5, 3\), .*expected uint8 \(n, h, w, c\)"),
        ({"test": (IMAGES, LABELS.astype(np.int32))}, ValueError, r"test images .*labels int32 .*int64 \(n,\)"),
        ({"test": (IMAGES, LABELS[:1])}, ValueError, r"test images .*labels int64 \(1,\)"),
        ({"test": (IMAGES[:, 1:], LABELS)}, ValueError, r"train images \(4, 5, 3\), test images \(3, 5, 3\), expected"),
        ({"train": (IMAGES, np.array([0, 3]))}, ValueError, "train label 3 at index 1, but there are 3 classes"),
        ({"train": (IMAGES, np.array([0, -1]))}, ValueError, "train label -1 at index 1"),
        ({"classes": ["a", "b", "c"]}, TypeError, r"classes are \['a', 'b', 'c'\], expected a tuple of strings"),
        ({"classes": ("a", "b", 3)}, TypeError, r"classes are .*expected a tuple of strings"),
        ({"description": None}, TypeError, "description is NoneType, expected a string"),
    ],
    ids=range(14),
)
def test_what_is_no_splits_is_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^Splits: {message}"):
        make(**changes)


def test_a_split_may_be_empty_or_mapped_from_a_file(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", IMAGES)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    splits = make(train=(mapped, LABELS), val=(IMAGES[:0], LABELS[:0]))
    assert splits.train[0] is mapped
    assert len(splits.val[1]) == 0
