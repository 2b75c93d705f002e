"""Checks of constructors' arguments: a layer author's vocabulary.

    @constructor(units=count, slope=finite)
    def mine(units: int, slope: float = 0.1) -> Layer: ...

A check takes the constructor's name, the argument's name and its value. It returns the value as the constructor keeps
it, or raises `ValueError` that names all three. `partial(count, least=0)` is a check too.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "Margins",
    "Padding",
    "Pair",
    "array",
    "as_margins",
    "as_pair",
    "as_path",
    "count",
    "finite",
    "flag",
    "fraction",
    "initializer",
    "not_negative",
    "optional",
    "padding",
    "pair",
    "positive",
]

Pair = int | tuple[int, int]
Padding = int | tuple[tuple[int, int], tuple[int, int]]
Margins = tuple[tuple[int, int], tuple[int, int]]

ARRAYS = (np.ndarray, np.memmap)  # a subclass such as np.matrix means something else by the same operators


def array(function: str, name: str, value: Any) -> np.ndarray:
    """Return `value`, which must be a NumPy array or a memory map; raises `TypeError` otherwise.

    >>> arguments.array("predict", "x", np.ones(2))
    array([1., 1.])
    >>> arguments.array("predict", "x", [1.0, 1.0])
    Traceback (most recent call last):
        ...
    TypeError: predict: x is a list, expected a NumPy array: convert it with np.asarray
    """
    if type(value) not in ARRAYS:
        raise TypeError(f"{function}: {name} is {not_an_array(value)}")
    return value


def not_an_array(value: Any) -> str:
    """Return what a value is that is no array, and what to do."""
    remedy = ""
    if isinstance(value, np.ma.MaskedArray):
        remedy = ": fill its masked entries"
    elif isinstance(value, list | tuple) or hasattr(value, "__array__"):
        remedy = ": convert it with np.asarray"
    elif hasattr(value, "params"):
        remedy = ": give its .params"
    return f"a {type(value).__name__}, expected a NumPy array{remedy}"


def count(constructor: str, name: str, value: Any, *, least: int = 1) -> int:
    """Return `value` as an int of at least `least`.

    >>> arguments.count("dense", "units", np.int64(3))
    3
    >>> arguments.count("dense", "units", 0)
    Traceback (most recent call last):
        ...
    ValueError: dense: units is 0, expected an int of at least 1
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{constructor}: {name} is {value!r}, expected an int of at least {least}")
    return int(value)


