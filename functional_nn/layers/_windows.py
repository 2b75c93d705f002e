"""How many windows of a convolution or a pool fit along an axis."""

from __future__ import annotations

from functional_nn.layer import ShapeError


def windows_along(axis: str, size: int, window: int, stride: int) -> int:
    """Return how many windows fit along an axis of `size`, (size - window) // stride + 1: the rest is left out."""
    if size < window:
        raise ShapeError(f"input of {axis} {size}, padding included, is smaller than the window of {window}")
    return (size - window) // stride + 1
