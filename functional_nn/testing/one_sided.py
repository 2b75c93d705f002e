"""Judge a pullback at a kink, where central differences cannot: its slopes must lie between those of the two sides.

At a kink an output has two slopes along a line, one on each side. A right pullback gives one of them or one between, as
every subgradient of a convex function does: 0 to 1 for a relu at 0; for a max pool with ties, what moving the winners
gives. Each output is judged by itself, because the slopes of many would hide each other. Functions that are neither
convex nor concave may have other right answers; so what gradients close to the point give counts as right too.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np

from functional_nn.testing.case import natural_scale, spread_signs
from functional_nn.testing.ladder import EPS
from functional_nn.testing.problem import Point, Problem, within_domain
from functional_nn.testing.verdict import GradientError, Verdict, place

__all__ = ["check_between_sides"]

OUTPUTS = 24  # judged, drawn at random where there are more
DIRECTIONS = 6  # for each array
STEP = 2.0**-16
LOOSE = 1e-6  # of the slopes: what the curvature and the rounding may hide
NEAR = 2.0**-30  # how far from the point other gradients are looked at, relative to each entry's size
NEIGHBOURS = 32


class Sides(NamedTuple):
    """The slopes of every output along a line, the smaller and the larger of its two sides', and their uncertainty."""

    low: np.ndarray
    high: np.ndarray
    margin: np.ndarray


def check_between_sides(problem: Problem, rng: np.random.Generator) -> None:
    """Raise `GradientError` unless the claimed slopes of each output lie between those on the two sides."""
    y = problem.value(problem.point)
    chosen = rng.permutation(y.size)[:OUTPUTS]
    rows = _rows(problem, problem.point, chosen)
    for leaf, z in enumerate(problem.point):
        for number in range(DIRECTIONS if z.size else 0):
            signs = np.ones(z.shape) if number == 0 else spread_signs(rng, z.shape)
            v = np.asarray(signs * natural_scale(z))
            sides = _sides(problem, leaf, v, y)
            claimed = np.array([float((row[leaf] * v).sum()) for row in rows])
            for k in np.flatnonzero(_outside(sides, chosen, claimed)):
                if not _taken_nearby(problem, leaf, v, chosen[k : k + 1], float(claimed[k]), rng):
                    raise _not_between(problem, leaf, v, rows[k][leaf], sides, int(chosen[k]), y.shape)


def _rows(problem: Problem, point: Point, chosen: np.ndarray) -> list[Point]:
    """Return the gradients of the chosen outputs."""
    y, pull = problem.vjp(point)
    rows = []
    for j in chosen:
        dy = np.zeros_like(y, order="C")
        dy.flat[j] = 1.0
        rows.append([gradient.copy() for gradient in pull(dy)])
    return rows


def _sides(problem: Problem, leaf: int, v: np.ndarray, y: np.ndarray) -> Sides:
    """Return the one-sided slopes of every output along v, extrapolated from two steps."""

    def slope(step: float) -> np.ndarray:
        moved = problem.moved(leaf, np.asarray(problem.point[leaf] + step * v))
        return (within_domain(partial(problem.value, moved), np.full_like(y, np.nan)) - y).ravel() / step

    sides, margin = [], 64.0 * EPS / STEP * (np.abs(y).ravel() + 1.0)
    for step in (STEP, -STEP):
        wide, narrow = slope(step), slope(step / 2.0)
        sides.append(2.0 * narrow - wide)
        margin = margin + 4.0 * np.abs(narrow - wide)
    return Sides(np.minimum(*sides), np.maximum(*sides), margin)


def _outside(sides: Sides, chosen: np.ndarray, claimed: np.ndarray) -> np.ndarray:
    low, high, margin = (part[chosen] for part in sides)
    margin = margin + LOOSE * (np.abs(low) + np.abs(high) + np.abs(claimed))
    return (claimed < low - margin) | (claimed > high + margin)


def _taken_nearby(
    problem: Problem, leaf: int, v: np.ndarray, output: np.ndarray, claimed: float, rng: np.random.Generator
) -> bool:
    """Whether the claimed slope lies between those that the pullback itself gives at points close to this one."""
    slopes = []
    for _ in range(NEIGHBOURS):
        near = [np.asarray(z + NEAR * spread_signs(rng, z.shape) * natural_scale(z)) for z in problem.point]
        rows = within_domain(partial(_rows, problem, near, output), None)
        slopes += [float((row[leaf] * v).sum()) for row in rows or []]
    margin = LOOSE * (abs(claimed) + max(map(abs, slopes), default=0.0))
    return bool(slopes) and min(slopes) - margin <= claimed <= max(slopes) + margin


def _not_between(
    problem: Problem, leaf: int, v: np.ndarray, row: np.ndarray, sides: Sides, output: int, shape: tuple[int, ...]
) -> GradientError:
    claimed, low, high = float((row * v).sum()), float(sides.low[output]), float(sides.high[output])
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(np.abs(row * v))), v.shape))
    where = place(*problem.output(tuple(int(i) for i in np.unravel_index(output, shape))))
    message = (
        f"  The point lies on a kink (a relu at 0, a tie under a max pool, |x| at 0). Along a line through it the\n"
        f"  slope of {where} is {low:.6g} on one side and {high:.6g} on the other; the pullback gives {claimed:.6g},\n"
        "  which is not between them. Are tied entries all given the whole cotangent, or is the boundary treated in\n"
        "  another way than beside it?"
    )
    nearest = low if abs(claimed - low) < abs(claimed - high) else high
    return GradientError(Verdict.WRONG, message, problem.path(leaf), index, nearest, claimed, STEP)
