"""Layers that only move entries: `flatten`, `reshape` and `zero_pad`."""

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
from functional_nn.layers._arguments import Padding, as_margins, count
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
    return _reshaped("flatten", params, x, None)


def flatten_vjp(
    params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback, which puts dy back into the memory order of x."""
    return _reshaped_vjp("flatten", params, x, None, wrt_x)


def reshape(shape: Shape) -> Layer:
    """Return the layer x (n, ...) -> y (n, *shape), the entries of each example in row-major order.

    Raises `ValueError` for a shape that is no tuple of whole numbers, and where it holds another number of entries.
    """
    if not isinstance(shape, tuple | list):
        raise ValueError(f"reshape: shape is {shape!r}, expected a tuple without the batch axis, such as (4, 4, 2)")
    config = {"shape": tuple(count("reshape", "shape", size) for size in shape)}
    return configured("reshape", config, apply=reshape_apply, vjp=reshape_vjp, output_shape=reshape_output_shape)


def reshape_output_shape(input_shape: Shape, *, shape: Shape) -> Shape:
    """Return `shape`; raises `ShapeError` where it holds another number of entries than the input."""
    if math.prod(input_shape) != math.prod(shape):
        raise ShapeError("reshape", f"input is {input_shape}, {math.prod(input_shape)} entries; {shape} holds others")
    return shape


def reshape_apply(params: Params, x: np.ndarray, *, shape: Shape) -> np.ndarray:
    """Return y (n, *shape), a new array."""
    return _reshaped("reshape", params, x, shape)


def reshape_vjp(
    params: Params, x: np.ndarray, *, shape: Shape, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback, which puts dy back into the memory order of x."""
    return _reshaped_vjp("reshape", params, x, shape, wrt_x)


def _reshaped(name: str, params: Params, x: np.ndarray, shape: Shape | None) -> np.ndarray:
    """Return x with each example in this shape, in one axis where it is None."""
    check_params(name, params)
    check_floats(name, x)
    shape = flatten_output_shape(x.shape[1:]) if shape is None else reshape_output_shape(x.shape[1:], shape=shape)
    y = np.empty((len(x), *shape), x.dtype)
    y.reshape(x.shape)[...] = x
    return y


def _reshaped_vjp(
    name: str, params: Params, x: np.ndarray, shape: Shape | None, wrt_x: bool
) -> tuple[np.ndarray, Pullback]:
    y = _reshaped(name, params, x, shape)
    x_shape, y_shape, dtype = x.shape, y.shape, y.dtype
    order = memory_order(x)

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent(name, dy, y_shape, dtype)
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
