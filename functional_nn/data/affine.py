"""Random rotation, scale and shift of images at once: each output pixel is interpolated between four input pixels.

With p the position of an output pixel from the image's centre, its value is the input's at

    q = R(-angle) (p - offset) / factor,

bilinear between the four pixels around q, and zero outside of the image. It is one interpolation for all three: several
one after another would blur.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.arguments import array, not_negative
from functional_nn.data.transforms import BatchTransform
from functional_nn.value import constructor

__all__ = ["random_affine"]

DTYPES = (np.uint8, np.float32, np.float64)
MOST_SCALE = 1e3


def _degrees(constructor: str, name: str, value: Any) -> float:
    degrees = not_negative(constructor, name, value)
    if degrees > 180.0:
        raise ValueError(f"{constructor}: {name} is {value!r}, expected at most 180, which is every direction")
    return degrees


def _scale(constructor: str, name: str, value: Any) -> float:
    scale = not_negative(constructor, name, value)
    if scale > MOST_SCALE:
        raise ValueError(f"{constructor}: {name} is {value!r}, expected at most {MOST_SCALE:g}; 0.1 is a tenth larger")
    return scale


@constructor(degrees=_degrees, scale=_scale, pixels=not_negative)
def random_affine(degrees: float, scale: float = 0.0, pixels: float = 0.0) -> BatchTransform:
    """Return the transform that rotates, scales and shifts each image by its own draw, about the image's centre.

    - `degrees`: the angle is uniform from -degrees to degrees;
    - `scale`: the factor lies between 1 / (1 + scale) and 1 + scale, its logarithm uniform;
    - `pixels`: the offsets down and to the right are uniform from -pixels to pixels, fractions included.

    x is (n, height, width, channels), uint8 (rounded to the nearest), float32 or float64; the dtype is kept. Pixels are
    interpolated between the four nearest (bilinear). What comes in from outside is zero in the array as it is given:
    black before `standardize`, the training set's mean colour after. Raises `ValueError` for negative arguments, a
    scale above 1000 and angles above 180 degrees, `TypeError` for images of another dtype.

    >>> x = np.zeros((2, 5, 5, 1), np.uint8)
    >>> x[:, 2, 1:4] = 200
    >>> data.random_affine(45)(x, key=2)[0, :, :, 0]
    array([[  0,   0,   0,   0,   0],
           [  0,  61,  14,   0,   0],
           [  7, 127, 200, 127,   7],
           [  0,   0,  14,  61,   0],
           [  0,   0,   0,   0,   0]], dtype=uint8)
    """

    def transformed(x: np.ndarray, key: keys.Key | None) -> np.ndarray:
        if array("random_affine", "x", x).ndim != 4:
            raise ValueError(f"random_affine: x has shape {x.shape}, expected images (n, height, width, channels)")
        if x.dtype not in DTYPES:
            raise TypeError(f"random_affine: x is of {x.dtype}, expected uint8, float32 or float64: convert the images")
        if pixels >= min(x.shape[1:3]):
            raise ValueError(
                f"random_affine: {pixels} pixels would shift a {x.shape[1]}x{x.shape[2]} image out of sight"
            )
        if key is None or degrees == scale == pixels == 0.0:
            return x
        drawn = keys.generator(key).uniform(-1.0, 1.0, size=(4, len(x)))
        angles, factors = math.radians(degrees) * drawn[0], np.exp(math.log1p(scale) * drawn[1])
        return _warped(x, angles, factors, pixels * drawn[2:])

    return BatchTransform(transformed)


def _warped(x: np.ndarray, angles: np.ndarray, factors: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the images turned counter-clockwise by angles (n,), enlarged by factors (n,), moved by offsets (2, n)."""
    dtype = np.float32 if x.dtype == np.uint8 else x.dtype
    n, height, width, channels = x.shape
    down, right = _sources(height, width, angles, factors, offsets)
    (i, y), (j, z) = (_whole_and_rest(at, size, dtype) for at, size in ((down, height), (right, width)))
    # A frame of zeros, so that every corner is an index: one pixel before the image, two after it.
    padded = np.zeros((n, height + 3, width + 3, channels), x.dtype)
    padded[:, 1 : height + 1, 1 : width + 1] = x
    corner = (np.arange(n)[:, None, None] * (height + 3) + i) * (width + 3) + j
    pixels = padded.reshape(-1, channels)
    warped = np.zeros((n, height, width, channels), dtype)
    for step, weight in ((0, (1 - y) * (1 - z)), (1, (1 - y) * z), (width + 3, y * (1 - z)), (width + 4, y * z)):
        warped += pixels.take(corner + step, axis=0) * weight[..., None]
    return warped.round().astype(np.uint8) if x.dtype == np.uint8 else warped


def _sources(
    height: int, width: int, angles: np.ndarray, factors: np.ndarray, offsets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return for every output pixel the place (n, height, width) that it is read from: the row, and the column."""
    middle = (height - 1) / 2, (width - 1) / 2
    down = np.arange(height)[:, None] - middle[0] - offsets[0][:, None, None]
    right = np.arange(width) - middle[1] - offsets[1][:, None, None]
    cos, sin = (f(angles)[:, None, None] / factors[:, None, None] for f in (np.cos, np.sin))
    return cos * down + sin * right + middle[0], cos * right - sin * down + middle[1]


def _whole_and_rest(at: np.ndarray, size: int, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices into the padded axis of the pixels before these places, and how far behind them they are."""
    inside = at.clip(-1.0, size)  # what is farther outside is as black as the frame
    before = np.floor(inside)
    return before.astype(np.intp) + 1, (inside - before).astype(dtype)
