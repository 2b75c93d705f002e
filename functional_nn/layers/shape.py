"""Layers that only move entries: `flatten`, `reshape` and `zero_pad`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functional_nn.arguments import Padding, as_margins, count, padding
from functional_nn.layer import Layer, Params, Pullback, Shape, ShapeError, check_image
from functional_nn.layers._memory import empty_in_order, memory_order
from functional_nn.value import constructor


@constructor
def flatten() -> Layer:
    """Return the layer x (n, ...) -> y (n, features), the entries of each example in row-major order.

    >>> layers.flatten().apply({}, np.arange(8.0).reshape(2, 2, 2))
    array([[0., 1., 2., 3.],
           [4., 5., 6., 7.]])
    """

    def output_shape(input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    return _reshaping("flatten", output_shape)


def _shape(constructor: str, name: str, value: Any) -> Shape:
    if not isinstance(value, tuple | list):
        expected = "expected a tuple without the batch axis, such as (4, 4, 2)"
        raise ValueError(f"{constructor}: {name} is {value!r}, {expected}")
    return tuple(count(constructor, name, size) for size in value)


@constructor(shape=_shape)
def reshape(shape: Shape) -> Layer:
    """Return the layer x (n, ...) -> y (n, *shape), the entries of each example in row-major order.

    Raises `ValueError` for a shape that is no tuple of whole numbers, and where it holds another number of entries.

    >>> layers.reshape((4, 4, 2)).output_shape((32,))
    (4, 4, 2)
    """

    def output_shape(input_shape: Shape) -> Shape:
        size, new_size = math.prod(input_shape), math.prod(shape)
        if size != new_size:
            raise ShapeError(f"input is {input_shape}, {size} entries; the shape {shape} has {new_size}")
        return shape

    return _reshaping("reshape", output_shape)


@constructor(padding=padding)
def zero_pad(padding: Padding) -> Layer:
    """Return the layer that puts margins of zeros around images, (n, h, w, c) -> (n, top + h + bottom, ..., c).

    `padding` is an int or ((top, bottom), (left, right)), none of them negative (`ValueError` otherwise).

    >>> layers.zero_pad(((0, 1), (2, 0))).apply({}, np.ones((1, 1, 2, 1)))[0, :, :, 0]
    array([[0., 0., 1., 1.],
           [0., 0., 0., 0.]])
    """
    (top, bottom), (left, right) = as_margins(padding)

    def output_shape(input_shape: Shape) -> Shape:
        check_image(input_shape)
        h, w, c = input_shape
        return (top + h + bottom, left + w + right, c)

    def interior(x_shape: Shape) -> tuple[slice, ...]:
        return (slice(None), slice(top, top + x_shape[1]), slice(left, left + x_shape[2]))

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        y_shape = (len(x), *output_shape(x.shape[1:]))
        y = empty_in_order(memory_order(x), y_shape, x.dtype, np.zeros)
        y[interior(x.shape)] = x
        return y

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        inside = interior(x.shape)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            return {}, dy[inside].copy(order="K") if wrt_x else None

        return apply(params, x), pullback

    return Layer("zero_pad", apply=apply, vjp=vjp, output_shape=output_shape)


def _reshaping(name: str, output_shape: Callable[[Shape], Shape]) -> Layer:
    """Return the layer that gives each example this shape; its pullback puts dy back into the memory order of x."""

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        y = np.empty((len(x), *output_shape(x.shape[1:])), x.dtype)
        y.reshape(x.shape)[...] = x
        return y

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        x_shape, dtype, order = x.shape, x.dtype, memory_order(x)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            if not wrt_x:
                return {}, None
            dx = empty_in_order(order, x_shape, dtype)
            dx[...] = dy.reshape(x_shape)
            return {}, dx

        return apply(params, x), pullback

    return Layer(name, apply=apply, vjp=vjp, output_shape=output_shape)
