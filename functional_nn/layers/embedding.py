"""Embedding: rows of a table, looked up by number (Bengio et al. 2003, section 2)."""

from __future__ import annotations

import numpy as np

from functional_nn.arguments import count, initializer
from functional_nn.initializers import standard_normal
from functional_nn.layer import Init, Layer, Params, Pullback, Shape, ShapeError, StructureError
from functional_nn.value import constructor


@constructor(entries=count, features=count, w_init=initializer)
def embedding(entries: int, features: int, w_init: Init = standard_normal) -> Layer:
    """Return the layer x (n, ...), whole numbers from 0 to entries - 1 -> y (n, ..., features), rows of w.

    Parameters: w (entries, features); a row looked up several times gets the sum of its cotangents. It is a first
    layer: whole numbers have no derivative, so its dx is always None, and `vjp` with wrt_x=True raises `TypeError`.
    Raises `ValueError` for a bad argument and for a number outside.

    >>> params = {"w": np.array([[0.0, 0.0], [1.0, 10.0], [2.0, 20.0]])}
    >>> layers.embedding(3, 2).apply(params, np.array([[2, 1, 1]]))
    array([[[ 2., 20.],
            [ 1., 10.],
            [ 1., 10.]]])
    """

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        return {"w": w_init(rng, (entries, features))}

    def output_shape(input_shape: Shape) -> Shape:
        return (*input_shape, features)

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        w = params["w"]
        if w.shape != (entries, features):
            raise ShapeError(f"w has shape {w.shape}, expected ({entries}, {features})")
        if x.size and (x.min() < 0 or x.max() >= entries):
            outside = x.min() if x.min() < 0 else x.max()
            raise ShapeError(f"x holds {outside}, expected numbers from 0 to {entries - 1}")
        return np.asarray(w[x])

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        if wrt_x:
            raise StructureError("whole numbers have no derivative: put it first, and call with wrt_x=False")
        w = params["w"]

        def pullback(dy: np.ndarray) -> tuple[Params, None]:
            dw = np.zeros_like(w)
            np.add.at(dw, x.reshape(-1), dy.reshape(-1, features))
            return {"w": dw}, None

        return apply(params, x), pullback

    return Layer(
        "embedding",
        init=init,
        output_shape=output_shape,
        apply=apply,
        vjp=vjp,
        parameters=("w",),
        integer_input=True,
    )
