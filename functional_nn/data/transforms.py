"""Transforms of batches of images: values that are called with (x, key); without a key they are deterministic.

A transform writes to nothing that it is given. Those that draw return x itself when key is None, as in validation
and prediction. Any function (x, key) is a transform too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from functional_nn import keys
from functional_nn.arguments import array, count, finite, not_negative
from functional_nn.value import Value, constructor, is_constructor

__all__ = ["BatchTransform", "chain", "random_flip", "random_shift", "standardize", "standardize_by"]

Function = Callable[[np.ndarray, keys.Key | None], np.ndarray]

BLOCK_ENTRIES = 2**18  # of float64, 2 MiB: the copy that the statistics are computed from stays in cache


@dataclass(frozen=True, eq=False, repr=False)
class BatchTransform(Value):
    """A transform as a value: `function(x, key) -> x` of a batch (n, ...); where key is None it draws nothing.

    >>> brighter = data.BatchTransform(lambda x, key: x + 0.1)
    >>> brighter(np.zeros((1, 2)))
    array([[0.1, 0.1]])
    """

    function: Function

    def __call__(self, x: np.ndarray, key: keys.Key | None = None) -> np.ndarray:
        """Return the transformed batch."""
        return self.function(x, key)


def standardize(train_images: np.ndarray, weights: np.ndarray | None = None) -> BatchTransform:
    """Return the transform that gives each channel of the training set zero mean and unit variance.

    train_images: (n, ..., channels), usually uint8 (n, height, width, channels). The mean and the standard deviation
    over all axes but the last are computed in float64, block by block: no float copy of the whole set is made.
    The transform returns float32 for any input; a channel that is constant but for rounding is centred and divided by
    1. With `weights` (n,), numbers that are not negative, both are those of examples that count for so much.
    Raises `TypeError` for what is no array of real numbers, `ValueError` for an empty set, for images without a channel
    axis, and for values that are not finite.

    >>> images = np.array([0, 100, 200, 100], np.uint8).reshape(2, 2, 1, 1)
    >>> transform = data.standardize(images)
    >>> transform(images).ravel().round(3)
    array([-1.414,  0.   ,  1.414,  0.   ], dtype=float32)
    """
    _check_real("standardize", "training images", train_images)
    if train_images.ndim < 2 or train_images.size == 0:
        raise ValueError(
            f"standardize: training images have shape {train_images.shape}, expected (n, ..., channels), n > 0"
        )
    channels = train_images.shape[-1]
    positions = math.prod(train_images.shape[1:-1])
    count = positions * (len(train_images) if weights is None else _total_weight(weights, len(train_images)))
    mean = _sum_over_channels(train_images, lambda block: block, weights) / count
    # Around the mean, in a second pass: the difference of two large sums would cancel.
    variance = _sum_over_channels(
        train_images, lambda block: np.square(block - np.tile(mean, block.shape[1] // channels)), weights
    )
    std = np.sqrt(variance / count)
    if not np.isfinite(mean).all() or not np.isfinite(std).all():
        raise ValueError("standardize: the training images hold values that are not finite: remove or replace them")
    entries = positions * len(train_images)
    rounding = np.finfo(np.float64).eps * np.sqrt(entries) * np.abs(mean)  # of a mean of as many equal numbers
    std = np.where(std <= rounding, 0.0, std)
    return standardize_by(tuple(mean.tolist()), tuple(std.tolist()))


def _numbers(check: Callable[[str, str, Any], float], constructor: str, name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, tuple | list | np.ndarray) or not len(value):
        raise ValueError(f"{constructor}: {name} is {value!r}, expected numbers, one a channel")
    return tuple(check(constructor, name, number) for number in value)


@constructor(mean=partial(_numbers, finite), std=partial(_numbers, not_negative))
def standardize_by(mean: tuple[float, ...], std: tuple[float, ...]) -> BatchTransform:
    """Return the transform x (n, ..., channels) of any real dtype -> (x - mean) / std by channel, float32, same shape.

    It is what `standardize` returns. A standard deviation of zero, that of a constant channel, divides by 1 instead.
    Raises `ValueError` for numbers that do not fit, and where x has another number of channels than `mean`.

    >>> data.standardize_by((100.0,), (50.0,))(np.array([[50], [200]], np.uint8))
    array([[-1.],
           [ 2.]], dtype=float32)
    """
    channels = len(mean)
    if len(std) != channels:
        raise ValueError(f"standardize_by: {channels} means, {len(std)} deviations; expected one a channel")
    scale, shift, is_far = scale_and_shift(mean, std)

    def standardized(x: np.ndarray, key: keys.Key | None) -> np.ndarray:
        _check_real("standardize", "x", x)
        if x.ndim < 2 or x.shape[-1] != channels:
            raise ValueError(
                f"standardize: x has shape {x.shape}, expected (n, ..., {channels}): it knows {channels} channels"
            )
        if is_far:
            return ((x - np.asarray(mean)) * scale).astype(np.float32, order="C")
        y = x.astype(np.float32, order="C")
        # The channels are repeated to an image's length: NumPy is slow where its innermost loop is of length 3.
        rows = y.reshape(len(y), math.prod(y.shape[1:]))
        repeats = rows.shape[1] // channels
        rows *= np.tile(scale.astype(np.float32), repeats)
        rows += np.tile(shift.astype(np.float32), repeats)
        return y

    return BatchTransform(standardized)


def scale_and_shift(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return what `standardize_by` multiplies by and adds, float64, and whether it must compute in float64."""
    scale = 1.0 / np.where(np.asarray(std) > 0.0, std, 1.0)
    shift = -np.asarray(mean) * scale
    # float32 loses the digits beside so large a mean, and cannot hold what is so small or so large
    is_far = bool((np.abs(shift) > 1e3).any() or (scale > 1e30).any() or (scale < 1e-30).any())
    return scale, shift, is_far


