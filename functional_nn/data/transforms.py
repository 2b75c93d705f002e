"""Transforms of batches of images: values that are called with (x, key); without a key they are deterministic.

A transform writes to nothing that it is given. Those that draw return x itself when key is None, as in validation
and prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from functional_nn import keys

__all__ = [
    "Compose",
    "RandomFlip",
    "RandomShift",
    "Standardize",
    "compose",
    "random_flip",
    "random_shift",
    "standardize",
]

Transform = Callable[[np.ndarray, keys.Key | None], np.ndarray]

BLOCK_ENTRIES = 2**18  # of float64, 2 MiB: the copy that the statistics are computed from stays in cache


@dataclass(frozen=True)
class Standardize:
    """Each channel less `mean`, divided by `std`: x (n, ..., channels) of any real dtype -> float32, same shape.

    A standard deviation of zero, that of a constant channel, divides by 1 instead.
    Raises `ValueError` where x has another number of channels than `mean`.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not self.mean:
            raise ValueError(f"standardize: {len(self.mean)} means, {len(self.std)} deviations; expected one a channel")
        if not all(math.isfinite(m) and math.isfinite(s) and s >= 0 for m, s in zip(self.mean, self.std, strict=True)):
            raise ValueError(f"standardize: mean {self.mean} and std {self.std} must be finite, std not negative")

    def __call__(self, x: np.ndarray, key: keys.Key | None = None) -> np.ndarray:
        """Return the standardized copy of `x`; `key` is not used."""
        channels = len(self.mean)
        if x.ndim < 2 or x.shape[-1] != channels:
            raise ValueError(
                f"standardize: x has shape {x.shape}, expected (n, ..., {channels}): it knows {channels} channels"
            )
        y = x.astype(np.float32, order="C")
        # The channels are repeated to an image's length: NumPy is slow where its innermost loop is of length 3.
        rows = y.reshape(len(y), math.prod(y.shape[1:]))
        repeats = rows.shape[1] // channels
        scale = 1.0 / np.where(np.asarray(self.std) > 0, self.std, 1.0)
        rows *= np.tile(scale.astype(np.float32), repeats)
        rows += np.tile((-np.asarray(self.mean) * scale).astype(np.float32), repeats)
        return y


@dataclass(frozen=True, repr=False)
class RandomShift:
    """See `random_shift`."""

    pixels: int

    def __repr__(self) -> str:
        return f"random_shift({self.pixels})"

    def __call__(self, x: np.ndarray, key: keys.Key | None = None) -> np.ndarray:
        """Return `x`, every image shifted by its own draw; `x` itself when `key` is None."""
        _check_images("random_shift", x)
        n, height, width, channels = x.shape
        if self.pixels >= min(height, width):
            raise ValueError(f"random_shift: {self.pixels} pixels would shift a {height}x{width} image out of sight")
        if key is None or self.pixels == 0:
            return x
        p = self.pixels
        padded = np.zeros((n, height + 2 * p, width + 2 * p, channels), x.dtype)
        padded[:, p : p + height, p : p + width] = x
        # Every window of the padded image is a shifted image; with width and channels as one axis a row is one run.
        rows = padded.reshape(n, height + 2 * p, (width + 2 * p) * channels)
        windows = sliding_window_view(rows, (height, width * channels), axis=(1, 2))
        top, left = keys.generator(key).integers(0, 2 * p + 1, size=(2, n))
        return np.asarray(windows[np.arange(n), top, left * channels]).reshape(x.shape)


@dataclass(frozen=True, repr=False)
class RandomFlip:
    """See `random_flip`."""

    def __repr__(self) -> str:
        return "random_flip()"

    def __call__(self, x: np.ndarray, key: keys.Key | None = None) -> np.ndarray:
        """Return `x`, every image mirrored or not by its own draw; `x` itself when `key` is None."""
        _check_images("random_flip", x)
        if key is None:
            return x
        flipped = keys.generator(key).random(len(x)) < 0.5
        y = x.copy(order="C")
        y[flipped] = x[flipped, :, ::-1]
        return y


@dataclass(frozen=True, repr=False)
class Compose:
    """See `compose`."""

    transforms: tuple[Transform, ...]

    def __repr__(self) -> str:
        return f"compose({', '.join(map(repr, self.transforms))})"

    def __call__(self, x: np.ndarray, key: keys.Key | None = None) -> np.ndarray:
        """Return `x` after all transforms, each with `key` folded by its position, or with None."""
        for i, transform in enumerate(self.transforms):
            x = transform(x, None if key is None else keys.fold(key, i))
        return x


def standardize(train_images: np.ndarray) -> Standardize:
    """Return the transform that gives each channel of the training set zero mean and unit variance.

    train_images: (n, ..., channels), usually uint8 (n, height, width, channels). The mean and the standard deviation
    over all axes but the last are computed in float64, block by block: no float copy of the whole set is made.
    The transform returns float32 for any input; a constant channel is centred and divided by 1.
    Raises `ValueError` for an empty set, for images without a channel axis and for values that are not finite.
    """
    if train_images.ndim < 2 or train_images.size == 0:
        raise ValueError(
            f"standardize: training images have shape {train_images.shape}, expected (n, ..., channels), n > 0"
        )
    channels = train_images.shape[-1]
    count = train_images.size // channels
    mean = _sum_over_channels(train_images, lambda block: block) / count
    # Around the mean, in a second pass: the difference of two large sums would cancel.
    variance = _sum_over_channels(
        train_images, lambda block: np.square(block - np.tile(mean, block.shape[1] // channels))
    )
    std = np.sqrt(variance / count)
    if not np.isfinite(mean).all() or not np.isfinite(std).all():
        raise ValueError("standardize: the training images hold values that are not finite: remove or replace them")
    return Standardize(tuple(mean.tolist()), tuple(std.tolist()))


def random_shift(pixels: int) -> RandomShift:
    """Return the transform that shifts each image by its own offset, -pixels .. pixels, down and to the right.

    All offsets are equally likely; x is (n, height, width, channels) of any dtype, which is kept. What comes in from
    outside is zero in the array as it is given: black before `standardize`, the training set's mean colour after.
    Raises `ValueError` for negative pixels, and when called on images that are not larger than the shift.
    """
    if isinstance(pixels, bool) or not isinstance(pixels, int | np.integer) or pixels < 0:
        raise ValueError(f"random_shift: pixels={pixels!r}, expected an int of at least 0")
    return RandomShift(int(pixels))


def random_flip() -> RandomFlip:
    """Return the transform that mirrors each image left to right with probability 1/2; the dtype is kept."""
    return RandomFlip()


def compose(*transforms: Transform) -> Compose:
    """Return the transform that applies `transforms` from left to right, each with the key folded by its position."""
    return Compose(transforms)


def _sum_over_channels(images: np.ndarray, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return the sums (channels,) of f over blocks (images, entries of an image) in float64."""
    entries = images.size // len(images)
    step = max(1, BLOCK_ENTRIES // entries)
    sums = np.zeros(entries)
    for start in range(0, len(images), step):
        block = images[start : start + step]
        sums += f(block.reshape(len(block), entries).astype(np.float64)).sum(axis=0)
    return np.asarray(sums.reshape(-1, images.shape[-1]).sum(axis=0))


def _check_images(name: str, x: np.ndarray) -> None:
    if x.ndim != 4:
        raise ValueError(f"{name}: x has shape {x.shape}, expected images (n, height, width, channels)")
