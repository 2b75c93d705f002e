"""Which layers saturate, and where: measured from their pullbacks, whatever the layer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from functional_nn import keys
from functional_nn.errors import LayerError
from functional_nn.layer import Pullback

__all__ = ["is_elementwise", "largest_slopes", "saturated_share", "slopes"]

SATURATED = 1e-3  # of the largest slope, below which an entry is saturated
EXAMPLES = 8  # random ones, on which a layer shows whether it is elementwise
SIZES = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 16.0, 64.0, 1024.0)
POINTS = (0.0, *SIZES, *(-size for size in SIZES))

REFUSED = (LayerError, ValueError, ArithmeticError)  # what a layer may raise for an x outside of its domain

Pass = Callable[[np.ndarray], tuple[np.ndarray, Pullback]]


def slopes(y: np.ndarray, pullback: Pullback) -> np.ndarray:
    """Return |dy/dx| at every entry, which an elementwise layer's pullback gives for a cotangent of ones."""
    _, dx = pullback(np.ones_like(y))
    assert dx is not None  # for an x that is not integer
    return np.abs(dx)


def is_elementwise(forward: Pass, x: np.ndarray) -> bool:
    """Return whether each entry of the output depends on the same entry of an x of this shape and dtype alone.

    Then, and only then, the pullback carries any signs of the cotangent through: J' s = s * (J' 1).
    """
    rng = keys.generator(0)
    shape = (EXAMPLES, *x.shape[1:])
    try:
        y, pullback = forward(rng.standard_normal(shape).astype(x.dtype))
    except REFUSED:
        return False
    if y.shape != shape:
        return False
    signs = rng.choice(np.array([-1.0, 1.0], x.dtype), shape)
    one_sign, any_sign = pullback(np.ones_like(y))[1], pullback(signs)[1]
    return one_sign is not None and any_sign is not None and np.allclose(signs * any_sign, one_sign, equal_nan=True)


def largest_slopes(forward: Pass, x: np.ndarray) -> np.ndarray | None:
    """Return the largest slope that an elementwise layer has at each unit, (1, ...); None if it does not saturate.

    It saturates where the slope at some points is below `SATURATED` of that at others. Dropout does not: its slope at
    a unit is the same for every x. x gives the units' shape and dtype; the slopes are taken at `POINTS`.
    """
    largest, smallest = np.zeros((1, *x.shape[1:])), np.full((1, *x.shape[1:]), np.inf)
    for point in POINTS:
        try:
            slope = slopes(*forward(np.full(largest.shape, point, x.dtype)))
        except REFUSED:
            continue
        slope = np.where(np.isfinite(slope), slope, np.nan)
        largest, smallest = np.fmax(largest, slope), np.fmin(smallest, slope)
    return largest if np.any(smallest < SATURATED * largest) else None


def saturated_share(forward: Pass, x: np.ndarray, y: np.ndarray, pullback: Pullback) -> float | None:
    """Return the share of the entries of an elementwise layer's x at which it is saturated; None if it never is."""
    largest = largest_slopes(forward, x)
    return None if largest is None else float(np.mean(slopes(y, pullback) < SATURATED * largest))
