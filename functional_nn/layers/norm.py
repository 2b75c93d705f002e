"""Normalization: y = w (x - mean) / sqrt(variance + epsilon) + b, w and b one number a channel (the last axis).

They differ in what the mean and the variance are taken over, of x (n, ..., channels):

    layer_norm    the channels, at each position of each example (Ba et al. 2016, eq. 3, as transformers use it)
    group_norm    the positions and a group of channels, of each example (Wu and He 2018, eq. 1 to 3)
    batch_norm    the examples and the positions, of each channel (Ioffe and Szegedy 2015, algorithm 1)

The variance is that of all entries, divided by their number. batch_norm has no hidden state: `vjp` takes the
statistics of its batch (in `data_parallel`, of its chunk: the chunks do not depend on the workers), and `apply` takes
those of the whole training set, the parameters `mean` and `var` that `fnn.statistics` adds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from functional_nn.layer import (
    Layer,
    Params,
    Pullback,
    Shape,
    ShapeError,
    StructureError,
    check_cotangent,
    check_floats,
    check_params,
    configured,
)
from functional_nn.layers._arguments import count, positive

NAMES = frozenset({"w", "b"})
STATISTICS = frozenset({"mean", "var"})
EXAMPLES, MEMBERS = 0, -1  # axes of x (n, ..., groups, members)


def layer_norm(epsilon: float = 1e-5) -> Layer:
    """Return the layer that normalizes each vector of channels, x (n, ..., c) -> y of the same shape.

    Parameters: w (c,), of ones, and b (c,), of zeros. Raises `ValueError` for an epsilon that is not above 0.
    """
    config = {"epsilon": positive("layer_norm", "epsilon", epsilon)}
    return configured("layer_norm", config, init=init, output_shape=output_shape, apply=layer_apply, vjp=layer_vjp)


def group_norm(groups: int, epsilon: float = 1e-5) -> Layer:
    """Return the layer that normalizes each group of channels over all positions, x (n, ..., c) -> the same shape.

    Group i holds the channels i c / groups up to (i + 1) c / groups. Parameters: w (c,), of ones, and b (c,), of zeros.
    Raises `ValueError` for a bad argument, and where `groups` does not divide the channels.
    """
    config = {
        "groups": count("group_norm", "groups", groups),
        "epsilon": positive("group_norm", "epsilon", epsilon),
    }
    return configured(
        "group_norm", config, init=group_init, output_shape=group_output_shape, apply=group_apply, vjp=group_vjp
    )


def batch_norm(epsilon: float = 1e-5) -> Layer:
    """Return the layer that normalizes each channel over the batch and all positions, x (n, ..., c) -> the same shape.

    Parameters: w (c,), of ones, and b (c,), of zeros; `apply` needs mean (c,) and var (c,) too, which
    `fnn.statistics(model, params, x)` computes from the training data and `vjp` refuses, so that no optimizer meets
    them. Raises `ValueError` for an epsilon that is not above 0.
    """
    config = {"epsilon": positive("batch_norm", "epsilon", epsilon)}
    return configured("batch_norm", config, init=init, output_shape=output_shape, apply=batch_apply, vjp=batch_vjp)


def init(rng: np.random.Generator, input_shape: Shape, *, name: str) -> Params:
    """Return {"w": ones (c,), "b": zeros (c,)}; nothing is drawn."""
    channels = output_shape(input_shape, name=name)[-1]
    return {"w": np.ones(channels, np.float32), "b": np.zeros(channels, np.float32)}


def output_shape(input_shape: Shape, *, name: str) -> Shape:
    """Return `input_shape`; raises `ShapeError` where there is no channel."""
    if not input_shape or input_shape[-1] < 1:
        raise ShapeError(name, f"input is {input_shape}, expected (..., channels)")
    return input_shape


def layer_apply(params: Params, x: np.ndarray, *, epsilon: float = 1e-5) -> np.ndarray:
    """Return y of x (n, ..., c)."""
    return layer_vjp(params, x, epsilon=epsilon)[0]


def layer_vjp(
    params: Params, x: np.ndarray, *, epsilon: float = 1e-5, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback, which keeps the normalized x."""
    _check("layer_norm", params, x)
    return _by_vector(params, x, epsilon, wrt_x)


def group_init(rng: np.random.Generator, input_shape: Shape, *, groups: int) -> Params:
    """Return {"w": ones (c,), "b": zeros (c,)}; nothing is drawn."""
    return init(rng, group_output_shape(input_shape, groups=groups), name="group_norm")


def group_output_shape(input_shape: Shape, *, groups: int) -> Shape:
    """Return `input_shape`; raises `ShapeError` where the groups do not divide the channels."""
    channels = output_shape(input_shape, name="group_norm")[-1]
    if channels % groups:
        raise ShapeError("group_norm", f"{channels} channels do not divide into {groups} groups: choose a divisor")
    return input_shape


def group_apply(params: Params, x: np.ndarray, *, groups: int, epsilon: float = 1e-5) -> np.ndarray:
    """Return y of x (n, ..., c)."""
    return group_vjp(params, x, groups=groups, epsilon=epsilon)[0]


