"""Random keys: a key is a tuple of ints; folding in a number gives an independent key.

A layer that draws random numbers gets a key, never a generator, so that what it draws depends on where it
stands and not on what ran before it. Plain tuples as seeds collide (`default_rng((1,))` draws what
`default_rng((1, 0))` draws), so a key's tail is given to NumPy as a `SeedSequence`'s spawn key.
"""

from __future__ import annotations

import numpy as np

__all__ = ["Key", "fold", "generator"]

Key = int | tuple[int, ...]


def _as_tuple(key: Key) -> tuple[int, ...]:
    parts = key if isinstance(key, tuple) else (key,)
    if parts and all(type(i) is int and 0 <= i < 2**32 for i in parts):  # nearly always, and at every step
        return parts
    if not parts or any(isinstance(i, bool) or not isinstance(i, int | np.integer) or i < 0 for i in parts):
        raise ValueError(f"a key is a non-negative int or a tuple of them, got {key!r}")
    if any(i >= 2**32 for i in parts[1:]) or parts[0] >= 2**128:
        raise ValueError(f"key {key!r}: the first number must be below 2**128, the folded ones below 2**32")
    return tuple(int(i) for i in parts)


def fold(key: Key, *numbers: int) -> tuple[int, ...]:
    """Return `key` with `numbers` appended: keys folded with different numbers draw independently.

    >>> keys.fold(0, 3, 1), keys.fold((0, 3), 1)
    ((0, 3, 1), (0, 3, 1))
    """
    root = key if isinstance(key, tuple) and key else (key,)
    return _as_tuple((*root, *numbers))


def generator(key: Key) -> np.random.Generator:
    """Return the generator of `key`: equal keys give equal draws, on every platform that NumPy runs on.

    >>> keys.generator((0, 3)).integers(0, 100, 4)
    array([89, 36, 31, 51])
    >>> keys.generator((0, 4)).integers(0, 100, 4)
    array([17, 65, 43, 32])
    """
    root, *path = _as_tuple(key)
    return np.random.default_rng(np.random.SeedSequence(root, spawn_key=tuple(path)))
