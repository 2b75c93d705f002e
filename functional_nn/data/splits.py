"""What a source returns, and how one set of examples becomes three: by position, or by class from a seed."""

from __future__ import annotations

import numpy as np

from functional_nn import keys
from functional_nn.data.errors import DataError

__all__ = ["Split", "Splits", "by_class", "check_size", "check_val", "hold_out"]

Split = tuple[np.ndarray, np.ndarray]
Splits = dict[str, Split]


def hold_out(images: np.ndarray, labels: np.ndarray, val: int) -> tuple[Split, Split]:
    """Return all examples but the last `val`, and the last `val`: views, nothing is shuffled or copied."""
    return (images[:-val], labels[:-val]), (images[-val:], labels[-val:])


def by_class(
    place: str, labels: np.ndarray, *, val: float, test: float, key: keys.Key
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the sorted indices (int64) of train, val and test, with each class split in the same proportions.

    Of the n examples of a class, round(n * val) go to val and round(n * test) to test, drawn by a key of that
    class, so that a class keeps its split when others change. Each index stands in exactly one of the three.
    Raises `DataError`, which begins with `place`, for fractions that are negative or leave nothing to train on,
    and where a class would have no training example, or a part that is asked for no example at all.
    """
    for name, fraction in (("val", val), ("test", test)):
        if not 0 <= fraction < 1:
            raise DataError(f"{place}: {name}={fraction} is no fraction of the examples, expected 0 <= {name} < 1")
    if not val + test < 1:
        raise DataError(f"{place}: val={val} and test={test} leave nothing to train on: their sum must be below 1")
    parts: tuple[list[np.ndarray], ...] = ([], [], [])
    for label in np.unique(labels):
        members = keys.generator(keys.fold(key, int(label))).permutation(np.flatnonzero(labels == label))
        n_val, n_test = round(len(members) * val), round(len(members) * test)
        n_train = len(members) - n_val - n_test
        if n_train < 1:
            raise DataError(
                f"{place}: class {label} has {len(members)} examples, val={val} and test={test} leave none of them "
                "to train on: add examples or choose smaller fractions"
            )
        for part, piece in zip(parts, np.split(members, [n_train, n_train + n_val]), strict=True):
            part.append(piece)
    train, held, rest = (np.sort(np.concatenate(part)) for part in parts)
    for name, fraction, chosen in (("val", val, held), ("test", test, rest)):
        if fraction > 0 and not len(chosen):
            raise DataError(
                f"{place}: {name}={fraction} is less than one example of any class: choose a larger {name}="
            )
    return train, held, rest


def check_size(size: int) -> None:
    """Raise `ValueError` unless `size`, the height and width of images, is a positive int."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(f"size={size!r} is no height and width of images, expected a positive int")


def check_val(place: str, n: int, val: int) -> None:
    """Raise `DataError`, which begins with `place`, unless `val` is an int and 0 < val < n."""
    if isinstance(val, bool) or not isinstance(val, int | np.integer) or not 0 < val < n:
        raise DataError(f"{place}: val={val!r} examples to hold out of {n}, expected an int above 0 and below {n}")
