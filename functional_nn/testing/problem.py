"""The form in which layers and losses are checked: a function of a list of arrays, and its claimed pullback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from functional_nn import tree
from functional_nn.dtypes import FLOATS
from functional_nn.keys import Key
from functional_nn.layer import Layer
from functional_nn.loss import Loss
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["Point", "Problem", "of_layer", "of_loss", "within_domain"]

T = TypeVar("T")
Point = list[np.ndarray]
Pull = Callable[[np.ndarray], Point]


@dataclass(frozen=True)
class Problem:
    """A function y = f(arrays) to be differenced, and the pullback that it claims.

    - `value(point)`: y, an array.
    - `vjp(point)`: `(y, pull)`, where `pull(dy)` is one gradient for each array of the point; it raises
      `GradientError` unless what the layer returned has the tree, the shapes and the dtype of the point.
    - `constants`: arrays that are not differentiated, and must not be written either.
    """

    name: str
    names: tuple[str, ...]
    point: Point
    value: Callable[[Point], np.ndarray]
    vjp: Callable[[Point], tuple[np.ndarray, Pull]]
    constants: tuple[tuple[str, np.ndarray], ...] = ()

    def path(self, leaf: int) -> str:
        """The path of an array of the point: `conv.w`."""
        return f"{self.name}.{self.names[leaf]}"

    def at(self, point: Point) -> Problem:
        """The same function at another point."""
        return replace(self, point=point)

    def moved(self, leaf: int, array: np.ndarray) -> Point:
        """The point with one array replaced."""
        return [array if i == leaf else other for i, other in enumerate(self.point)]


def of_layer(layer: Layer, params: Any, x: np.ndarray, key: Key | None) -> Problem:
    """Return the problem of a layer: its parameters in the tree's order, then x.

    With a key the function is the training pass, `vjp(params, x, key=key)[0]`; without, it is `apply`.
    """
    leaves, unflatten = tree.flatten(params)
    names = (*(path for path, _ in tree.items(params)), "x")
    check_arrays(layer.name, names, [*leaves, x])
    if x.ndim == 0:
        raise ValueError(f"{layer.name}.x is a number, expected a batch, (n, ...)")

    def vjp(point: Point) -> tuple[np.ndarray, Pull]:
        tree_at = unflatten(point[:-1])
        y, pullback = layer.vjp(tree_at, point[-1], key=key)

        def pull(dy: np.ndarray) -> Point:
            return gradient_leaves(layer.name, pullback(dy), tree_at, names, point)

        return y, pull

    def value(point: Point) -> np.ndarray:
        if key is not None:
            return vjp(point)[0]
        return layer.apply(unflatten(point[:-1]), point[-1])

    return Problem(layer.name, names, [*leaves, x], value, vjp)


def of_loss(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> Problem:
    """Return the problem of a loss: a function of its outputs alone, y its value as an array of one entry."""
    check_arrays(loss.name, ("outputs",), [outputs])

    def as_array(value: Any) -> np.ndarray:
        if type(value) is not float:  # NumPy's own scalars would promote what they are multiplied with
            message = f"  The value is a {type(value).__name__}, expected a Python float: return float(value)."
            raise GradientError(Verdict.DTYPE, message, f"{loss.name}.y")
        return np.array([value])

    def value(point: Point) -> np.ndarray:
        return as_array(loss.apply(point[0], targets))

    def vjp(point: Point) -> tuple[np.ndarray, Pull]:
        y, pullback = loss.vjp(point[0], targets)

        def pull(dy: np.ndarray) -> Point:
            gradient = pullback(float(dy[0]))
            check_gradient(f"{loss.name}.outputs", gradient, point[0])
            return [gradient]

        return as_array(y), pull

    return Problem(loss.name, ("outputs",), [outputs], value, vjp, (("targets", targets),))


def within_domain(call: Callable[[], T], outside: T) -> T:
    """Return `call()`, or `outside` where it raises, as it may at a moved point outside of the function's domain."""
    try:
        with np.errstate(all="ignore"):
            return call()
    except (GradientError, MemoryError):
        raise
    except Exception:
        return outside


def check_arrays(name: str, names: tuple[str, ...], arrays: list[Any]) -> None:
    """Raise `TypeError` or `ValueError` unless all are arrays of one float dtype and finite."""
    for path, array in zip(names, arrays, strict=True):
        if not isinstance(array, np.ndarray) or array.dtype not in FLOATS:
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise TypeError(f"{name}.{path} is {kind}, expected a float64 array (or float32 throughout)")
        if array.dtype != arrays[-1].dtype:
            raise TypeError(f"{name}.{path} is {array.dtype}, {names[-1]} is {arrays[-1].dtype}: convert one")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}.{path} is not finite: nothing can be differenced there")


def gradient_leaves(
    name: str, gradients: Any, params: Any, names: tuple[str, ...], point: Point, *, wrt_x: bool = True
) -> Point:
    """Return the gradients in the point's order (without x's if not `wrt_x`); raise where they do not match it."""
    if not isinstance(gradients, tuple) or len(gradients) != 2:
        message = f"  The pullback returns a {type(gradients).__name__}, expected the tuple (dparams, dx)."
        raise GradientError(Verdict.TREE, message, name)
    dparams, dx = gradients
    try:
        leaves = tree.leaves(tree.map(lambda _, gradient: gradient, params, dparams))
    except TypeError as error:
        message = f"  The gradients must have exactly the tree of the parameters: {error}."
        raise GradientError(Verdict.TREE, message, name) from error
    if wrt_x:
        leaves.append(dx)
    elif dx is not None:
        raise GradientError(Verdict.TREE, "  With wrt_x=False the pullback must return None for dx.", f"{name}.x")
    for path, gradient, array in zip(names, leaves, point, strict=False):
        check_gradient(f"{name}.{path}", gradient, array)
    return leaves


def check_gradient(path: str, gradient: Any, array: np.ndarray) -> None:
    """Raise unless `gradient` is an array with the shape and the dtype of `array`."""
    if not isinstance(gradient, np.ndarray):
        message = f"  The gradient is a {type(gradient).__name__}, expected an array of shape {array.shape}."
        raise GradientError(Verdict.TREE, message, path)
    if gradient.shape != array.shape:
        message = f"  The gradient has shape {gradient.shape}, the array it belongs to has {array.shape}."
        raise GradientError(Verdict.TREE, message, path)
    if gradient.dtype != array.dtype:
        message = f"  The gradient is {gradient.dtype}, the array it belongs to is {array.dtype}."
        raise GradientError(Verdict.DTYPE, message, path)
