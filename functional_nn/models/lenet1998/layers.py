"""The layers of LeNet-5 of 1998 that the field no longer uses (LeCun et al. 1998, section II-B)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from functional_nn.layer import Layer, Params, Pullback, Shape, ShapeError, check_image
from functional_nn.layers import avg_pool, conv2d
from functional_nn.models.lenet1998.glyphs import GLYPHS
from functional_nn.value import constructor

__all__ = ["codes", "connected_conv", "connections", "fan_in_uniform", "radial_basis", "subsampling"]

# Table I: a row is a map of S2, a column one of C3, which reads the maps of S2 that are marked.
CONNECTIONS = """
    X . . . X X X . . X X X X . X X
    X X . . . X X X . . X X X X . X
    X X X . . . X X X . . X . X X X
    . X X X . . X X X X . . X . X X
    . . X X X . . X X X X . X X . X
    . . . X X X . . X X X X . X X X
"""


def fan_in_uniform(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw from U(-2.4 / F, 2.4 / F), F the unit's number of inputs (section II-B, after eq. 6)."""
    limit = 2.4 / math.prod(shape[:-1])
    return (limit * (2.0 * rng.random(shape) - 1.0)).astype(np.float32)


@constructor
def subsampling() -> Layer:
    """Return S2's and S4's layer: the sum of each 2x2 window times the channel's w, plus its b; (n, h, w, c) to halves.

    Parameters: w (c,), b (c,).
    """
    pool = avg_pool(2).functions

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        check_image(input_shape)
        c = input_shape[2]
        limit = 2.4 / 4.0
        return {"w": (limit * (2.0 * rng.random(c) - 1.0)).astype(np.float32), "b": np.zeros(c, np.float32)}

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        w, b = params["w"], params["b"]
        if x.shape[-1:] != w.shape or w.shape != b.shape:
            raise ShapeError(f"x has shape {x.shape}, w {w.shape}, b {b.shape}: expected one a channel")
        mean, mean_pullback = pool.vjp({}, x, wrt_x=wrt_x)
        y = mean * (4.0 * w)
        y += b

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            dparams = {"w": 4.0 * (dy * mean).sum(axis=(0, 1, 2)), "b": dy.sum(axis=(0, 1, 2))}
            return dparams, mean_pullback(dy * (4.0 * w))[1] if wrt_x else None

        return y, pullback

    return Layer("subsampling", init=init, output_shape=pool.output_shape, vjp=vjp, parameters=("w", "b"))


@constructor
def connected_conv() -> Layer:
    """Return C3: a 5x5 convolution of 6 maps to 16 with the 60 connections of table I.

    Parameters: w (5, 5, 60), a kernel a connection, and b (16,).
    """
    from_map, to_map = connections()
    conv = conv2d(16, 5).functions

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        check_image(input_shape)
        if input_shape[2] != 6:
            raise ShapeError(f"input is {input_shape}, table I connects 6 maps")
        limits = 2.4 / (25.0 * np.bincount(to_map)[to_map])
        w = limits * (2.0 * rng.random((5, 5, len(to_map))) - 1.0)
        return {"w": w.astype(np.float32), "b": np.zeros(16, np.float32)}

    def whole_kernel(params: Params) -> Params:
        """Return the parameters of a convolution of all maps: zeros where nothing connects."""
        if params["w"].shape != (5, 5, len(to_map)):
            raise ShapeError(f"w has shape {params['w'].shape}, expected (5, 5, {len(to_map)})")
        w = np.zeros((5, 5, 6, 16), params["w"].dtype)
        w[:, :, from_map, to_map] = params["w"]
        return {"w": w, "b": params["b"]}

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        return conv.apply(whole_kernel(params), x)

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        y, whole_pullback = conv.vjp(whole_kernel(params), x, wrt_x=wrt_x)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            dparams, dx = whole_pullback(dy)
            return {"w": dparams["w"][:, :, from_map, to_map], "b": dparams["b"]}, dx

        return y, pullback

    return Layer(
        "connected_conv", init=init, output_shape=conv.output_shape, apply=apply, vjp=vjp, parameters=("w", "b")
    )


@cache
def connections() -> tuple[np.ndarray, np.ndarray]:
    """Return the connections of table I: the maps of S2 (60,) and the maps of C3 (60,) that read them."""
    marks = np.array([row.split() for row in CONNECTIONS.strip().splitlines()]) == "X"
    to_map, from_map = np.nonzero(marks.T)
    return from_map, to_map


@constructor
def radial_basis() -> Layer:
    """Return the output layer (n, 84) -> (n, 10): y_i = sum_j (x_j - c_ij)^2, c_i a digit's picture in +-1 (eq. 7)."""

    def output_shape(input_shape: Shape) -> Shape:
        if input_shape != (84,):
            raise ShapeError(f"input is {input_shape}, the pictures have 7x12 points: expected (84,)")
        return (10,)

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        output_shape(x.shape[1:])
        away = x[:, np.newaxis] - codes().astype(x.dtype)  # (n, 10, 84)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            return {}, 2.0 * np.einsum("ni,nij->nj", dy, away) if wrt_x else None

        return np.einsum("nij,nij->ni", away, away), pullback

    return Layer("radial_basis", vjp=vjp, output_shape=output_shape)


@cache
def codes() -> np.ndarray:
    """Return the pictures as codes (10, 84), +1 where a point is set and -1 elsewhere; not to be written."""
    pictures = [[1.0 if point == "#" else -1.0 for row in glyph for point in row] for glyph in GLYPHS]
    table = np.array(pictures)
    table.flags.writeable = False
    return table
