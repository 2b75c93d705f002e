"""Upsampling: every pixel becomes a block of equal ones (nearest neighbour).

It is separable, as pooling is: columns are repeated first and rows after them, so that the larger copies run along
whole rows. The pullback sums each block, rows first.
"""

from __future__ import annotations

import numpy as np

from functional_nn.arguments import Pair, as_pair, pair
from functional_nn.layer import Layer, Params, Pullback, Shape, check_image
from functional_nn.layers._memory import empty_in_order, memory_order
from functional_nn.value import constructor

HEIGHT, WIDTH = 1, 2


@constructor(factor=pair)
def upsample(factor: Pair) -> Layer:
    """Return the layer that repeats pixels, images (n, h, w, c) -> (n, h fh, w fw, c).

    `factor` is an int or (height, width). Output pixel (i, j) is input pixel (i // fh, j // fw); the pullback sums the
    cotangents of each block of fh x fw pixels. Raises `ValueError` for a factor below 1, and for an input that is no
    image.

    >>> layers.upsample((1, 2)).apply({}, np.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1))[0, :, :, 0]
    array([[1., 1., 2., 2.],
           [3., 3., 4., 4.]])
    """
    fh, fw = as_pair(factor)

    def output_shape(input_shape: Shape) -> Shape:
        check_image(input_shape)
        h, w, c = input_shape
        return (h * fh, w * fw, c)

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        check_image(x.shape[1:])
        return _repeated(_repeated(x, WIDTH, fw), HEIGHT, fh)

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            return {}, _summed(_summed(dy, HEIGHT, fh), WIDTH, fw) if wrt_x else None

        return apply(params, x), pullback

    return Layer("upsample", apply=apply, vjp=vjp, output_shape=output_shape)


def _repeated(x: np.ndarray, axis: int, factor: int) -> np.ndarray:
    """Return a new array in which each entry stands `factor` times in a row along the axis."""
    shape = (*x.shape[:axis], x.shape[axis] * factor, *x.shape[axis + 1 :])
    y = empty_in_order(memory_order(x), shape, x.dtype)
    for at in _places(axis, factor):
        y[at] = x
    return y


def _summed(dy: np.ndarray, axis: int, factor: int) -> np.ndarray:
    """Return a new array of the sums over each `factor` neighbours along the axis."""
    first, *others = _places(axis, factor)
    total = dy[first].copy(order="K")
    for at in others:
        total += dy[at]
    return total


def _places(axis: int, factor: int) -> list[tuple[slice, ...]]:
    """Return, for each position among `factor` neighbours along the axis, the index of the entries that stand there."""
    return [(*(slice(None),) * axis, slice(j, None, factor)) for j in range(factor)]
