"""Tell a wrong derivative from the rounding of a right one.

A gradient is a sum of terms, and where the terms cancel its rounding is that of the terms: the gradient of a bias
before a batch norm is a sum of exactly 0, and what a pullback gives for it is rounding alone. Nothing outside of the
function shows the terms themselves. Their rounding shows when the error is measured again at points that differ by a
few hundred units in the last place: a wrong derivative is wrong there by the same amount, and rounding is drawn anew.

The cotangent must differ too, and by more. Where a pullback adds dy to terms that are 1e7 times as large and cancel
later, as at a residual around three batch norms of constants, dy is rounded to the last digit of those terms. Moving
the point leaves much of that rounding as it is. A pullback is linear, so the cotangent is multiplied by a random factor
close to 1, and the gradient divided by it: a wrong derivative stays as it is, and the rounding of dy is drawn anew.

A pullback that rounds dy to float32 is wrong, although another factor changes its error too. There the error depends on
the cotangent alone, while the rounding of terms that cancel changes between points. So each factor is used at two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from functional_nn.testing.case import Case, Failure, line, natural_scale, spread_signs
from functional_nn.testing.ladder import EPS, NO_SLOPE, RESOLVED, norm
from functional_nn.testing.problem import Point, within_domain
from functional_nn.testing.taylor import Method

__all__ = ["Nearby", "below_last_digit", "measure_nearby"]

NUDGE = 2.0**-44  # relative: 256 units in the last place scramble all that is rounded, and change nothing else
RESCALE = 2.0**-8  # relative: at least 256 units in the last place of terms that are 2**35 times the cotangent
SYSTEMATIC = 100.0 * EPS  # of the outputs: below, a slope is rounding even if it is the same at every point


@dataclass(frozen=True)
class Nearby:
    """A failing direction measured again at points next to the point, with multiples of the cotangent.

    - `error`: the measured less the claimed slope at the point; `pairs` (n, 2): that at the others, two for a multiple.
    - `largest`: the largest slope, measured or claimed, at any of them and at the point itself.
    - `outputs`: the size of the outputs that the direction changes; `terms`: the largest change of <dy, y> that any
      array of the point makes in proportion to its size. Both in the unit of `largest`.
    """

    failure: Failure
    error: float
    pairs: np.ndarray
    largest: float
    outputs: float
    terms: float

    @property
    def persists(self) -> bool:
        """Whether the error is the same at every point, but for a factor of two, or depends on the cotangent alone.

        The second is the error of a pullback that rounds its cotangent to float32.
        """
        ratios = self.pairs / self.error
        same = (ratios > 0.5) & (ratios < 2.0)
        changes = np.abs(self.pairs[:, 0] - self.pairs[:, 1])
        size = norm(self.pairs) / math.sqrt(max(self.pairs.size, 1))
        return bool(same.all() or ((changes < size / 8.0).all() and not self.vanishes))

    @property
    def vanishes(self) -> bool:
        """Whether the error is there at the point alone."""
        return bool((np.abs(self.pairs) < abs(self.error) / 8.0).all())

    @property
    def is_zero(self) -> bool:
        """Whether the slope is 0 and the claimed one is 0 too, but for the rounding of terms that cancel."""
        limit = SYSTEMATIC * self.outputs if self.persists else NO_SLOPE * max(self.outputs, self.terms)
        return self.largest <= limit

    @property
    def leaves_entries_visible(self) -> bool:
        """Whether the rounding is far below the share that one typical entry has in the slope."""
        typical = line(self.failure.case, self.failure.leaf, self.failure.v).typical
        return float(np.abs(self.pairs).max()) <= RESOLVED * typical


def measure_nearby(failure: Failure, rng: np.random.Generator, method: Method, points: int = 8) -> Nearby:
    """Measure the error along a failing direction again at so many pairs of points next to the point.

    For each pair the cotangent is another multiple of the failure's, by a factor close to 1.
    """
    case = failure.case
    slopes = [_slopes(failure, case.problem.point, 1.0, method)]
    for _ in range(points):
        factor = 1.0 + RESCALE * float(spread_signs(rng, ()))
        for _ in range(2):
            moved = [np.asarray(z + NUDGE * spread_signs(rng, z.shape) * natural_scale(z)) for z in case.problem.point]
            slopes.append(within_domain(partial(_slopes, failure, moved, factor, method), (np.nan, np.nan)))
    measured, claimed = np.array(slopes).T
    error, pairs = float(measured[0] - claimed[0]), (measured - claimed)[1:].reshape(-1, 2)
    unit = float((np.abs(failure.v) / natural_scale(case.problem.point[failure.leaf])).max())
    terms = [norm(g * natural_scale(z)) for g, z in zip(case.gradients, case.problem.point, strict=True) if z.size]
    return Nearby(
        failure,
        error=error if math.isfinite(error) else failure.finding.error,
        pairs=pairs[np.isfinite(pairs).all(axis=1)],
        largest=float(max(np.nanmax(np.abs(measured)), np.nanmax(np.abs(claimed)))),
        outputs=unit * _size_of_changed_outputs(failure, 1.0 / unit),
        terms=unit * max(terms),
    )


def _slopes(failure: Failure, point: Point, factor: float, method: Method) -> tuple[float, float]:
    """Return the measured and the claimed slope along a failing direction through another point.

    The cotangent is `factor` times the failure's, and the slopes are divided by the factor. The step is one of the
    largest at which the error stays, where rounding is smallest.
    """
    case, problem = failure.case, failure.case.problem.at(point)
    _, pull = problem.vjp(point)
    dy = case.dy * factor
    other = line(Case(problem, problem.value(point), dy, pull(dy)), failure.leaf, failure.v)
    return method.slope(other, failure.finding.widest / 4.0) / factor, other.claimed / factor


def _size_of_changed_outputs(failure: Failure, step: float) -> float:
    """Return the size of the outputs that a step along a direction changes, or of all where it changes none."""
    case = failure.case
    z = case.problem.point[failure.leaf]
    changed = np.zeros(case.y.shape, dtype=bool)
    for t in (step, -step):
        point = case.problem.moved(failure.leaf, np.asarray(z + t * failure.v))
        moved = within_domain(partial(case.problem.value, point), case.y)
        changed |= moved != case.y
    return norm(case.dy * case.y * changed) or norm(case.dy * case.y)


def below_last_digit(failure: Failure) -> bool:
    """Whether an error is below the last digit of the outputs, or of the slope from an entry's value x to -x.

    The second is for saturated functions: far out their derivative is right to the last digit of its largest values,
    and not of its own.
    """
    case, error = failure.case, abs(failure.finding.error)
    if 2.0 * failure.finding.widest * error <= EPS * norm(case.dy * case.y):
        return True
    z, (i, *others) = case.problem.point[failure.leaf], np.flatnonzero(failure.v)
    if others or z.flat[i] == 0.0:
        return False
    opposite = z.copy()
    opposite.flat[i] = -z.flat[i]
    with np.errstate(all="ignore"):
        mirrored = within_domain(partial(case.problem.value, case.problem.moved(failure.leaf, opposite)), case.y)
        slope = float((case.dy * (mirrored - case.y)).sum()) / (2.0 * float(z.flat[i]))
    return error / abs(float(failure.v.flat[i])) <= 8.0 * EPS * abs(slope)
