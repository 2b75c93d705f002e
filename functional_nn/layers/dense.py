"""Dense layer: y = x w + b for vectors x (Rumelhart, Hinton and Williams 1986)."""

from __future__ import annotations

import numpy as np

from functional_nn.arguments import count, initializer
from functional_nn.initializers import glorot_uniform, zeros
from functional_nn.layer import Init, Layer, Params, Pullback, Shape, ShapeError
from functional_nn.value import constructor


@constructor(units=count, w_init=initializer, b_init=initializer)
def dense(units: int, w_init: Init = glorot_uniform, b_init: Init = zeros) -> Layer:
    """Return the layer x (n, d_in) -> x w + b (n, units).

    Parameters: w (d_in, units), b (units,). Raises `ValueError` where the input is not one vector an example, or
    `units` is not a positive int.

    >>> params = {"w": np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), "b": np.array([0.5, 0.0])}
    >>> layers.dense(2).apply(params, np.array([[1.0, 2.0, 3.0]]))
    array([[4.5, 7. ]])
    """

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        return {"w": w_init(rng, (*input_shape, *output_shape(input_shape))), "b": b_init(rng, (units,))}

    def output_shape(input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ShapeError(f"input is {input_shape}, dense needs (features,): put flatten() before it")
        return (units,)

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        w, b = params["w"], params["b"]
        if x.ndim != 2:
            raise ShapeError(f"x has shape {x.shape}, dense needs (n, features): put flatten() before it")
        if w.shape != (x.shape[1], units):
            raise ShapeError(f"x has {x.shape[1]} features, w has shape {w.shape}, expected ({x.shape[1]}, {units})")
        if b.shape != (units,):
            raise ShapeError(f"b has shape {b.shape}, expected ({units},)")
        y = x @ w  # (n, d_in) @ (d_in, units)
        y += b
        return y

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        w = params["w"]

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            # (d_in, n) @ (n, units); of one example the product is an outer one, which BLAS is slow at
            dw = x.T @ dy if len(x) != 1 else x.T * dy
            dx = dy @ w.T if wrt_x else None  # (n, units) @ (units, d_in)
            return {"w": dw, "b": dy.sum(axis=0)}, dx

        return apply(params, x), pullback

    return Layer("dense", init=init, output_shape=output_shape, apply=apply, vjp=vjp, parameters=("w", "b"))
