"""The splits that a source returns, and two ways to make them: by position, and at random within each class."""

from __future__ import annotations

import numpy as np

from functional_nn import keys
from functional_nn.data.errors import DataError

__all__ = ["Split", "Splits", "by_class", "check_size", "check_val", "hold_out"]

Split = tuple[np.ndarray, np.ndarray]
Splits = dict[str, Split]


def hold_out(images: np.ndarray, labels: np.ndarray, val: int) -> tuple[Split, Split]:
    """Return all examples but the last `val`, and the last `val`, as views. The order is kept."""
    return (images[:-val], labels[:-val]), (images[-val:], labels[-val:])


def by_class(
    place: str, labels: np.ndarray, *, val: float, test: float, key: keys.Key
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sorted indices (int64) of train, val and test. Each class is divided in the same proportions.

    Of the n examples of a class, round(n * val) go to val and round(n * test) to test. Each class has a key of its
    own, so its examples are divided in the same way when other classes change. Each index is in exactly one split.
    Raises `DataError`, which begins with `place`, for fractions that are negative or leave nothing to train on,
    if a class would have no training example, and if a split with a fraction above 0 would have no example.
    """
    for name, fraction in (("val", val), ("test", test)):
        if not 0 <= fraction < 1:
            raise DataError(f"{place}: {name}={fraction} is no fraction, expected at least 0 and below 1")
    if not val + test < 1:
        raise DataError(f"{place}: val={val} and test={test} leave nothing to train on: their sum must be below 1")
    splits: tuple[list[np.ndarray], ...] = ([], [], [])
    for label in np.unique(labels):
        members = keys.generator(keys.fold(key, int(label))).permutation(np.flatnonzero(labels == label))
        n_val, n_test = round(len(members) * val), round(len(members) * test)
        n_train = len(members) - n_val - n_test
        if n_train < 1:
            raise DataError(
                f"{place}: class {label} has {len(members)} examples, and val={val} and test={test} leave none of them "
                "to train on: add examples or choose smaller fractions"
            )
        for split, piece in zip(splits, np.split(members, [n_train, n_train + n_val]), strict=True):
            split.append(piece)
    train_rows, val_rows, test_rows = (np.sort(np.concatenate(split)) for split in splits)
    for name, fraction, rows in (("val", val, val_rows), ("test", test, test_rows)):
        if fraction > 0 and not len(rows):
            raise DataError(
                f"{place}: {name}={fraction} is less than one example of any class: choose a larger {name}="
            )
    return train_rows, val_rows, test_rows


def check_size(size: int) -> None:
    """Raise `ValueError` unless `size`, the height and width of images, is a positive int."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"size={size!r} is no height and width of images, expected a positive int")


def check_val(place: str, n: int, val: int) -> None:
    """Raise `DataError`, which begins with `place`, unless `val` is an int and 0 < val < n."""
    if isinstance(val, bool) or not isinstance(val, int | np.integer) or not 0 < val < n:
        raise DataError(f"{place}: val={val!r} examples to hold out of {n}, expected an int above 0 and below {n}")
