"""A network that holds parameters and computes nothing: what its step takes is what a step takes beside the network."""

from __future__ import annotations

import numpy as np

import functional_nn as fnn


@fnn.constructor
def idle(*shapes: tuple[int, ...]) -> fnn.Layer:
    """Return the layer x (n, d) -> zeros (n, 1), with parameters p0, p1, ... of these shapes, whose gradients are zero.

    >>> idle((2, 3), (3,)).init(np.random.default_rng(0), (1,))["p1"]
    array([0., 0., 0.], dtype=float32)
    """
    names = tuple(f"p{i}" for i in range(len(shapes)))
    zeros = {
        dtype: {name: np.zeros(shape, dtype) for name, shape in zip(names, shapes, strict=True)}
        for dtype in (np.dtype(np.float32), np.dtype(np.float64))
    }

    def init(rng: np.random.Generator, input_shape: tuple[int, ...]) -> dict[str, np.ndarray]:
        return {name: array.copy() for name, array in zeros[np.dtype(np.float32)].items()}

    def output_shape(input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (1,)

    def vjp(params, x, *, key=None, wrt_x=True):
        return np.zeros((len(x), 1), x.dtype), lambda dy: (zeros[dy.dtype], np.zeros_like(x) if wrt_x else None)

    return fnn.Layer("idle", init=init, output_shape=output_shape, vjp=vjp, parameters=names)
