"""The splits that a source returns, and two ways to make them: by position, and at random within each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from functional_nn import keys
from functional_nn.errors import DataError

__all__ = [
    "NAMES",
    "Split",
    "Splits",
    "TooFewError",
    "by_class",
    "check_size",
    "check_val",
    "hold_out",
    "joined",
    "numbered",
    "splits_from",
]

Split = tuple[np.ndarray, np.ndarray]
NAMES = ("train", "val", "test")


class TooFewError(DataError):
    """There are too few classes or images to hold some out."""


@dataclass(frozen=True, eq=False, repr=False)
class Splits:
    """Images and labels in three splits, with the names of the classes: every source returns this.

    `train`, `val` and `test` are pairs (images, labels): images uint8 (n, h, w, c), labels int64 (n,), and
    `classes[label]` is the name of a label. `description` is one sentence about the data.
    Raises `TypeError` for what is no array, for names that are no tuple of strings and for a description that is no
    string; `ValueError` for other dtypes and shapes, for images that differ in size, and for a label without a name.

    >>> images, labels = np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 0, 1])
    >>> part = images, labels
    >>> splits = data.Splits(part, part, part, classes=("cat", "dog"), description="Four black images")
    >>> splits, splits.classes[splits.train[1][3]]
    (<Splits: Four black images>, 'dog')
    """

    train: Split
    val: Split
    test: Split
    classes: tuple[str, ...]
    description: str

    def __post_init__(self) -> None:
        if not isinstance(self.classes, tuple) or not all(isinstance(name, str) for name in self.classes):
            raise TypeError(f"Splits: classes are {self.classes!r:.80}, expected a tuple of strings")
        if not isinstance(self.description, str):
            raise TypeError(f"Splits: description is {type(self.description).__name__}, expected a string")
        for name, split in self.items():
            _check_split(name, split, len(self.classes))
        for name, (images, _) in self.items():
            if images.shape[1:] != self.train[0].shape[1:]:
                shapes = f"train images {self.train[0].shape[1:]}, {name} images {images.shape[1:]}"
                raise ValueError(f"Splits: {shapes}, expected one size")

    def __repr__(self) -> str:
        return f"<Splits: {self.description}>"

    def items(self) -> tuple[tuple[str, Split], ...]:
        """Return ("train", (images, labels)) and the same for val and test."""
        return ("train", self.train), ("val", self.val), ("test", self.test)


def splits_from(origin: str, train: Split, val: Split, test: Split, classes: tuple[str, ...]) -> Splits:
    """Return the splits with a description that begins with their `origin`."""
    shape = "x".join(map(str, train[0].shape[1:]))
    counts = f"{len(train[0])} training, {len(val[0])} validation and {len(test[0])} test images of {shape}"
    return Splits(train, val, test, classes, f"{origin}, with {counts} in {len(classes)} classes")


def joined(splits: Splits) -> Split:
    """Return all images and labels: train, val, then test."""
    images, labels = zip(*(part for _, part in splits.items() if len(part[0])), strict=True)
    return (images[0], labels[0]) if len(images) == 1 else (np.concatenate(images), np.concatenate(labels))


def numbered(*labels: np.ndarray) -> tuple[str, ...]:
    """Return the names "0", "1", ... up to the largest label, for sources that do not name their classes."""
    return tuple(map(str, range(1 + max(int(part.max()) for part in labels if len(part)))))


def _check_split(name: str, split: Split, classes: int) -> None:
    if not isinstance(split, tuple) or len(split) != 2 or not all(type(a) in (np.ndarray, np.memmap) for a in split):
        kinds = ", ".join(type(item).__name__ for item in split) if isinstance(split, tuple) else type(split).__name__
        raise TypeError(f"Splits: {name} is ({kinds}), expected a tuple of two NumPy arrays (images, labels)")
    images, labels = split
    if images.dtype != np.uint8 or images.ndim != 4 or labels.dtype != np.int64 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"Splits: {name} images {images.dtype} {images.shape}, labels {labels.dtype} {labels.shape}, "
            "expected uint8 (n, h, w, c) and int64 (n,)"
        )
    unnamed = np.flatnonzero((labels < 0) | (labels >= classes))
    if unnamed.size:
        i = unnamed[0]
        raise ValueError(f"Splits: {name} label {labels[i]} at index {i}, but there are {classes} classes")


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
            raise TooFewError(
                f"{place}: class {label} has {len(members)} examples, and val={val} and test={test} leave none of them "
                "to train on: add examples or choose smaller fractions"
            )
        for split, piece in zip(splits, np.split(members, [n_train, n_train + n_val]), strict=True):
            split.append(piece)
    train_rows, val_rows, test_rows = (np.sort(np.concatenate(split)) for split in splits)
    for name, fraction, rows in (("val", val, val_rows), ("test", test, test_rows)):
        if fraction > 0 and not len(rows):
            what = f"is less than one example of any class, the largest has {np.bincount(labels).max()}"
            needed = int(0.5 / fraction) + 1  # a half is rounded to 0
            raise TooFewError(f"{place}: {name}={fraction} {what}: add examples, at least {needed} in a class")
    return train_rows, val_rows, test_rows


def check_size(size: int) -> None:
    """Raise `ValueError` unless `size`, the height and width of images, is a positive int."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"size={size!r} is no height and width of images, expected a positive int")


def check_val(place: str, n: int, val: int) -> None:
    """Raise `DataError`, which begins with `place`, unless `val` is an int and 0 < val < n."""
    if isinstance(val, bool) or not isinstance(val, int | np.integer) or not 0 < val < n:
        raise DataError(f"{place}: val={val!r} examples to hold out of {n}, expected an int above 0 and below {n}")
