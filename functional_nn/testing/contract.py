"""Check all that a pullback promises besides its numbers: inputs, repeated calls, shapes, dtypes and trees."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from functional_nn import tree
from functional_nn.keys import Key
from functional_nn.layer import Layer
from functional_nn.testing.case import natural_scale, spread_signs, usual_gradients
from functional_nn.testing.problem import Point, Problem, gradient_leaves, within_domain
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["check_contract", "check_opposite", "check_output", "check_without_dx"]

ROUNDING = 1e4  # results of equal calls may differ by this many units in the last place: sums may run in another order
LOCKED = ("read-only", "not writeable")


def check_contract(problem: Problem, rng: np.random.Generator) -> None:
    """Raise `GradientError` unless the function and its pullback are pure. The numbers are not checked here.

    Inputs and cotangents are read-only copies, and are compared afterwards. The pullback is called a second time after
    its first gradients were overwritten and the function was run at another point.
    """
    point = [_frozen(array) for array in problem.point]
    inputs = [(problem.path(leaf), array) for leaf, array in enumerate(point)]
    inputs += [(f"{problem.name}.{name}", array) for name, array in problem.constants]
    kept = [array.copy() for _, array in inputs]
    y = _guarded(lambda: problem.value(point), problem, point)
    trained, pull = _guarded(lambda: problem.vjp(point), problem, point)
    _same_output(problem.name, y, trained)
    dy = spread_signs(rng, trained.shape).astype(trained.dtype)
    locked = _frozen(dy)
    first = _guarded(lambda: pull(locked), problem, point, (pull, dy))
    _unchanged([*inputs, (f"{problem.name}.dy", locked)], [*kept, dy])
    saved, outputs = [gradient.copy() for gradient in first], [y.copy(), trained.copy()]
    for gradient in first:
        if gradient.flags.writeable:
            gradient *= -3.0
    _run_elsewhere(problem, rng)
    second = pull(locked)
    usual = usual_gradients(problem.point, trained, dy)
    for leaf, (gradient, again) in enumerate(zip(saved, second, strict=True)):
        _same_gradient(problem.path(leaf), gradient, again, usual[leaf])
    for output, before in zip((y, trained), outputs, strict=True):
        if not np.array_equal(output, before, equal_nan=True):
            message = "  An output changed when the function was called again: it hands out the same memory twice."
            raise GradientError(Verdict.UNREPEATABLE, message, f"{problem.name}.y")


def check_output(layer: Layer, problem: Problem) -> None:
    """Raise `GradientError` unless the output is an array of the shape that `output_shape` says and of x's dtype."""
    point = [_frozen(array) for array in problem.point]
    x, path = point[-1], f"{layer.name}.y"
    y = _guarded(lambda: problem.value(point), problem, point)
    if not isinstance(y, np.ndarray):
        raise GradientError(Verdict.TREE, f"  The output is a {type(y).__name__}, expected an array.", path)
    expected = (x.shape[0], *layer.output_shape(x.shape[1:]))
    if y.shape != expected:
        message = f"  The output has shape {y.shape}, output_shape({x.shape[1:]}) says {expected}, batch included."
        raise GradientError(Verdict.TREE, message, path)
    if y.dtype != x.dtype:
        message = f"  The output is {y.dtype}, the inputs are {x.dtype}: nothing may be promoted or shortened."
        raise GradientError(Verdict.DTYPE, message, path)


def check_without_dx(layer: Layer, params: Any, key: Key | None, problem: Problem) -> None:
    """Raise `GradientError` unless `wrt_x=False` gives None for dx and changes nothing else."""
    params, x = tree.map(_frozen, params), _frozen(problem.point[-1])
    y, pullback = layer.vjp(params, x, key=key)
    dy = np.linspace(-1.0, 1.5, y.size, dtype=y.dtype).reshape(y.shape)
    usual = usual_gradients(problem.point, y, dy)
    whole = gradient_leaves(layer.name, pullback(dy), params, problem.names, problem.point)
    without, shortened = layer.vjp(params, x, key=key, wrt_x=False)
    _same_output(layer.name, y, without)
    part = gradient_leaves(layer.name, shortened(dy), params, problem.names, problem.point, wrt_x=False)
    for leaf, gradient in enumerate(part):
        worst = _difference(whole[leaf], gradient, usual[leaf])
        if worst is not None:
            values = float(whole[leaf][worst]), float(gradient[worst])
            message = f"  With wrt_x=False the pullback gives {values[1]:.9g}, with wrt_x=True {values[0]:.9g}."
            raise GradientError(Verdict.WRONG, message, problem.path(leaf), worst, *values)


def check_opposite(problem: Problem, rng: np.random.Generator) -> None:
    """Raise `GradientError` unless -dy gives the opposite gradients of dy, as any linear map does.

    A gradient of one entry, clipped at zero, is right for every second cotangent: chance alone may not find it.
    """
    y, pull = problem.vjp(problem.point)
    dy = spread_signs(rng, y.shape).astype(y.dtype)
    triples = zip(pull(dy), pull(-dy), usual_gradients(problem.point, y, dy), strict=True)
    for leaf, (gradient, opposite, usual) in enumerate(triples):
        worst = _difference(-gradient, opposite, usual)
        if worst is not None:
            values = float(-gradient[worst]), float(opposite[worst])
            message = (
                f"  For dy the pullback gives {gradient[worst]:.9g} there, for -dy {values[1]:.9g}: it must give the\n"
                "  opposite, as a pullback is linear. Is it clipped, or its absolute value taken?"
            )
            raise GradientError(Verdict.WRONG, message, problem.path(leaf), worst, *values)


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = array.copy(order="K")
    copy.flags.writeable = False
    return copy


