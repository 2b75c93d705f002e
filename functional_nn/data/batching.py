"""Batches of examples in an order drawn from a key, and labels as rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from functional_nn import keys
from functional_nn.arguments import ARRAYS, count, not_an_array

__all__ = ["batches", "one_hot", "shuffled"]


def batches(
    x: np.ndarray, y: np.ndarray, batch_size: int, key: keys.Key | None, drop_last: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return an iterator over `(x batch, y batch)` that visits every example once.

    x: (n, ...), y: (n, ...); a batch is (batch_size, ...), the last one shorter, or left out by `drop_last`.
    A key draws the order and each batch is a copy; `key=None` keeps the order and each batch is a view.
    Raises at the call, before the first batch: `TypeError` for what is no array, `ValueError` for lengths that
    differ, a bad batch size or key, and where there would be no batch at all.

    >>> x, y = np.arange(5.0), np.arange(5)
    >>> [len(batch) for batch, _ in data.batches(x, y, batch_size=2, key=0)]
    [2, 2, 1]
    >>> next(data.batches(x, y, batch_size=2, key=None))
    (array([0., 1.]), array([0, 1]))
    """
    _check_batches(x, y, batch_size, drop_last)
    stop = len(x) - len(x) % batch_size if drop_last else len(x)
    if key is None:
        starts = range(0, stop, batch_size)
        return ((x[start : start + batch_size], y[start : start + batch_size]) for start in starts)
    return ((x[chosen], y[chosen]) for chosen in shuffled(len(x), batch_size, key)[: -(-stop // batch_size)])


def shuffled(n: int, batch_size: int, key: keys.Key) -> list[np.ndarray]:
    """Return the indices of each batch of n examples, in an order drawn from the key.

    >>> from functional_nn.data.batching import shuffled
    >>> [len(chosen) for chosen in shuffled(5, batch_size=2, key=0)]
    [2, 2, 1]
    """
    order = keys.generator(key).permutation(n)
    return [order[start : start + batch_size] for start in range(0, n, batch_size)]


def one_hot(labels: np.ndarray, classes: int, dtype: npt.DTypeLike = np.float32) -> np.ndarray:
    """Return the rows (n, classes) with 1 at each label and 0 elsewhere; labels: (n,), integers.

    Raises `TypeError` for labels that are no integers; `ValueError` for labels that are not one-dimensional,
    for `classes` below 1, and for a label outside 0 .. classes - 1, naming the first.

    >>> data.one_hot(np.array([2, 0]), classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"one_hot: labels have shape {labels.shape}, expected (n,)")
    if labels.dtype.kind not in "iu" and labels.size:
        raise TypeError(f"one_hot: labels are {labels.dtype}, expected integers")
    classes = count("one_hot", "classes", classes)
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        i = outside[0]
        raise ValueError(f"one_hot: label {labels[i]} at index {i} is outside 0 .. {classes - 1}")
    rows = np.zeros((len(labels), classes), dtype)
    rows[np.arange(len(labels)), labels.astype(np.intp)] = 1
    return rows


def _check_batches(x: np.ndarray, y: np.ndarray, batch_size: int, drop_last: bool) -> None:
    for name, array in (("x", x), ("y", y)):
        if type(array) not in ARRAYS:
            raise TypeError(f"batches: {name} is {not_an_array(array)}")
        if array.ndim == 0:
            raise TypeError(f"batches: {name} is a single number, expected an array (n, ...)")
    if len(x) != len(y):
        raise ValueError(f"batches: x has {len(x)} examples, y has {len(y)}; they must be as many")
    if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise ValueError(f"batches: batch_size={batch_size!r}, expected a positive int")
    if len(x) == 0:
        raise ValueError("batches: x and y are empty: there is no batch")
    if drop_last and len(x) < batch_size:
        raise ValueError(
            f"batches: {len(x)} examples make no batch of {batch_size} with drop_last=True: choose smaller batches"
        )