def group_vjp(
    params: Params, x: np.ndarray, *, groups: int, epsilon: float = 1e-5, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback, which keeps x less its mean."""
    _check("group_norm", params, x)
    group_output_shape(x.shape[1:], groups=groups)
    return _by_channel("group_norm", params, x, groups, MEMBERS, epsilon, wrt_x)


def batch_apply(params: Params, x: np.ndarray, *, epsilon: float = 1e-5) -> np.ndarray:
    """Return y of x (n, ..., c) under the statistics `mean` and `var` of the training data."""
    missing = STATISTICS - params.keys()
    if missing:
        message = "missing; inference needs the training data's: params = fnn.statistics(model, params, x)"
        raise StructureError("batch_norm", message, (min(missing),))
    _check("batch_norm", params, x, STATISTICS)
    scale = params["w"] / np.sqrt(params["var"] + epsilon)
    y = x * scale
    y += params["b"] - params["mean"] * scale
    return y


def batch_vjp(
    params: Params, x: np.ndarray, *, epsilon: float = 1e-5, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return y under the batch's own statistics, and the pullback, through them too; it keeps x less its mean."""
    if found := STATISTICS & params.keys():
        message = "statistics serve inference and are not trained: train the parameters that they were added to"
        raise StructureError("batch_norm", message, (min(found),))
    _check("batch_norm", params, x)
    return _by_channel("batch_norm", params, x, x.shape[-1], EXAMPLES, epsilon, wrt_x)


def batch_moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean (c,) and the variance (c,) of each channel of x (n, ..., c)."""
    axes = tuple(range(x.ndim - 1))
    mean = _mean(axes, x)
    centred = x - mean
    return mean.reshape(-1), _mean(axes, centred, centred).reshape(-1)


def _by_vector(params: Params, x: np.ndarray, epsilon: float, wrt_x: bool) -> tuple[np.ndarray, Pullback]:
    """Normalize each vector of channels, then scale and shift."""
    w, dtype, channels = params["w"], x.dtype, (x.ndim - 1,)
    z = x - _mean(channels, x)
    inverse = 1.0 / np.sqrt(_mean(channels, z, z) + epsilon)
    z *= inverse  # normalized
    y = z * w
    y += params["b"]

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("layer_norm", dy, z.shape, dtype)
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
    name: str, params: Params, x: np.ndarray, groups: int, together: int, epsilon: float, wrt_x: bool
) -> tuple[np.ndarray, Pullback]:
    """Normalize by statistics over the positions and one axis more, then scale and shift.

    `together` is that axis of x (n, ..., groups, members): EXAMPLES or MEMBERS.
    """
    dtype, x_shape = x.dtype, x.shape
    shape = (*x_shape[:-1], groups, x_shape[-1] // groups)
    x = x.reshape(shape)
    w, b = (params[entry].reshape(shape[-2:]) for entry in "wb")
    share = 1.0 / max(1, math.prod(shape[1:-2]) * shape[together])

    def mean(sums: np.ndarray) -> np.ndarray:
        return np.add.reduce(sums, axis=together, keepdims=True) * share

    z = x - _along(x, mean(_over_positions(x)))
    inverse = 1.0 / np.sqrt(mean(_over_positions(z, z)) + epsilon)
    scale = inverse * w
    y = z * _along(z, scale)
    y += _along(z, b)

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent(name, dy, x_shape, dtype)
        dy = dy.reshape(shape)
        sums, moments = _over_positions(dy), _over_positions(dy, z)
        dparams = {"w": (moments * inverse).sum(0).reshape(-1), "b": sums.sum(0).reshape(-1)}
        if not wrt_x:
            return dparams, None
        # dx = dv - mean(dv) - inverse^2 z mean(dv z), dv = scale dy: as for a vector
        dx = dy * _along(z, scale)
        dx -= z * _along(z, inverse * (inverse * mean(scale * moments)))
        dx -= _along(z, mean(scale * sums))
        return dparams, dx.reshape(x_shape)

    return y.reshape(x_shape), pullback


def _over_positions(*arrays: np.ndarray) -> np.ndarray:
    """Return the sum (n, 1, ..., groups, members) of one array (n, ..., groups, members), or of the product of two.

    The first axis of positions is summed in long runs of memory, whatever its order; little is left for the others.
    """
    first = arrays[0]
    if first.ndim == 3:
        return np.multiply(*arrays) if len(arrays) == 2 else first
    if len(arrays) == 2:
        total = np.asarray(np.einsum("np...,np...->n...", *arrays))[:, np.newaxis]
    else:
        total = np.add.reduce(first, axis=1, keepdims=True)
    return total if first.ndim == 4 else np.add.reduce(total, axis=tuple(range(2, total.ndim - 2)), keepdims=True)


def _along(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return values, which broadcast over x (n, ..., groups, members), so that they do it fast.

    They are repeated along all axes but the first of the positions, so that NumPy takes long runs of memory at a time.
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


def _check(name: str, params: Params, x: np.ndarray, more: frozenset[str] = frozenset()) -> None:
    names = NAMES | more
    check_params(name, params, names)
    check_floats(name, x, *params.values())
    if x.ndim < 2:
        raise ShapeError(name, f"x has shape {x.shape}, expected (n, ..., channels)")
    for entry in sorted(names):
        if params[entry].shape != x.shape[-1:]:
            raise ShapeError(name, f"x has {x.shape[-1]} channels, shape {params[entry].shape} does not fit", (entry,))
