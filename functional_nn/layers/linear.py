"""Dense layer: y = x w + b for vectors x (Rumelhart, Hinton and Williams 1986)."""

from __future__ import annotations

import numpy as np

from functional_nn.initializers import glorot_uniform, zeros
from functional_nn.layer import (
    Init,
    Layer,
    Params,
    Pullback,
    Shape,
    ShapeError,
    check_cotangent,
    check_floats,
    check_params,
    configured,
)
from functional_nn.layers._arguments import count

NAMES = frozenset({"w", "b"})


def dense(units: int, w_init: Init = glorot_uniform, b_init: Init = zeros) -> Layer:
    """Return the layer x (n, d_in) -> x w + b (n, units), with w (d_in, units) and b (units,).

    Raises `ValueError` where the input is not one vector an example, or `units` is not a positive int.
    """
    config = {"units": count("dense", "units", units), "w_init": w_init, "b_init": b_init}
    return configured("dense", config, init=init, output_shape=output_shape, apply=apply, vjp=vjp)


def init(
    rng: np.random.Generator,
    input_shape: Shape,
    *,
    units: int,
    w_init: Init = glorot_uniform,
    b_init: Init = zeros,
) -> Params:
    """Return {"w": w_init (d_in, units), "b": b_init (units,)}."""
    output_shape(input_shape, units=units)
    return {"w": w_init(rng, (input_shape[0], units)), "b": b_init(rng, (units,))}


def output_shape(input_shape: Shape, *, units: int) -> Shape:
    """Return (units,); raises `ShapeError` unless the input is (features,)."""
    if len(input_shape) != 1:
        raise ShapeError("dense", f"input is {input_shape}, dense needs (features,): put flatten() before it")
    return (units,)


def apply(params: Params, x: np.ndarray) -> np.ndarray:
    """Return y (n, units) of x (n, d_in)."""
    _check(params, x)
    y = x @ params["w"]  # (n, d_in) @ (d_in, units)
    y += params["b"]
    return y


def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback, which keeps x."""
    y, w = apply(params, x), params["w"]
    shape, dtype = y.shape, y.dtype

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("dense", dy, shape, dtype)
        # (d_in, n) @ (n, units); of one example the product is an outer one, which BLAS is slow at
        dw = x.T @ dy if len(x) != 1 else x.T * dy
        dx = dy @ w.T if wrt_x else None  # (n, units) @ (units, d_in)
        return {"w": dw, "b": dy.sum(axis=0)}, dx

    return y, pullback


def _check(params: Params, x: np.ndarray) -> None:
    check_params("dense", params, NAMES)
    w, b = params["w"], params["b"]
    check_floats("dense", x, w, b)
    if x.ndim != 2:
        raise ShapeError("dense", f"x has shape {x.shape}, dense needs (n, features): put flatten() before it")
    if w.ndim != 2 or x.shape[1] != w.shape[0]:
        raise ShapeError("dense", f"x has {x.shape[1]} features, w has shape {w.shape}, expected ({x.shape[1]}, units)")
    if b.shape != w.shape[1:]:
        raise ShapeError("dense", f"b has shape {b.shape}, expected {w.shape[1:]} to fit w")
