"""The report's own algorithm: loops over filters and output positions, each a product over the whole batch.

Written from its description. `images_too` adds the cited code's loop over the images. The parameters are those of
`layers.conv2d`, so these loops are an oracle for it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

import functional_nn as fnn
from experiments.benchmark.contestants.ours import stepper
from experiments.benchmark.works import CLASSES, SHAPES, Work
from functional_nn import layers


def conv2d(filters: int, k: int, images_too: bool = False) -> fnn.Layer:
    """Return the convolution with square windows of k, stride 1 and no padding."""
    right = layers.conv2d(filters, k)

    def apply(params, x):
        return vjp(params, x)[0]

    def vjp(params, x, *, key=None, wrt_x=True):
        w, b = params["w"], params["b"]
        n, h, width, _ = x.shape
        y = np.empty((n, h - k + 1, width - k + 1, filters), x.dtype)
        for at, o, i, j in _positions(y.shape, images_too):
            y[at, i, j, o] = (x[at, i : i + k, j : j + k] * w[..., o]).sum(axis=(1, 2, 3)) + b[o]

        def pullback(dy):
            dw, dx = np.zeros_like(w), np.zeros_like(x)
            for at, o, i, j in _positions(y.shape, images_too):
                share = dy[at, i, j, o][:, None, None, None]
                dw[..., o] += (share * x[at, i : i + k, j : j + k]).sum(axis=0)
                dx[at, i : i + k, j : j + k] += share * w[..., o]
            return {"w": dw, "b": dy.sum(axis=(0, 1, 2))}, dx if wrt_x else None

        return y, pullback

    return right.replace(name="loops", apply=apply, vjp=vjp)


def max_pool(images_too: bool = False) -> fnn.Layer:
    """Return max pooling over windows of 2, position by position."""

    def vjp(params, x, *, key=None, wrt_x=True):
        n, h, width, c = x.shape
        y = np.empty((n, h // 2, width // 2, c), x.dtype)
        for at, o, i, j in _positions(y.shape, images_too):
            y[at, i, j, o] = x[at, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, o].max(axis=(1, 2))

        def pullback(dy):
            dx = np.zeros_like(x)
            for at, o, i, j in _positions(y.shape, images_too):
                cells = x[at, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, o].reshape(-1, 4)
                first = cells.argmax(axis=1)[:, None] == np.arange(4)
                dx[at, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, o] = (first * dy[at, i, j, o][:, None]).reshape(-1, 2, 2)
            return {}, dx if wrt_x else None

        return y, pullback

    return fnn.Layer("loops", vjp=vjp, output_shape=layers.max_pool(2).output_shape)


def _positions(shape: tuple[int, ...], images_too: bool) -> Iterator[tuple[slice, int, int, int]]:
    n, h, width, c = shape
    images = [slice(i, i + 1) for i in range(n)] if images_too else [slice(None)]
    return ((at, o, i, j) for at in images for o in range(c) for i in range(h) for j in range(width))


def prepare(work: Work, images_too: bool = False) -> Callable[[], None]:
    """Return the function that takes one step of LeNet-5."""
    model = fnn.serial(
        c1=conv2d(6, 5, images_too), a1=layers.sigmoid, s2=max_pool(images_too),
        c3=conv2d(16, 5, images_too), a3=layers.sigmoid, s4=max_pool(images_too), flat=layers.flatten(),
        f5=layers.dense(120), a5=layers.sigmoid, f6=layers.dense(84), a6=layers.sigmoid, f7=layers.dense(CLASSES),
    )  # fmt: skip
    return stepper(model, SHAPES["lenet5"], work)