def _guarded(
    call: Callable[[], Any],
    problem: Problem,
    point: Point,
    pullback: tuple[Callable[[np.ndarray], Any], np.ndarray] | None = None,
) -> Any:
    """Return `call()`; where it writes to a read-only array, raise the `GradientError` that names the array."""
    try:
        return call()
    except ValueError as error:
        if not any(text in str(error) for text in LOCKED):
            raise
        path = _written(problem, point, pullback)
        message = f"  It writes to one of its arguments ({error}): work on a copy."
        raise GradientError(Verdict.WRITTEN, message, path) from error


def _written(problem: Problem, point: Point, pullback: tuple[Callable[[np.ndarray], Any], np.ndarray] | None) -> str:
    """Return the path of the array that is written: pass writable copies, and compare them afterwards."""
    loose = [array.copy(order="K") for array in point]
    dy = None
    try:
        if pullback is None:
            problem.value(loose)
        _, pull = problem.vjp(loose)
        if pullback is not None:
            dy = pullback[1].copy()
            pull(dy)
    except ValueError:
        pass  # a constant, which stays read-only, is what it writes to
    for leaf, (array, before) in enumerate(zip(loose, point, strict=True)):
        if not np.array_equal(array, before, equal_nan=True):
            return problem.path(leaf)
    if dy is not None and pullback is not None and not np.array_equal(dy, pullback[1]):
        return f"{problem.name}.dy"
    return f"{problem.name}.{problem.constants[0][0]}" if problem.constants else problem.name


def _unchanged(inputs: list[tuple[str, np.ndarray]], kept: list[np.ndarray]) -> None:
    for (path, array), before in zip(inputs, kept, strict=True):
        changed = np.argwhere(array != before)
        if changed.size:
            index = tuple(int(i) for i in changed[0])
            message = "  It was overwritten, past its read-only flag: work on a copy."
            values = float(before[index]), float(array[index])
            raise GradientError(Verdict.WRITTEN, message, path, index, *values)


def _same_output(name: str, y: np.ndarray, trained: Any) -> None:
    """Raise `GradientError` unless both outputs have one shape and dtype, and are equal but for rounding."""
    if not isinstance(trained, np.ndarray):
        message = f"  vjp's output is a {type(trained).__name__}, expected an array."
        raise GradientError(Verdict.TREE, message, f"{name}.y")
    if y.shape != trained.shape or y.dtype != trained.dtype:
        message = f"  apply gives {y.dtype} of shape {y.shape}, vjp gives {trained.dtype} of shape {trained.shape}."
        raise GradientError(Verdict.OUTPUT, message, f"{name}.y")
    worst = _difference(y, trained)
    if worst is not None:
        message = (
            f"  apply gives {y[worst]:.9g} there, vjp {trained[worst]:.9g}: what is trained is not what is used.\n"
            "  If they differ by design (dropout), pass key=: then vjp's own output is differenced."
        )
        values = float(y[worst]), float(trained[worst])
        raise GradientError(Verdict.OUTPUT, message, f"{name}.y", worst, *values)


def _same_gradient(path: str, first: np.ndarray, second: np.ndarray, usual: float) -> None:
    worst = _difference(first, second, usual)
    if worst is not None:
        message = (
            f"  Its first call gives {first[worst]:.9g} there, a second one with the same dy {second[worst]:.9g}.\n"
            "  Between them the first gradients were overwritten and the function was run on other inputs, as any\n"
            "  caller may do: the pullback must change nothing that it keeps, and keep nothing that it hands out."
        )
        values = float(first[worst]), float(second[worst])
        raise GradientError(Verdict.UNREPEATABLE, message, path, worst, *values)


def _difference(a: np.ndarray, b: np.ndarray, usual: float = 0.0) -> tuple[int, ...] | None:
    """Return the index where two arrays differ most, None if they are equal but for rounding.

    Rounding is that of the largest entry, or of an entry of size `usual` where the arrays are small because their terms
    cancel.
    """
    if np.array_equal(a, b, equal_nan=True):
        return None
    with np.errstate(invalid="ignore"):
        apart = np.where(a == b, 0.0, np.abs(a - b))  # equal infinities are equal
    apart = np.where(np.isnan(a) & np.isnan(b), 0.0, apart)
    size = float(np.max(np.abs(a), initial=0.0, where=np.isfinite(a)))
    if np.all(apart <= ROUNDING * float(np.finfo(a.dtype).eps) * max(size, usual)):
        return None
    flat = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
    return tuple(int(i) for i in np.unravel_index(flat, a.shape))


def _run_elsewhere(problem: Problem, rng: np.random.Generator) -> None:
    """Call everything at another point, which overwrites what the layer may keep outside of the pullback.

    The nearer points are for functions whose domain ends near the point.
    """

    def run(point: Point) -> bool:
        problem.value(point)
        y, pull = problem.vjp(point)
        pull(np.ones_like(y))
        return True

    for distance in (0.25, 2.0**-8, 2.0**-20):
        shifts = (distance * (1.0 + 0.04 * rng.uniform(-1.0, 1.0, array.shape)) for array in problem.point)
        other = [(z - shift * natural_scale(z)).astype(z.dtype) for z, shift in zip(problem.point, shifts, strict=True)]
        if within_domain(partial(run, other), outside=False):
            return
