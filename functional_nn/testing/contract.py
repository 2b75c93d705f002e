"""Check all that a pullback promises besides its numbers: inputs, repeated calls, shapes, dtypes and trees."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from functional_nn.testing.case import natural_scale, spread_signs, usual_gradients
from functional_nn.testing.problem import Point, Problem, frozen, within_domain
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["check_contract", "check_opposite", "difference", "guarded", "same_output"]

ROUNDING = 1e4  # results of equal calls may differ by this many units in the last place: sums may run in another order
LOCKED = ("read-only", "not writeable")


def check_contract(problem: Problem, rng: np.random.Generator) -> None:
    """Raise `GradientError` unless the function and its pullback are pure. The numbers are not checked here.

    Inputs and cotangents are read-only copies, and are compared afterwards. The pullback is called a second time after
    its first gradients were overwritten and the function was run at another point.
    """
    point = [frozen(array) for array in problem.point]
    inputs = [(problem.path(leaf), array) for leaf, array in enumerate(point)]
    inputs += [(f"{problem.name}.{name}", array) for name, array in problem.fixed]
    kept = [array.copy() for _, array in inputs]
    y = guarded(lambda: problem.value(point), problem, point)
    trained, pull = guarded(lambda: problem.vjp(point), problem, point)
    same_output(problem, y, trained)
    dy = spread_signs(rng, trained.shape).astype(trained.dtype)
    locked = frozen(dy)
    first = guarded(lambda: pull(locked), problem, point, (pull, dy))
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


def check_opposite(problem: Problem, rng: np.random.Generator) -> None:
    """Raise `GradientError` unless -dy gives the opposite gradients of dy, as any linear map does.

    A gradient of one entry, clipped at zero, is right for every second cotangent: chance alone may not find it.
    """
    y, pull = problem.vjp(problem.point)
    dy = spread_signs(rng, y.shape).astype(y.dtype)
    triples = zip(pull(dy), pull(-dy), usual_gradients(problem.point, y, dy), strict=True)
    for leaf, (gradient, opposite, usual) in enumerate(triples):
        worst = difference(-gradient, opposite, usual)
        if worst is not None:
            values = float(-gradient[worst]), float(opposite[worst])
            message = (
                f"  For dy the pullback gives {gradient[worst]:.9g} there, for -dy {values[1]:.9g}: it must give the\n"
                "  opposite, as a pullback is linear. Is it clipped, or its absolute value taken?"
            )
            raise GradientError(Verdict.WRONG, message, problem.path(leaf), worst, *values)


def guarded(
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
        message = f"  It writes to an array that it may not change ({error}): work on a copy."
        raise GradientError(Verdict.WRITTEN, message, path) from error


def _written(problem: Problem, point: Point, pullback: tuple[Callable[[np.ndarray], Any], np.ndarray] | None) -> str:
    """Return the path of the array that is written: pass writable copies, and compare them afterwards.

    What was written may raise an error of its own then, and fixed arrays stay read-only. Where no copy changed, a fixed
    array was written, or, where there is none, something that the function keeps.
    """
    loose = [array.copy(order="K") for array in point]
    dy = None if pullback is None else pullback[1].copy()
    with suppress(ValueError):
        if dy is None:
            problem.value(loose)
        _, pull = problem.vjp(loose)
        if dy is not None:
            pull(dy)
    for leaf, (array, before) in enumerate(zip(loose, point, strict=True)):
        if not np.array_equal(array, before, equal_nan=True):
            return problem.path(leaf)
    if dy is not None and pullback is not None and not np.array_equal(dy, pullback[1]):
        return f"{problem.name}.dy"
    return f"{problem.name}.{problem.fixed[0][0]}" if problem.fixed else problem.name


def _unchanged(inputs: list[tuple[str, np.ndarray]], kept: list[np.ndarray]) -> None:
    for (path, array), before in zip(inputs, kept, strict=True):
        changed = np.argwhere(array != before)
        if changed.size:
            index = tuple(int(i) for i in changed[0])
            message = "  It was overwritten, past its read-only flag: work on a copy."
            values = float(before[index]), float(array[index])
            raise GradientError(Verdict.WRITTEN, message, path, index, *values)


def same_output(problem: Problem, y: np.ndarray, trained: np.ndarray) -> None:
    """Raise `GradientError` unless both outputs have one shape and dtype, and are equal but for rounding."""
    path, (f, vjp) = f"{problem.name}.y", problem.words
    if y.shape != trained.shape or y.dtype != trained.dtype:
        message = f"  {f} gives {y.dtype} of shape {y.shape}, {vjp} gives {trained.dtype} of shape {trained.shape}."
        raise GradientError(Verdict.OUTPUT, message, path)
    worst = difference(y, trained)
    if worst is not None:
        values = float(y[worst]), float(trained[worst])
        lines = [
            f"  {f} gives {values[0]:.9g} there, {vjp} {values[1]:.9g}: what is differentiated is not what is used.",
            *([problem.advice] if problem.advice else []),
        ]
        part, index = problem.output(worst)
        raise GradientError(Verdict.OUTPUT, "\n".join(lines), f"{problem.name}.{part}", index, *values)


def _same_gradient(path: str, first: np.ndarray, second: np.ndarray, usual: float) -> None:
    worst = difference(first, second, usual)
    if worst is not None:
        message = (
            f"  Its first call gives {first[worst]:.9g} there, a second one with the same dy {second[worst]:.9g}.\n"
            "  Between them the first gradients were overwritten and the function was run on other inputs, as any\n"
            "  caller may do: the pullback must change nothing that it keeps, and keep nothing that it hands out."
        )
        values = float(first[worst]), float(second[worst])
        raise GradientError(Verdict.UNREPEATABLE, message, path, worst, *values)


def difference(a: np.ndarray, b: np.ndarray, usual: float = 0.0) -> tuple[int, ...] | None:
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
