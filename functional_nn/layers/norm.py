"""Normalization: y = w (x - mean) / sqrt(variance + epsilon) + b, w and b one number a channel (the last axis).

They differ in what the mean and the variance are taken over, of x (n, ..., channels):

    layer_norm    the channels, at each position of each example (Ba et al. 2016, eq. 3, as transformers use it)
    group_norm    the positions and a group of channels, of each example (Wu and He 2018, eq. 1 to 3)
    batch_norm    the examples and the positions, of each channel (Ioffe and Szegedy 2015, algorithm 1)

The variance is that of all entries, divided by their number. batch_norm has no hidden state: `vjp` takes the
statistics of its batch, and `apply` takes those of the whole training set, the entries `mean` and `var` that
`fnn.statistics` adds to the parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from functional_nn.arguments import count, positive
from functional_nn.layer import Layer, Params, Pullback, Shape, ShapeError
from functional_nn.value import constructor

EXAMPLES, MEMBERS = 0, -1  # axes of x (n, ..., groups, members)
RUN = 256  # positions that float32 adds up one after the other; longer sums are made of sums of so many


@constructor(epsilon=positive)
def layer_norm(epsilon: float = 1e-5) -> Layer:
    """Return the layer that normalizes each vector of channels, x (n, ..., c) -> y of the same shape.

    Parameters: w (c,), of ones, and b (c,), of zeros. Raises `ValueError` for an epsilon that is not above 0.

    >>> params = {"w": np.ones(3), "b": np.zeros(3)}
    >>> layers.layer_norm().apply(params, np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])).round(3)
    array([[-1.225,  0.   ,  1.225],
           [-1.225,  0.   ,  1.225]])
    """

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        _check(params, x)
        return _by_vector(params, x, epsilon, wrt_x)

    return _norm("layer_norm", vjp)


@constructor(groups=count, epsilon=positive)
def group_norm(groups: int, epsilon: float = 1e-5) -> Layer:
    """Return the layer that normalizes each group of channels over all positions, x (n, ..., c) -> the same shape.

    Group i holds the channels i c / groups up to (i + 1) c / groups. Parameters: w (c,), of ones, and b (c,), of zeros.
    Raises `ValueError` for a bad argument, and where `groups` does not divide the channels.

    >>> params = {"w": np.ones(4), "b": np.zeros(4)}
    >>> layers.group_norm(2).apply(params, np.array([[1.0, 3.0, 10.0, 30.0]])).round(3)  # pairs of channels
    array([[-1.,  1., -1.,  1.]])
    """

    def check_groups(input_shape: Shape) -> None:
        if input_shape[-1] % groups:
            raise ShapeError(f"{input_shape[-1]} channels do not divide into {groups} groups: choose a divisor")

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        _check(params, x)
        check_groups(x.shape)
        return _by_channel(params, x, groups, MEMBERS, epsilon, wrt_x)

    return _norm("group_norm", vjp, check_shape=check_groups)


@constructor(epsilon=positive)
def batch_norm(epsilon: float = 1e-5) -> Layer:
    """Return the layer that normalizes each channel over the batch and all positions, x (n, ..., c) -> the same shape.

    Parameters: w (c,), of ones, and b (c,), of zeros. `apply` needs mean (c,) and var (c,) too:
    `fnn.statistics(model, params, x)` computes them from the training data. `vjp` refuses them, so that they are never
    trained; where `fnn.bind` fixes them, `vjp` normalizes by them instead of by the batch. Raises `ValueError` for an
    epsilon that is not above 0.

    >>> layer, params, x = layers.batch_norm(), {"w": np.ones(1), "b": np.zeros(1)}, np.array([[1.0], [3.0]])
    >>> layer.vjp(params, x)[0].round(3)  # training: by the mean 2 and the variance 1 of this batch
    array([[-1.],
           [ 1.]])
    >>> known = fnn.statistics(layer, params, x)
    >>> layer.apply(known, np.array([[2.0]]))  # inference: by those of the training data
    array([[0.]])
    """

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        return _by_statistics(params, x, epsilon, False)[0]

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        if "mean" in params:
            return _by_statistics(params, x, epsilon, wrt_x)
        _check(params, x)
        return _by_channel(params, x, x.shape[-1], EXAMPLES, epsilon, wrt_x)

    return _norm("batch_norm", vjp).replace(apply=apply, moments=("mean", "var"), couples_examples=True)


def _norm(
    name: str,
    vjp: Callable[..., tuple[np.ndarray, Pullback]],
    check_shape: Callable[[Shape], None] = lambda input_shape: None,
) -> Layer:
    """Return the layer of this vjp with w of ones and b of zeros, one number a channel."""

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        channels = output_shape(input_shape)[-1]
        return {"w": np.ones(channels, np.float32), "b": np.zeros(channels, np.float32)}

    def output_shape(input_shape: Shape) -> Shape:
        if not input_shape or input_shape[-1] < 1:
            raise ShapeError(f"input is {input_shape}, expected (..., channels)")
        check_shape(input_shape)
        return input_shape

    return Layer(name, init=init, output_shape=output_shape, vjp=vjp, parameters=("w", "b"))


def _by_statistics(params: Params, x: np.ndarray, epsilon: float, wrt_x: bool) -> tuple[np.ndarray, Pullback]:
    """Normalize each channel by the parameters mean and var, then scale and shift."""
    _check(params, x)
    inverse = 1.0 / np.sqrt(params["var"] + epsilon)
    scale = params["w"] * inverse
    y = x * scale
    y += params["b"] - params["mean"] * scale

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        positions = range(dy.ndim - 1)
        z = (x - params["mean"]) * inverse
        dparams = {"w": _sum(positions, dy, z), "b": _sum(positions, dy)}
        return dparams, dy * scale if wrt_x else None

    return y, pullback


def _by_vector(params: Params, x: np.ndarray, epsilon: float, wrt_x: bool) -> tuple[np.ndarray, Pullback]:
    """Normalize each vector of channels, then scale and shift."""
    w, channels = params["w"], (x.ndim - 1,)
    z = x - _mean(channels, x)
    inverse = 1.0 / np.sqrt(_mean(channels, z, z) + epsilon)
    z *= inverse  # normalized
    y = z * w
    y += params["b"]

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        positions = range(z.ndim - 1)
        dparams = {"w": _sum(positions, dy, z), "b": _sum(positions, dy)}
        if not wrt_x:
            return dparams, None
        # dx = inverse (dz - mean(dz) - z mean(dz z)), dz = w dy: what moves the mean or the scale is taken out
        dz = dy * w
        moment = _mean(channels, dz, z)
        dz -= _mean(channels, dz)
        dz -= z * moment
        dz *= inverse
        return dparams, dz

    return y, pullback


def _by_channel(
    params: Params, x: np.ndarray, groups: int, together: int, epsilon: float, wrt_x: bool
) -> tuple[np.ndarray, Pullback]:
    """Normalize by statistics over the positions and one axis more, then scale and shift.

    `together` is that axis of x (n, ..., groups, members): EXAMPLES or MEMBERS.
    """
    x_shape = x.shape
    shape = (*x_shape[:-1], groups, x_shape[-1] // groups)
    x = x.reshape(shape)
    w, b = (params[entry].reshape(shape[-2:]) for entry in "wb")
    share = 1.0 / max(1, math.prod(shape[1:-2]) * shape[together])

    def mean(sums: np.ndarray) -> np.ndarray:
        return _total(sums, together) * share

    z = x - _repeated(x, mean(_over_positions(x)))
    inverse = 1.0 / np.sqrt(mean(_over_positions(z, z)) + epsilon)
    scale = inverse * w
    y = z * _repeated(z, scale)
    y += _repeated(z, b)

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        dy = dy.reshape(shape)
        sums, moments = _over_positions(dy), _over_positions(dy, z)
        dparams = {"w": _total(moments * inverse, EXAMPLES).reshape(-1), "b": _total(sums, EXAMPLES).reshape(-1)}
        if not wrt_x:
            return dparams, None
        # dx = dv - mean(dv) - inverse^2 z mean(dv z), dv = scale dy: as for a vector
        dx = dy * _repeated(z, scale)
        dx -= z * _repeated(z, inverse * (inverse * mean(scale * moments)))
        dx -= _repeated(z, mean(scale * sums))
        return dparams, dx.reshape(x_shape)

    return y.reshape(x_shape), pullback


def _total(sums: np.ndarray, axis: int) -> np.ndarray:
    """Return the sum over one axis, which stays; in float64, since many numbers in sequence lose digits in float32."""
    dtype = np.result_type(sums.dtype, np.float64)
    return np.add.reduce(sums, axis=axis, dtype=dtype, keepdims=True).astype(sums.dtype)


def _over_positions(*arrays: np.ndarray) -> np.ndarray:
    """Return the sum (n, 1, ..., groups, members) of one array (n, ..., groups, members), or of the product of two.

    The first axis of positions is summed in long runs of memory, whatever its order; little is left for the others.
    """
    first = arrays[0]
    if first.ndim > 3 and first.shape[1] > RUN:
        runs = [_over_positions(*(array[:, i : i + RUN] for array in arrays)) for i in range(0, first.shape[1], RUN)]
        return _total(np.concatenate(runs, axis=1), 1)
    if first.ndim == 3:
        return np.multiply(*arrays) if len(arrays) == 2 else first
    if len(arrays) == 2:
        total = np.asarray(np.einsum("np...,np...->n...", *arrays))[:, np.newaxis]
    else:
        total = np.add.reduce(first, axis=1, keepdims=True)
    return total if first.ndim == 4 else np.add.reduce(total, axis=tuple(range(2, total.ndim - 2)), keepdims=True)


def _repeated(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values (n or 1, 1, ..., groups, members or 1), repeated over the positions of x but for their first axis.

    They would broadcast over x as they are. Repeated, they let NumPy take long runs of memory at a time.
    """
    if x.ndim < 5:
        return values
    repeated = np.empty_like(x[:, :1])  # in x's order of memory
    repeated[...] = values
    return repeated


def _mean(axes: tuple[int, ...], *arrays: np.ndarray) -> np.ndarray:
    """Return the mean of the arrays' product over axes, which stay with length 1; of no entries it is 0."""
    total = np.expand_dims(_sum(axes, *arrays), axes)
    return total * (1.0 / max(1, math.prod(arrays[0].shape[axis] for axis in axes)))


def _sum(axes: Sequence[int], *arrays: np.ndarray) -> np.ndarray:
    """Return the sum of the arrays' product over axes; einsum makes no array of it, and is fast in any memory order."""
    every = list(range(arrays[0].ndim))
    operands = [part for array in arrays for part in (array, every)]
    return np.asarray(np.einsum(*operands, [axis for axis in every if axis not in axes]))


def _check(params: Params, x: np.ndarray) -> None:
    if x.ndim < 2:
        raise ShapeError(f"x has shape {x.shape}, expected (n, ..., channels)")
    for name, entry in params.items():
        if entry.shape != x.shape[-1:]:
            raise ShapeError(f"x has {x.shape[-1]} channels, shape {entry.shape} does not fit", (name,))