def flag(constructor: str, name: str, value: Any) -> bool:
    """Return `value` as a bool; it must be one.

    >>> arguments.flag("my_layer", "bias", np.True_)
    True
    >>> arguments.flag("my_layer", "bias", 1)
    Traceback (most recent call last):
        ...
    ValueError: my_layer: bias is 1, expected True or False
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{constructor}: {name} is {value!r}, expected True or False")
    return bool(value)


def finite(constructor: str, name: str, value: Any) -> float:
    """Return `value` as a float; it must be a finite real number.

    >>> arguments.finite("leaky_relu", "slope", np.float32(0.5))
    0.5
    >>> arguments.finite("leaky_relu", "slope", np.nan)
    Traceback (most recent call last):
        ...
    ValueError: leaky_relu: slope is nan, expected a finite number
    """
    return _number(constructor, name, value, "a finite number", lambda number: True)


def positive(constructor: str, name: str, value: Any) -> float:
    """Return `value` as a float; it must be finite and above 0.

    >>> arguments.positive("huber", "delta", 1)
    1.0
    >>> arguments.positive("huber", "delta", 0.0)
    Traceback (most recent call last):
        ...
    ValueError: huber: delta is 0.0, expected a finite number above 0
    """
    return _number(constructor, name, value, "a finite number above 0", lambda number: number > 0.0)


def not_negative(constructor: str, name: str, value: Any) -> float:
    """Return `value` as a float; it must be finite and at least 0.

    >>> arguments.not_negative("sgd", "learning_rate", 0)
    0.0
    >>> arguments.not_negative("sgd", "learning_rate", -1)
    Traceback (most recent call last):
        ...
    ValueError: sgd: learning_rate is -1, expected a finite number that is not negative
    """
    return _number(constructor, name, value, "a finite number that is not negative", lambda number: number >= 0.0)


def fraction(constructor: str, name: str, value: Any) -> float:
    """Return `value` as a float; it must be at least 0 and below 1.

    >>> arguments.fraction("dropout", "drop_rate", 0)
    0.0
    >>> arguments.fraction("dropout", "drop_rate", 1.0)
    Traceback (most recent call last):
        ...
    ValueError: dropout: drop_rate is 1.0, expected a number from 0 up to but without 1
    """
    return _number(constructor, name, value, "a number from 0 up to but without 1", lambda number: 0.0 <= number < 1.0)


def pair(constructor: str, name: str, value: Any, *, least: int = 1) -> Pair:
    """Return an int or a (height, width) pair of ints; a pair of equal numbers becomes one int.

    >>> arguments.pair("conv2d", "kernel", (3, 3)), arguments.pair("conv2d", "kernel", [3, 5])
    (3, (3, 5))
    """
    if not isinstance(value, tuple | list):
        return count(constructor, name, value, least=least)
    if len(value) != 2:
        raise ValueError(f"{constructor}: {name} is {value!r}, expected an int or (height, width)")
    height, width = (count(constructor, name, item, least=least) for item in value)
    return height if height == width else (height, width)


def padding(constructor: str, name: str, value: Any) -> Padding:
    """Return an int or ((top, bottom), (left, right)); equal margins become one int.

    >>> arguments.padding("conv2d", "padding", ((1, 1), (1, 1)))
    1
    >>> arguments.padding("conv2d", "padding", ((0, 1), (0, 1)))
    ((0, 1), (0, 1))
    """
    if not isinstance(value, tuple | list):
        return count(constructor, name, value, least=0)
    if len(value) != 2 or not all(isinstance(side, tuple | list) and len(side) == 2 for side in value):
        expected = "expected an int or ((top, bottom), (left, right))"
        raise ValueError(f"{constructor}: {name} is {value!r}, {expected}")
    (top, bottom), (left, right) = ([count(constructor, name, item, least=0) for item in side] for side in value)
    return top if top == bottom == left == right else ((top, bottom), (left, right))


def initializer(constructor: str, name: str, value: Any) -> Callable[..., Any]:
    """Return `value`, which must be a function (rng, shape) -> array; raises `TypeError` otherwise.

    >>> arguments.initializer("dense", "w_init", "zeros")
    Traceback (most recent call last):
        ...
    TypeError: dense: w_init is 'zeros', expected a function such as initializers.he_normal
    """
    if not callable(value):
        raise TypeError(f"{constructor}: {name} is {value!r}, expected a function such as initializers.he_normal")
    return value


def optional(check: Callable[[str, str, Any], Any]) -> Callable[[str, str, Any], Any]:
    """Return the check that lets None pass and leaves the rest to `check`.

    >>> check = arguments.optional(arguments.count)
    >>> check("my_layer", "groups", None), check("my_layer", "groups", 4)
    (None, 4)
    """

    def checked(constructor: str, name: str, value: Any) -> Any:
        return None if value is None else check(constructor, name, value)

    return checked


def as_path(function: str, name: str, value: Any) -> Path:
    """Return a file's or a directory's path; raises `TypeError` for what is none.

    >>> arguments.as_path("load", "root", "digits").suffix
    ''
    >>> arguments.as_path("load", "root", 3)
    Traceback (most recent call last):
        ...
    TypeError: load: root is 3, expected a path: a string or a pathlib.Path
    """
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{function}: {name} is {value!r}, expected a path: a string or a pathlib.Path")
    return Path(value)


def as_pair(value: Pair) -> tuple[int, int]:
    """Return (height, width) of an int or a pair.

    >>> arguments.as_pair(3)
    (3, 3)
    """
    return value if isinstance(value, tuple) else (value, value)


def as_margins(value: Padding) -> Margins:
    """Return ((top, bottom), (left, right)) of an int or of that.

    >>> arguments.as_margins(1)
    ((1, 1), (1, 1))
    """
    return value if isinstance(value, tuple) else ((value, value), (value, value))


def _number(constructor: str, name: str, value: Any, expected: str, holds: Callable[[float], bool]) -> float:
    number = math.nan
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        with suppress(OverflowError):  # an int beyond all floats
            number = float(value)
    if not math.isfinite(number) or not holds(number):
        raise ValueError(f"{constructor}: {name} is {value!r}, expected {expected}")
    return number
