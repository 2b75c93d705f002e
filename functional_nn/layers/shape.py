"""Layers that only move entries: `flatten` and `zero_pad`."""

from __future__ import annotations

import math

import numpy as np

from functional_nn.layer import (
    Layer,
    Params,
    Pullback,
    Shape,
    ShapeError,
    check_cotangent,
    check_floats,
    check_image,
    check_params,
    configured,
)
from functional_nn.layers._arguments import Padding, as_margins
from functional_nn.layers._arguments import padding as checked_padding
from functional_nn.layers._memory import in_order, memory_order


def flatten() -> Layer:
    """Return the layer x (n, ...) -> y (n, features), the entries of each example in row-major order."""
    return configured("flatten", {}, apply=flatten_apply, vjp=flatten_vjp, output_shape=flatten_output_shape)


def flatten_output_shape(input_shape: Shape) -> Shape:
    """Return (features,)."""
    return (math.prod(input_shape),)


def flatten_apply(params: Params, x: np.ndarray) -> np.ndarray:
    """Return y (n, features), a new array."""
    check_params("flatten", params)
    check_floats("flatten", x)
    y = np.empty((len(x), math.prod(x.shape[1:])), x.dtype)
    y.reshape(x.shape)[...] = x
    return y


def flatten_vjp(
    params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback, which puts dy back into the memory order of x."""
    y = flatten_apply(params, x)
    x_shape, y_shape, dtype = x.shape, y.shape, y.dtype
    order = memory_order(x)

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("flatten", dy, y_shape, dtype)
        if not wrt_x:
            return {}, None
        dx = in_order(order, x_shape, dtype)
        dx[...] = dy.reshape(x_shape)
        return {}, dx

    return y, pullback


def zero_pad(padding: Padding) -> Layer:
    """Return the layer that puts margins of zeros around images, (n, h, w, c) -> (n, top + h + bottom, ..., c).

    `padding` is an int or ((top, bottom), (left, right)), none of them negative (`ValueError` otherwise).
    """
    config = {"padding": checked_padding("zero_pad", padding)}
    return configured("zero_pad", config, apply=zero_pad_apply, vjp=zero_pad_vjp, output_shape=zero_pad_output_shape)


def zero_pad_output_shape(input_shape: Shape, *, padding: Padding) -> Shape:
    """Return (top + h + bottom, left + w + right, c); raises `ShapeError` for what is no image."""
    check_image("zero_pad", input_shape)
    h, w, c = input_shape
    (top, bottom), (left, right) = as_margins(padding)
    return (top + h + bottom, left + w + right, c)


def zero_pad_apply(params: Params, x: np.ndarray, *, padding: Padding) -> np.ndarray:
    """Return x within its margins, a new array in the memory order of x."""
    check_params("zero_pad", params)
    check_floats("zero_pad", x)
    if x.ndim != 4:
        raise ShapeError("zero_pad", f"x has shape {x.shape}, expected (n, height, width, channels)")
    y_shape = (len(x), *zero_pad_output_shape(x.shape[1:], padding=padding))
    y = in_order(memory_order(x), y_shape, x.dtype, np.zeros)
    y[_interior(x.shape, padding)] = x
    return y


def zero_pad_vjp(
    params: Params, x: np.ndarray, *, padding: Padding, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return x within its margins and the pullback, which cuts them off."""
    y = zero_pad_apply(params, x, padding=padding)
    y_shape, dtype, interior = y.shape, y.dtype, _interior(x.shape, padding)

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("zero_pad", dy, y_shape, dtype)
        return {}, dy[interior].copy(order="K") if wrt_x else None

    return y, pullback


def _interior(x_shape: Shape, padding: Padding) -> tuple[slice, ...]:
    (top, _), (left, _) = as_margins(padding)
    return (slice(None), slice(top, top + x_shape[1]), slice(left, left + x_shape[2]))
