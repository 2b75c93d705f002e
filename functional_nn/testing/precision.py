"""Compare float32 gradients with float64's: float32 is never differenced."""

from __future__ import annotations

import math

import numpy as np

from functional_nn.testing.case import natural_scale, spread_signs
from functional_nn.testing.ladder import norm
from functional_nn.testing.problem import Point, Problem
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["as_float64", "check_float32"]

EPS32 = float(np.finfo(np.float32).eps)
TINY32 = float(np.finfo(np.float32).tiny)
TRIES = 3  # points: float32 may take the other branch at a kink, but not at all of them
MARGIN = 100.0  # rounding within the pullback, over that of its inputs


def as_float64(problem: Problem) -> Problem:
    """Return the same function at the same point in float64; raise `GradientError` if it stays in float32."""
    wide = problem.at([array.astype(np.float64) for array in problem.point])
    try:
        y = wide.value(wide.point)
    except TypeError as error:
        raise _too_short(problem, f"it raises: {error}") from error
    if y.dtype != np.float64:
        raise _too_short(problem, f"its output is {y.dtype}")
    return wide


def check_float32(problem: Problem, rng: np.random.Generator) -> None:
    """Raise `GradientError` unless float32 gradients are float64's, but for the rounding of inputs and sums.

    `problem` is the function at a float32 point. How much the rounding of inputs matters is measured, by moving
    them in their last digit.
    """
    errors = []
    for attempt in range(TRIES):
        aside = 2.0**-6 * attempt
        point = [_aside(z, aside, rng) for z in problem.point]
        error = _disagreement(problem.at(point), rng)
        if error is None:
            return
        errors.append(error)
    raise errors[0]


def _disagreement(problem: Problem, rng: np.random.Generator) -> GradientError | None:
    """The first array whose float32 gradient is not float64's, None if there is none."""
    y, pull = problem.vjp(problem.point)
    dy = spread_signs(rng, y.shape).astype(y.dtype)
    short, wide = pull(dy), _wide_gradients(problem, problem.point, dy)
    near = [_near(problem, dy, rng) for _ in range(3)]
    for leaf, exact in enumerate(wide):
        if not np.isfinite(short[leaf]).all():
            return _differs(problem, leaf, short[leaf], exact)
        error = _rms(short[leaf] - exact)
        spread = max(_rms(_wide_gradients(problem, *other)[leaf] - exact) for other in near)
        usual = _rms(dy) * _rms(y) / _rms(natural_scale(problem.point[leaf]))  # where the terms of `exact` cancel
        explained = MARGIN * (spread + EPS32 * (_rms(exact) + usual)) + TINY32
        if error > explained and _systematic(problem, leaf, dy, rng):
            return _differs(problem, leaf, short[leaf], exact)
    return None


def _systematic(problem: Problem, leaf: int, dy: np.ndarray, rng: np.random.Generator) -> bool:
    """Whether the error stays the same when inputs change in their last digit, as that of rounding does not."""
    errors = []
    for _ in range(8):
        point, cotangent = _near(problem, dy, rng)
        short = problem.vjp(point)[1](cotangent)[leaf]
        errors.append(short - _wide_gradients(problem, point, cotangent)[leaf])
    return _rms(np.mean(errors, axis=0)) > 2.0 * _rms(np.std(errors, axis=0))


def _near(problem: Problem, dy: np.ndarray, rng: np.random.Generator) -> tuple[Point, np.ndarray]:
    def jitter(array: np.ndarray) -> np.ndarray:
        return np.asarray(array * (1.0 + 2.0 * EPS32 * rng.uniform(-1.0, 1.0, array.shape))).astype(array.dtype)

    return [jitter(z) for z in problem.point], jitter(dy)


def _wide_gradients(problem: Problem, point: Point, dy: np.ndarray) -> Point:
    _, pull = problem.vjp([z.astype(np.float64) for z in point])
    return pull(dy.astype(np.float64))


def _differs(problem: Problem, leaf: int, short: np.ndarray, exact: np.ndarray) -> GradientError:
    path = problem.path(leaf)
    error = np.abs(short - exact)
    worst = tuple(
        int(i) for i in np.unravel_index(int(np.argmax(np.where(np.isnan(error), np.inf, error))), error.shape)
    )
    message = (
        f"  float64  {exact[worst]:.9g}  (agrees with its differences)\n"
        f"  float32  {short[worst]:.9g}\n"
        "  The rounding of float32 inputs does not explain that: the pullback overflows or loses digits in float32,\n"
        "  or does something else than in float64."
    )
    return GradientError(Verdict.NOISE, message, path, worst, float(exact[worst]), float(short[worst]))


def _aside(z: np.ndarray, by: float, rng: np.random.Generator) -> np.ndarray:
    if by == 0.0:
        return z
    return np.asarray(z + by * spread_signs(rng, z.shape) * natural_scale(z)).astype(z.dtype)


def _rms(array: np.ndarray) -> float:
    return norm(array.astype(np.float64)) / math.sqrt(max(array.size, 1))


def _too_short(problem: Problem, reason: str) -> GradientError:
    message = (
        f"  The dtype is too short: a float32 gradient is checked against differences in float64, and given\n"
        f"  float64 arrays {reason}. Differences in float32 have two or three right digits at best: let the layer\n"
        "  compute in the dtype of what it is given."
    )
    return GradientError(Verdict.NOISE, message, f"{problem.name}.y")
