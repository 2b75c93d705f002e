"""A case is a problem with one cotangent; a failure is a direction along which one of its gradients is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from functional_nn.testing.ladder import EPS, Finding, norm
from functional_nn.testing.problem import Point, Problem
from functional_nn.testing.taylor import Line

__all__ = ["Case", "Failure", "halves", "line", "natural_scale", "singles", "spread_signs", "usual_gradients"]


@dataclass(frozen=True)
class Case:
    """A problem, its output at the point, one cotangent and the gradients that the pullback gives for it."""

    problem: Problem
    y: np.ndarray
    dy: np.ndarray
    gradients: Point


@dataclass(frozen=True)
class Failure:
    """A direction `v` through the array number `leaf` of a case, along which an error persists."""

    case: Case
    leaf: int
    v: np.ndarray
    finding: Finding

    @property
    def name(self) -> str:
        """The name of the array: `c1.w`."""
        return self.case.problem.names[self.leaf]

    @property
    def rank(self) -> tuple[bool, float]:
        """The key to sort failures by: those at a kink come first, then those with the smaller relative error."""
        error = abs(self.finding.error)
        return not self.finding.kink, round(error / (abs(self.finding.best.slope) + error), 3)


def line(case: Case, leaf: int, v: np.ndarray) -> Line:
    """Return the line through array `leaf` in the direction `v` with the slope that the pullback claims."""
    z, products = case.problem.point[leaf], case.gradients[leaf] * v

    def value(t: complex) -> np.ndarray:
        return case.problem.value(case.problem.moved(leaf, np.asarray(z + t * v)))

    return Line(
        value,
        case.dy,
        case.y,
        claimed=float(products.sum()),
        rounding=EPS * float(np.abs(case.gradients[leaf]).max()) * norm(v),
        strength=norm(products),
        entries=int(np.count_nonzero(v)),
    )


def spread_signs(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return random numbers of both signs between 1/2 and 3/2 in size: every entry counts, and none cancel exactly."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice((-1.0, 1.0), shape))


def natural_scale(z: np.ndarray) -> np.ndarray:
    """Return the size of each entry, but at least the median size of the entries that are not 0; 1 if all are 0."""
    sizes = np.abs(z)
    occurring = sizes[sizes > 0.0]
    return np.asarray(np.maximum(sizes, np.median(occurring) if occurring.size else 1.0))


def usual_gradients(point: Point, y: np.ndarray, dy: np.ndarray) -> list[float]:
    """Return the size of each array's gradient entries where an array's own size and that of <dy, y> belong together.

    The terms of a gradient have about this size, whatever is left of them when they cancel.
    """
    size = norm(dy.astype(np.float64) * y)
    scales = [natural_scale(z).astype(np.float64) for z in point]
    return [size * math.sqrt(scale.size) / norm(scale) if scale.size else 0.0 for scale in scales]


def halves(v: np.ndarray) -> Iterator[np.ndarray]:
    """Yield two directions, each through half of the entries that `v` moves."""
    active = np.flatnonzero(v)
    for part in np.array_split(active, 2):
        half = np.zeros_like(v)
        half.flat[part] = v.flat[part]
        yield half


def singles(v: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a direction through each single entry that `v` moves."""
    for i in np.flatnonzero(v):
        single = np.zeros_like(v)
        single.flat[i] = v.flat[i]
        yield single
