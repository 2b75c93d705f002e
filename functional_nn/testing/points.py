"""The points at which `check_layer` looks: shapes, batches and numbers that hide or show different mistakes.

Random numbers of one shape hide much: a window that never overlaps, a stride without remainder, axes that are swapped
where they are equal (or told apart only where they differ), ties, zeros, and rows of a table that are looked up twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from functional_nn import tree
from functional_nn.layer import Layer, LayerError, Params, Shape
from functional_nn.testing.subjects import takes_integers

__all__ = ["Drawn", "points"]

LARGEST = 2_000  # entries of an input: larger ones are tried in the shape that was asked for alone
EQUAL = 4  # the side of an input of equal axes, at most
MOST_NUMBERS = 9  # the whole numbers tried for a layer that takes them are below


@dataclass(frozen=True)
class Drawn:
    """A point: parameters and a batch, and what is special about them.

    - `text`: "whole numbers"; `structured`: chosen to lie on kinks and ties, not in general position.
    """

    text: str
    params: Params
    x: np.ndarray
    structured: bool = False

    def __str__(self) -> str:
        float_dtype = next((leaf.dtype for leaf in tree.leaves(self.params)), self.x.dtype)
        return f"x {self.x.shape} {float_dtype}, {self.text}"


def points(layer: Layer, input_shape: Shape, rng: np.random.Generator) -> Iterator[Drawn]:
    """Yield the points, those in general position first: in the shape asked for, then in others that fit the layer."""
    numbers = _whole_numbers(layer, input_shape, rng) if takes_integers(layer) else 0

    def generic(n: int, shape: Shape, dtype: Any, text: str = "normal numbers") -> Drawn:
        params = _noisy(layer.init(rng, shape), rng, dtype)
        if numbers:
            return Drawn("random whole numbers", params, rng.integers(0, numbers, (n, *shape)))
        return Drawn(text, params, rng.standard_normal((n, *shape)).astype(dtype))

    yield generic(3, input_shape, np.float64)
    short = _fits(layer, input_shape, np.float32)
    if short:
        yield generic(3, input_shape, np.float32)
    yield generic(1, input_shape, np.float64)
    others = list(_other_shapes(layer, input_shape))
    for shape in others:
        yield generic(shape[-1] if len(set(shape)) == 1 else 2, shape, np.float64)
    if numbers:
        yield from _repeated_numbers(layer, input_shape, numbers, rng)
        return
    yield from _structured(layer, input_shape, rng, short=short)
    for shape in others if not layer.parts else []:
        yield Drawn(
            "whole numbers with ties", _started(layer, shape, rng, np.float64), _ties(rng, shape), structured=True
        )


def _other_shapes(layer: Layer, input_shape: Shape) -> Iterator[Shape]:
    """Yield shapes with an axis longer by one, which leaves remainders of strides, and one with all axes equal."""
    axes = range(len(input_shape))
    longer = [tuple(size + (i == axis) for i, size in enumerate(input_shape)) for axis in axes]
    equal = (min(max(input_shape, default=1), EQUAL),) * len(input_shape)
    for shape in dict.fromkeys([*longer, equal]):
        if shape != input_shape and math.prod(shape) <= LARGEST and _fits(layer, shape, np.float64):
            yield shape


def _fits(layer: Layer, shape: Shape, dtype: Any) -> bool:
    """Whether the layer takes this shape and dtype: bound parameters fit those alone that they have."""
    rng = np.random.default_rng(0)
    x = np.zeros((2, *shape), np.int64) if takes_integers(layer) else rng.standard_normal((2, *shape)).astype(dtype)
    try:
        layer.output_shape(shape)
        layer.vjp(_started(layer, shape, rng, dtype), x, key=0, wrt_x=False)
    except (ValueError, LayerError):
        return False
    return True


def _started(layer: Layer, shape: Shape, rng: np.random.Generator, dtype: Any) -> Params:
    """Return the parameters that the layer starts with."""
    started: Params = tree.cast(layer.init(rng, shape), dtype)
    return started


def _structured(layer: Layer, shape: Shape, rng: np.random.Generator, *, short: bool) -> Iterator[Drawn]:
    """Yield points on ties and zeros, with the parameters that the layer itself starts with, or whole numbers."""
    start = _started(layer, shape, rng, np.float64)
    whole = tree.map(lambda p: np.asarray(rng.integers(-1, 3, p.shape), np.float64), start)
    ties = _ties(rng, shape)
    row = rng.standard_normal((1, *shape))
    texts = ("zeros", "twos", "equal rows", "whole numbers with ties")
    inputs = (np.zeros((2, *shape)), np.full((2, *shape), 2.0), np.repeat(row, 3, axis=0), ties)
    for text, x in zip(texts, inputs, strict=True):
        yield Drawn(text, start, x, structured=True)
    if tree.leaves(start):
        yield Drawn("whole numbers with ties, so the parameters", whole, ties, structured=True)
    if short:
        yield Drawn("whole numbers with ties", tree.cast(start, np.float32), ties.astype(np.float32), structured=True)


def _ties(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return rng.integers(-1, 2, (2, *shape)).astype(np.float64)


def _repeated_numbers(layer: Layer, shape: Shape, numbers: int, rng: np.random.Generator) -> Iterator[Drawn]:
    params = _noisy(layer.init(rng, shape), rng, np.float64)
    for number in dict.fromkeys((0, numbers - 1)):
        yield Drawn(f"the number {number} everywhere", params, np.full((2, *shape), number), structured=True)


def _whole_numbers(layer: Layer, shape: Shape, rng: np.random.Generator) -> int:
    """Return how many whole numbers from 0 on the layer takes, as far as it is tried; raise where it takes none."""
    params = layer.init(rng, shape)
    layer.vjp(params, np.zeros((1, *shape), np.int64), key=0, wrt_x=False)
    for number in range(1, MOST_NUMBERS):
        try:
            layer.vjp(params, np.full((1, *shape), number), key=0, wrt_x=False)
        except (ValueError, IndexError):
            return number
    return MOST_NUMBERS


def _noisy(params: Params, rng: np.random.Generator, dtype: Any) -> Params:
    """Return the parameters that a layer starts with, and noise, so that biases are not zero."""
    noisy: Params = tree.map(lambda p: np.asarray(p + 0.1 * rng.standard_normal(np.shape(p)), dtype), params)
    return noisy
