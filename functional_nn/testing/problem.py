"""The form in which everything is checked: a function of a list of arrays, and the pullback that it claims.

`of_function` makes it of two functions of arrays. Layers and losses are brought to that form by `subjects.py`, the
functions of PyTorch and JAX by `of_torch.py` and `of_jax.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from functional_nn.dtypes import FLOATS
from functional_nn.testing.outputs import packed, part_at, unpacked
from functional_nn.testing.verdict import GradientError, Index, Verdict

__all__ = ["Point", "Problem", "frozen", "no_float_array", "of_function", "within_domain"]

T = TypeVar("T")
Point = list[np.ndarray]
Pull = Callable[[np.ndarray], Point]


@dataclass(frozen=True)
class Problem:
    """A function y = f(arrays) to be differenced, and the pullback that it claims.

    - `value(point)`: y, an array; several outputs are packed into one vector.
    - `vjp(point)`: `(y, pull)`, where `pull(dy)` is one gradient for each array of the point; it raises
      `GradientError` unless what the pullback returned has the shapes and the dtypes of the point.
    - `fixed`: arrays that are not differentiated, and must not be written either.
    - `words`: how messages call the function and its vjp; `advice`: what to do where their outputs differ by design.
    - `axis`: a length that a mean may have been taken over, and what it is.
    - `linear`: the pullback is linear by construction, and y is one number: then dy is 1, and slopes are f's own.
    - `output`: where an entry of y is: `y` and its index, or `y[2]` and that in the third of several outputs.
    """

    name: str
    names: tuple[str, ...]
    point: Point
    value: Callable[[Point], np.ndarray]
    vjp: Callable[[Point], tuple[np.ndarray, Pull]]
    fixed: tuple[tuple[str, np.ndarray], ...] = ()
    words: tuple[str, str] = ("f", "vjp")
    advice: str = ""
    axis: tuple[int, str] = (1, "")
    linear: bool = False
    output: Callable[[Index], tuple[str, Index]] = lambda index: ("y", index)

    def path(self, leaf: int) -> str:
        """The path of an array of the point: `conv.w`."""
        return f"{self.name}.{self.names[leaf]}"

    def at(self, point: Point) -> Problem:
        """The same function at another point."""
        return replace(self, point=point)

    def moved(self, leaf: int, array: np.ndarray) -> Point:
        """The point with one array replaced."""
        return [array if i == leaf else other for i, other in enumerate(self.point)]


def of_function(
    name: str,
    names: Sequence[str],
    f: Callable[..., Any],
    vjp: Callable[..., Any],
    arrays: Sequence[np.ndarray],
    fixed: Collection[str] = (),
) -> Problem:
    """Return the problem of f(*arrays), whose gradients `vjp(*arrays) -> (y, pullback)` claims.

    Arrays of whole numbers, and those named in `fixed`, are not differentiated: their gradients must be None.
    """
    check_numbers(name, names, arrays, fixed)
    free = [i for i, array in enumerate(arrays) if array.dtype in FLOATS and names[i] not in fixed]
    held = {i: frozen(array) for i, array in enumerate(arrays) if i not in free}
    shapes: list[tuple[int, ...]] = []

    def whole(point: Point) -> Point:
        moved = dict(zip(free, point, strict=True))
        return [moved[i] if i in moved else held[i] for i in range(len(arrays))]

    def value(point: Point) -> np.ndarray:
        y = f(*whole(point))
        shapes[:] = [np.shape(part) for part in y] if isinstance(y, tuple) else []
        return packed(name, y)

    def claimed(point: Point) -> tuple[np.ndarray, Pull]:
        y, pullback = pair(name, vjp(*whole(point)))

        def pull(dy: np.ndarray) -> Point:
            gradients = one_for_each(name, names, pullback(unpacked(dy, y)))
            for i in held:
                check_none(f"{name}.{names[i]}", gradients[i])
            return [fitting(f"{name}.{names[i]}", gradients[i], arrays[i], point[k]) for k, i in enumerate(free)]

        return packed(name, y), pull

    free_names, fixed_arrays = tuple(names[i] for i in free), tuple((names[i], array) for i, array in held.items())
    point = [arrays[i] for i in free]
    return Problem(name, free_names, point, value, claimed, fixed_arrays, output=lambda index: part_at(shapes, index))


def within_domain(call: Callable[[], T], outside: T) -> T:
    """Return `call()`, or `outside` where it raises, as it may at a moved point outside of the function's domain."""
    try:
        with np.errstate(all="ignore"):
            return call()
    except (GradientError, MemoryError):
        raise
    except Exception:
        return outside


