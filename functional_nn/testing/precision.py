"""Compare float32 gradients with those in float64; no differences are taken in float32."""

from __future__ import annotations

import math

import numpy as np

from functional_nn.testing.case import natural_scale, spread_signs
from functional_nn.testing.ladder import norm
from functional_nn.testing.messages import output_not_finite
from functional_nn.testing.problem import Point, Problem, within_domain
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["as_float64", "check_float32"]

EPS32 = float(np.finfo(np.float32).eps)
TINY32 = float(np.finfo(np.float32).tiny)
TRIES_BESIDE = 2  # further points: float32 may take the other branch at a kink, but not at all of them
ASIDE = 2.0**-6  # how far they lie from the point, relative to each entry's size
LAST_DIGIT = 2.0 * EPS32  # relative: shows how much the rounding of inputs matters
SCRAMBLED = (256.0 * EPS32, 2.0**-3)  # of inputs and dy: all rounding within the pullback is another then
MARGIN = 100.0  # rounding within the pullback, over that of its inputs


def as_float64(problem: Problem) -> Problem:
    """Return the same function at the same point in float64; raise `GradientError` if it stays in float32."""
    wide = problem.at([array.astype(np.float64) for array in problem.point])
    try:
        y = wide.value(wide.point)
    except (TypeError, ValueError, RuntimeError) as error:  # what NumPy, SciPy and PyTorch raise for two dtypes
        raise _too_short(problem, f"it raises: {error}") from error
    if y.dtype != np.float64:
        raise _too_short(problem, f"its output is {y.dtype}")
    return wide


def check_float32(problem: Problem, rng: np.random.Generator) -> None:
    """Raise `GradientError` unless float32 gradients are float64's, but for the rounding of inputs and sums.

    `problem` is the function at a float32 point. How much the rounding of inputs matters is measured, by moving
    them in their last digit. A gradient that is not finite at the point is an error whatever it is beside it.
    """
    _check_finite(problem, rng)
    error = _disagreement(problem, rng)
    if error is None or any(_agrees_beside(problem, rng) for _ in range(TRIES_BESIDE)):
        return
    raise error


def _agrees_beside(problem: Problem, rng: np.random.Generator) -> bool:
    beside = problem.at([_aside(z, rng) for z in problem.point])
    return within_domain(lambda: _disagreement(beside, rng) is None, outside=False)


def _check_finite(problem: Problem, rng: np.random.Generator) -> None:
    y, pull = problem.vjp(problem.point)
    if not np.isfinite(y).all():
        raise output_not_finite(problem, y)
    dy = spread_signs(rng, y.shape).astype(y.dtype)
    exact = _wide_gradients(problem, problem.point, dy)
    for leaf, gradient in enumerate(pull(dy)):
        if not np.isfinite(gradient).all():
            raise _differs(problem, leaf, gradient, exact[leaf])


def _disagreement(problem: Problem, rng: np.random.Generator) -> GradientError | None:
    """Return an error for the first array whose float32 gradient is not float64's, None if there is none."""
    y, pull = problem.vjp(problem.point)
    dy = spread_signs(rng, y.shape).astype(y.dtype)
    short, wide = pull(dy), _wide_gradients(problem, problem.point, dy)
    near = [
        gradients
        for _ in range(3)
        if (gradients := _nearby_gradients(problem, dy, rng, LAST_DIGIT, LAST_DIGIT)) is not None
    ]
    for leaf, exact in enumerate(wide):
        error = _rms(short[leaf] - exact)
        spread = max((_rms(other[leaf] - exact) for _, other in near), default=0.0)
        usual = _rms(dy) * _rms(y) / _rms(natural_scale(problem.point[leaf]))  # where the terms of `exact` cancel
        explained = MARGIN * (spread + EPS32 * (_rms(exact) + usual)) + TINY32
        if not error <= explained and _systematic(problem, leaf, dy, rng):
            return _differs(problem, leaf, short[leaf], exact)
    return None


def _systematic(problem: Problem, leaf: int, dy: np.ndarray, rng: np.random.Generator) -> bool:
    """Whether the error stays the same at points beside, as that of rounding does not."""
    near = [gradients for _ in range(8) if (gradients := _nearby_gradients(problem, dy, rng, *SCRAMBLED)) is not None]
    if not near:
        return True
    errors = [short[leaf] - wide[leaf] for short, wide in near]
    return not _rms(np.mean(errors, axis=0)) <= 2.0 * _rms(np.std(errors, axis=0))


def _nearby_gradients(
    problem: Problem, dy: np.ndarray, rng: np.random.Generator, of_inputs: float, of_dy: float
) -> tuple[Point, Point] | None:
    """Return the float32 and the float64 gradients where inputs and dy differ by these relative distances.

    None where the function raises or a gradient is not finite.
    """

    def jitter(array: np.ndarray, distance: float) -> np.ndarray:
        return np.asarray(array * (1.0 + distance * rng.uniform(-1.0, 1.0, array.shape))).astype(array.dtype)

    point, cotangent = [jitter(z, of_inputs) for z in problem.point], jitter(dy, of_dy)

    def gradients() -> tuple[Point, Point]:
        return problem.vjp(point)[1](cotangent), _wide_gradients(problem, point, cotangent)

    pair = within_domain(gradients, None)
    return pair if pair and all(np.isfinite(g).all() for side in pair for g in side) else None


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
    verdict = Verdict.NOISE if np.isfinite(short).all() else Verdict.WRONG
    return GradientError(verdict, message, path, worst, float(exact[worst]), float(short[worst]))


def _aside(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(z + ASIDE * spread_signs(rng, z.shape) * natural_scale(z)).astype(z.dtype)


def _rms(array: np.ndarray) -> float:
    return norm(array.astype(np.float64)) / math.sqrt(max(array.size, 1))


def _too_short(problem: Problem, reason: str) -> GradientError:
    message = (
        "  The dtype is too short: a float32 gradient is checked against differences in float64, and with float64\n"
        f"  arrays {reason}.\n"
        "  Differences in float32 have two or three right digits at best: let the function compute in the dtype of\n"
        "  its arguments."
    )
    return GradientError(Verdict.NOISE, message, f"{problem.name}.y")
