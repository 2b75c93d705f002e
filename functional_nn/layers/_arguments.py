"""Checks of constructors' arguments: each returns the value in its shortest form, or raises naming it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functional_nn.layer import ShapeError

Pair = int | tuple[int, int]
Padding = int | tuple[tuple[int, int], tuple[int, int]]
Margins = tuple[tuple[int, int], tuple[int, int]]


def count(layer: str, name: str, value: Any, *, least: int = 1) -> int:
    """Return `value` as an int of at least `least`; raises `ValueError` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{layer}: {name} is {value!r}, expected an int of at least {least}")
    return int(value)


def finite(layer: str, name: str, value: Any) -> float:
    """Return `value` as a float; raises `ValueError` unless it is a finite real number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
        raise ValueError(f"{layer}: {name} is {value!r}, expected a finite number")
    return float(value)


def positive(layer: str, name: str, value: Any) -> float:
    """Return `value` as a float; raises `ValueError` unless it is a finite number above 0."""
    if finite(layer, name, value) <= 0.0:
        raise ValueError(f"{layer}: {name} is {value!r}, expected a number above 0")
    return float(value)


def pair(layer: str, name: str, value: Any, *, least: int = 1) -> Pair:
    """Return an int or a (height, width) pair of ints, a pair of equal numbers as one int."""
    if not isinstance(value, tuple | list):
        return count(layer, name, value, least=least)
    if len(value) != 2:
        raise ValueError(f"{layer}: {name} is {value!r}, expected an int or (height, width)")
    height, width = (count(layer, name, item, least=least) for item in value)
    return height if height == width else (height, width)


def padding(layer: str, value: Any) -> Padding:
    """Return an int or ((top, bottom), (left, right)), equal margins as one int."""
    if not isinstance(value, tuple | list):
        return count(layer, "padding", value, least=0)
    if len(value) != 2 or not all(isinstance(side, tuple | list) and len(side) == 2 for side in value):
        raise ValueError(f"{layer}: padding is {value!r}, expected an int or ((top, bottom), (left, right))")
    (top, bottom), (left, right) = ([count(layer, "padding", item, least=0) for item in side] for side in value)
    return top if top == bottom == left == right else ((top, bottom), (left, right))


def as_pair(value: Pair) -> tuple[int, int]:
    """Return (height, width) of an int or a pair."""
    return value if isinstance(value, tuple) else (value, value)


def as_margins(value: Padding) -> Margins:
    """Return ((top, bottom), (left, right)) of an int or of that."""
    return value if isinstance(value, tuple) else ((value, value), (value, value))


def windows_along(layer: str, axis: str, size: int, window: int, stride: int) -> int:
    """Return how many windows fit along an axis of `size`, (size - window) // stride + 1: the rest is left out."""
    if size < window:
        raise ShapeError(layer, f"input of {axis} {size}, padding included, is smaller than the window of {window}")
    return (size - window) // stride + 1
