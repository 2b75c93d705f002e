"""Initial weights: plain functions `(rng, shape) -> float32 array`.

A weight's last axis counts the units that it feeds and the axes before it what each of them reads, so
fan_in = c_in kh kw for a kernel `(kh, kw, c_in, c_out)` and d_in for a matrix `(d_in, d_out)`. (Leaving kh kw out
of a convolution's fan-in makes its outputs sqrt(kh kw) times too large.)
"""

from __future__ import annotations

import math

import numpy as np

from functional_nn.layer import Shape

__all__ = ["fans", "glorot_uniform", "he_normal", "lecun_normal", "standard_normal", "zeros"]


def fans(shape: Shape) -> tuple[int, int]:
    """Return `(fan_in, fan_out)` of a weight; raises `ValueError` for fewer than two axes.

    >>> initializers.fans((5, 5, 6, 16))
    (150, 400)
    """
    if len(shape) < 2:
        raise ValueError(f"a weight of shape {shape} has no fan-in: expected (d_in, d_out) or (kh, kw, c_in, c_out)")
    receptive = math.prod(shape[:-2])
    return receptive * shape[-2], receptive * shape[-1]


def glorot_uniform(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw from U(-a, a), a = sqrt(6 / (fan_in + fan_out)), for sigmoid and tanh (Glorot and Bengio 2010, eq. 16).

    >>> w = initializers.glorot_uniform(np.random.default_rng(0), (100, 200))
    >>> w.dtype, bool(np.abs(w).max() <= np.sqrt(6 / 300))
    (dtype('float32'), True)
    """
    limit = math.sqrt(6.0 / sum(fans(shape)))
    return (limit * (2.0 * rng.random(shape) - 1.0)).astype(np.float32)


def he_normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw from N(0, 2 / fan_in), for ReLU and its kin (He et al. 2015, eq. 10).

    >>> w = initializers.he_normal(np.random.default_rng(0), (5, 5, 8, 16))
    >>> round(float(w.std()), 2)  # sqrt(2 / 200)
    0.1
    """
    return _normal(rng, shape, 2.0)


def lecun_normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw from N(0, 1 / fan_in) (LeCun et al. 1998, Efficient BackProp, eq. 16).

    >>> w = initializers.lecun_normal(np.random.default_rng(0), (100, 200))
    >>> round(float(w.std()), 2)  # sqrt(1 / 100)
    0.1
    """
    return _normal(rng, shape, 1.0)


def standard_normal(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw from N(0, 1), whatever the shape: for the rows of an embedding.

    >>> initializers.standard_normal(np.random.default_rng(0), (10, 4)).shape
    (10, 4)
    """
    return rng.standard_normal(shape).astype(np.float32)


def zeros(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Return zeros and draw nothing: the usual start of a bias.

    >>> initializers.zeros(np.random.default_rng(0), (3,))
    array([0., 0., 0.], dtype=float32)
    """
    return np.zeros(shape, np.float32)


def _normal(rng: np.random.Generator, shape: Shape, gain: float) -> np.ndarray:
    fan_in, _ = fans(shape)
    if not fan_in:
        raise ValueError(f"a weight of shape {shape} reads nothing: expected an input of at least one entry")
    return (math.sqrt(gain / fan_in) * rng.standard_normal(shape)).astype(np.float32)
