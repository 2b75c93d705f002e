"""A wrong backward of max pooling (defect 8): every image's mask marks the maxima of the whole batch.

The mask indexes all images with all images. With 16 images nearly all four cells of every window are marked, and each
receives the window's full gradient. Right: each image marks its own maximum.
"""

from __future__ import annotations

import numpy as np

import functional_nn as fnn
from functional_nn import layers


@fnn.constructor
def marked_by_the_whole_batch() -> fnn.Layer:
    """Return max pooling over windows of 2 with this mask; x (n, h, w, c), h and w even."""
    right = layers.max_pool(2)

    def vjp(params, x, *, key=None, wrt_x=True):
        def pullback(dy):
            return {}, np.where(_marked(x), _over_windows(dy), dy.dtype.type(0)) if wrt_x else None

        return right.apply(params, x), pullback

    return right.replace(name="max_pool_marked_by_the_whole_batch", vjp=vjp)


def _marked(x: np.ndarray) -> np.ndarray:
    """Return (1, h, w, c): whether any image of the batch has its window's (first) maximum there."""
    n, h, w, c = x.shape
    marked, free = np.empty((1, h, w, c), bool), np.ones((n, h // 2, w // 2, c), bool)
    largest = layers.max_pool(2).apply({}, x)
    for i, j in np.ndindex(2, 2):
        first = free & (x[:, i::2, j::2] == largest)
        marked[0, i::2, j::2] = first.any(axis=0)
        free &= ~first
    return marked


def _over_windows(dy: np.ndarray) -> np.ndarray:
    """Return dy with each entry on all four cells of its window."""
    return dy.repeat(2, axis=1).repeat(2, axis=2)