@constructor(pixels=partial(count, least=0))
def random_shift(pixels: int) -> BatchTransform:
    """Return the transform that shifts each image by its own offset, -pixels .. pixels, down and to the right.

    All offsets are equally likely; x is (n, height, width, channels) of any dtype, which is kept. What comes in from
    outside is zero in the array as it is given: black before `standardize`, the training set's mean colour after.
    Raises `ValueError` for negative pixels, and when called on images that are not larger than the shift.

    >>> x = np.arange(9).reshape(1, 3, 3, 1)
    >>> data.random_shift(1)(x, key=0)[0, :, :, 0]
    array([[3, 4, 5],
           [6, 7, 8],
           [0, 0, 0]])
    """

    def shifted(x: np.ndarray, key: keys.Key | None) -> np.ndarray:
        _check_images("random_shift", x)
        n, height, width, channels = x.shape
        if pixels >= min(height, width):
            raise ValueError(f"random_shift: {pixels} pixels would shift a {height}x{width} image out of sight")
        if key is None or pixels == 0:
            return x
        padded = np.zeros((n, height + 2 * pixels, width + 2 * pixels, channels), x.dtype)
        padded[:, pixels : pixels + height, pixels : pixels + width] = x
        # Every window of the padded image is a shifted image; with width and channels as one axis a row is one run.
        rows = padded.reshape(n, height + 2 * pixels, (width + 2 * pixels) * channels)
        windows = sliding_window_view(rows, (height, width * channels), axis=(1, 2))
        top, left = keys.generator(key).integers(0, 2 * pixels + 1, size=(2, n))
        return np.asarray(windows[np.arange(n), top, left * channels]).reshape(x.shape)

    return BatchTransform(shifted)


@constructor
def random_flip() -> BatchTransform:
    """Return the transform that mirrors each image left to right with probability 1/2; the dtype is kept.

    >>> x = np.arange(4).reshape(2, 1, 2, 1)
    >>> data.random_flip()(x, key=0)[:, 0, :, 0]
    array([[0, 1],
           [3, 2]])
    """

    def flipped(x: np.ndarray, key: keys.Key | None) -> np.ndarray:
        _check_images("random_flip", x)
        if key is None:
            return x
        chosen = keys.generator(key).random(len(x)) < 0.5
        y = x.copy(order="C")
        y[chosen] = x[chosen, :, ::-1]
        return y

    return BatchTransform(flipped)


def _functions(constructor: str, name: str, value: tuple[Any, ...]) -> tuple[Function, ...]:
    for i, function in enumerate(value):
        if not callable(function) or is_constructor(function):
            hint = ": call it to make one" if callable(function) else ""
            shown = getattr(function, "__name__", None) or repr(function)
            raise TypeError(f"{constructor}: {name}[{i}] is {shown}, expected a function (x, key) -> x{hint}")
    return value


@constructor(transforms=_functions)
def chain(*transforms: Function) -> BatchTransform:
    """Return the transform that applies `transforms` from left to right, each with the key folded by its position.

    >>> transform = data.chain(data.random_flip(), data.random_shift(2), data.standardize_by((0.5,), (0.25,)))
    >>> transform(np.full((1, 4, 4, 1), 0.5, np.float32)).shape  # without a key nothing is drawn
    (1, 4, 4, 1)
    """

    def chained(x: np.ndarray, key: keys.Key | None) -> np.ndarray:
        for i, transform in enumerate(transforms):
            x = transform(x, None if key is None else keys.fold(key, i))
        return x

    return BatchTransform(chained)


def _total_weight(weights: np.ndarray, n: int) -> float:
    array("standardize", "weights", weights)
    if weights.shape != (n,) or weights.dtype.kind not in "biuf":
        given = f"{weights.dtype} of shape {weights.shape}"
        raise ValueError(f"standardize: weights are {given}, expected numbers of shape ({n},), one an image")
    total = float(weights.sum(dtype=np.float64))
    if not np.isfinite(total) or total <= 0.0 or (weights < 0).any():
        raise ValueError("standardize: weights must be finite numbers that are not negative, one of them above 0")
    return total


def _sum_over_channels(
    images: np.ndarray, f: Callable[[np.ndarray], np.ndarray], weights: np.ndarray | None
) -> np.ndarray:
    """Return the sums (channels,) of f over blocks (images, entries of an image) in float64, by weight."""
    entries = images.size // len(images)
    step = max(1, BLOCK_ENTRIES // entries)
    sums = np.zeros(entries)
    for start in range(0, len(images), step):
        block = images[start : start + step]
        terms = f(block.reshape(len(block), entries).astype(np.float64))
        if weights is not None:
            terms = terms * weights[start : start + step, np.newaxis]
        sums += terms.sum(axis=0)
    return np.asarray(sums.reshape(-1, images.shape[-1]).sum(axis=0))


def _check_real(function: str, name: str, x: np.ndarray) -> None:
    if array(function, name, x).dtype.kind not in "biuf":
        raise TypeError(f"{function}: {name} hold {x.dtype}, expected real numbers")


def _check_images(name: str, x: np.ndarray) -> None:
    if array(name, "x", x).ndim != 4:
        raise ValueError(f"{name}: x has shape {x.shape}, expected images (n, height, width, channels)")