def check_numbers(name: str, names: Sequence[str], arrays: Sequence[Any], fixed: Collection[str]) -> None:
    """Raise `TypeError` or `ValueError` unless all are arrays, those to differentiate by of one float dtype, finite."""
    kept: list[tuple[str, np.ndarray]] = []
    for path, array in zip(names, arrays, strict=True):
        taken = isinstance(array, np.ndarray) and (path in fixed or array.dtype in FLOATS or array.dtype.kind in "iub")
        if not taken:
            raise no_float_array(name, path, array)
        if array.dtype in FLOATS and path not in fixed:
            kept.append((path, array))
    for path, array in kept:
        last, other = kept[-1]
        if array.dtype != other.dtype:
            raise TypeError(f"{name}.{path} is {array.dtype}, {last} is {other.dtype}: convert one")
        if not np.isfinite(array).all():
            raise ValueError(f"{name}.{path} is not finite: nothing can be differenced there")


def no_float_array(name: str, path: str, array: Any) -> TypeError:
    """Return the error for what is no array of float64 or float32."""
    kind = array.dtype if isinstance(array, np.ndarray) else f"a {type(array).__name__}, no array"
    return TypeError(f"{name}.{path} is {kind}, expected a float64 array (or float32 throughout)")


def pair(name: str, result: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return what a vjp returned; raise unless it is a pair of an output and a pullback."""
    if not isinstance(result, tuple) or len(result) != 2 or not callable(result[1]):
        message = f"  vjp returns {_kind(result)}, expected the pair (y, pullback)."
        raise GradientError(Verdict.TREE, message, name)
    return result


def one_for_each(name: str, names: Sequence[str], gradients: Any) -> Sequence[Any]:
    """Return one gradient for each array; where there is one array, the gradient may stand alone."""
    if len(names) == 1 and not isinstance(gradients, tuple | list):
        gradients = (gradients,)
    if not isinstance(gradients, tuple | list) or len(gradients) != len(names):
        message = (
            f"  The pullback returns {_kind(gradients)}, expected a tuple of {len(names)}: one gradient for each of\n"
            f"  {', '.join(names)}, None for those that have none."
        )
        raise GradientError(Verdict.TREE, message, name)
    return gradients


def check_none(path: str, gradient: Any) -> None:
    """Raise `GradientError` unless there is no gradient for what is fixed."""
    if gradient is not None:
        message = "  It is not differentiated: the pullback must return None for it."
        raise GradientError(Verdict.TREE, message, path)


def fitting(path: str, gradient: Any, original: np.ndarray, array: np.ndarray) -> np.ndarray:
    """Return the gradient as an array; raise unless it has the shape of `original` and the dtype of `array`."""
    if not original.ndim and isinstance(gradient, np.floating | float):
        gradient = np.asarray(gradient)
    if not isinstance(gradient, np.ndarray):
        message = f"  The gradient is a {type(gradient).__name__}, expected an array of shape {original.shape}."
        raise GradientError(Verdict.TREE, message, path)
    if gradient.shape != original.shape:
        message = f"  The gradient has shape {gradient.shape}, the array it belongs to has {original.shape}."
        raise GradientError(Verdict.TREE, message, path)
    if gradient.dtype != array.dtype:
        message = f"  The gradient is {gradient.dtype}, the array it belongs to is {array.dtype}."
        raise GradientError(Verdict.DTYPE, message, path)
    return gradient


def _kind(result: Any) -> str:
    return f"a tuple of {len(result)}" if isinstance(result, tuple) else f"a {type(result).__name__}"


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a copy that nobody can write to, in the same memory order."""
    copy = array.copy(order="K")
    copy.flags.writeable = False
    return copy
