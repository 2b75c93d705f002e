"""Embedding: rows of a table, looked up by number (Bengio et al. 2003, section 2)."""

from __future__ import annotations

import math

import numpy as np

from functional_nn.layer import (
    Init,
    Layer,
    Params,
    Pullback,
    Shape,
    ShapeError,
    StructureError,
    check_cotangent,
    check_params,
    configured,
)
from functional_nn.layers._arguments import count

NAMES = frozenset({"w"})


def standard_normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw from N(0, 1)."""
    return rng.standard_normal(shape).astype(np.float32)


def embedding(entries: int, features: int, w_init: Init = standard_normal) -> Layer:
    """Return the layer x (n, ...), whole numbers from 0 to entries - 1 -> y (n, ..., features), rows of w.

    Parameters: w (entries, features). It is a first layer: whole numbers have no derivative, so its dx is always None,
    and `vjp` with wrt_x=True raises `TypeError`. Raises `ValueError` for a bad argument and for a number outside.
    """
    config = {
        "entries": count("embedding", "entries", entries),
        "features": count("embedding", "features", features),
        "w_init": w_init,
    }
    return configured("embedding", config, init=init, output_shape=output_shape, apply=apply, vjp=vjp)


def init(
    rng: np.random.Generator, input_shape: Shape, *, entries: int, features: int, w_init: Init = standard_normal
) -> Params:
    """Return {"w": w_init (entries, features)}."""
    return {"w": w_init(rng, (entries, features))}


def output_shape(input_shape: Shape, *, features: int) -> Shape:
    """Return (..., features)."""
    return (*input_shape, features)


def apply(params: Params, x: np.ndarray) -> np.ndarray:
    """Return y (n, ..., features)."""
    _check(params, x)
    return np.asarray(params["w"][x])


def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback, which keeps x; a row looked up several times gets the sum of its cotangents."""
    if wrt_x:
        raise StructureError("embedding", "whole numbers have no derivative: put it first, and call with wrt_x=False")
    y, w = apply(params, x), params["w"]

    def pullback(dy: np.ndarray) -> tuple[Params, None]:
        check_cotangent("embedding", dy, y.shape, y.dtype)
        dw = np.zeros_like(w)
        np.add.at(dw, x.reshape(-1), dy.reshape(math.prod(x.shape), -1))
        return {"w": dw}, None

    return y, pullback


def _check(params: Params, x: np.ndarray) -> None:
    check_params("embedding", params, NAMES)
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "iu":
        given = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise StructureError("embedding", f"x is {given}, expected an array of whole numbers, rows of w to look up")
    entries = len(params["w"])
    if x.size and (x.min() < 0 or x.max() >= entries):
        worst = x.min() if x.min() < 0 else x.max()
        raise ShapeError("embedding", f"x holds {worst}, expected numbers from 0 to {entries - 1}")
