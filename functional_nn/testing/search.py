"""Find the directions along which a gradient is wrong, and narrow each down to one entry.

The search first moves all entries of an array at once. One wrong entry among ten thousand shows in the slope along
that direction, unless rounding hides it: in float64 that happens to errors below about 1e-9 of the whole slope. So the
entries whose share in the slope is very small get directions of their own. A direction that fails is split into halves
until one entry is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from functional_nn.testing.ladder import EPS, Finding, Outcome, Status, norm
from functional_nn.testing.problem import Point, Problem
from functional_nn.testing.taylor import Line
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["Case", "Failure", "Prober", "cases", "failures", "line", "localise"]

Prober = Callable[..., Outcome]

COTANGENT_SIZES = (1.0, 1024.0)  # two, because a pullback that clips or normalises its cotangent is right for one size
SMALL_SHARES = (1e-4, 1e-8)  # parts of the largest share in the slope: entries below each get a direction of their own
LARGER_MOVES = (1.0, 2.0**20, 2.0**40)  # how much farther to move where the function does not change measurably
MAX_HALVINGS = 5  # of a direction along which rounding hides the last of the error
LARGEST_ENTRY = float(np.finfo(np.float64).max) * 2.0**-64  # of a gradient: sums and products of larger ones overflow
ONE_BY_ONE = 16  # a failing direction through so few entries or fewer is split into single entries


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
    def rank(self) -> tuple[bool, float]:
        """The key to sort failures by: those at a kink come first, then those with the smaller relative error."""
        error = abs(self.finding.error)
        return not self.finding.kink, round(error / (abs(self.finding.best.slope) + error), 3)


def cases(problem: Problem, rng: np.random.Generator) -> Iterator[Case]:
    """Yield the problem with two random cotangents that differ in size and memory order and have no entry 0 or 1.

    Raises `GradientError` where the output or a gradient is not finite.
    """
    y = problem.value(problem.point)
    if not np.isfinite(y).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(y))[0])
        message = f"  The output is {y[index]} there although all inputs are finite: the dtype {y.dtype} overflows."
        raise GradientError(Verdict.NOISE, message, f"{problem.name}.y", index, got=float(y[index]))
    for size, order in zip(COTANGENT_SIZES, ("C", "F"), strict=True):
        dy = np.asarray(spread_signs(rng, y.shape) * size, order="C" if order == "C" else "F")
        gradients = problem.vjp(problem.point)[1](dy)
        for leaf, gradient in enumerate(gradients):
            check_finite(problem.path(leaf), gradient)
        yield Case(problem, y, dy, gradients)


def check_finite(path: str, gradient: np.ndarray) -> None:
    """Raise `GradientError` at the first entry that is not finite, or so large that a slope made of it is not."""
    finite = np.abs(gradient) < LARGEST_ENTRY
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        message = f"  The pullback gives {gradient[index]}, while the function's own values are finite."
        raise GradientError(Verdict.WRONG, message, path, index, got=float(gradient[index]))


def failures(case: Case, rng: np.random.Generator, prober: Prober, *, small: bool) -> Iterator[Failure]:
    """Yield the directions along which an error persists.

    There is one direction for each array. If `small`, the entries with small shares in its slope get further ones.
    Raises `GradientError` where rounding hides the slope of an array.
    """
    for leaf, z in enumerate(case.problem.point):
        if z.size == 0:
            continue
        v = spread_signs(rng, z.shape) * natural_scale(z)
        yield from _check_direction(case, leaf, v, prober)
        shares = np.abs(case.gradients[leaf] * v)
        for bound in SMALL_SHARES if small else ():
            few = (shares > 0.0) & (shares < bound * shares.max())
            if few.any():
                outcome = prober(line(case, leaf, v * few))
                if outcome.finding is not None:
                    yield Failure(case, leaf, v * few, outcome.finding)


def _check_direction(case: Case, leaf: int, v: np.ndarray, prober: Prober) -> Iterator[Failure]:
    """Check one direction: move farther where the function does not change, split where rounding hides the rest."""
    z, outcome = case.problem.point[leaf], prober(line(case, leaf, v))
    for factor in LARGER_MOVES:
        if outcome.status is not Status.FLAT:
            break
        larger = v * (factor * max(1.0, 1.0 / float(np.abs(v).max())))
        outcome = prober(line(case, leaf, larger))
        if outcome.finding is not None:
            v = larger
    if outcome.status is Status.NOISY:
        v = v / natural_scale(z) * np.where(z == 0.0, natural_scale(z), np.abs(z))  # each by its own size
        outcome = prober(line(case, leaf, v))
    if outcome.status is Status.NOISY:
        raise _rough_function(case, leaf)
    if outcome.finding is not None:
        yield Failure(case, leaf, v, outcome.finding)
    if outcome.status is Status.COARSE:
        yield from _check_halves(case, leaf, v, prober, MAX_HALVINGS)


def _check_halves(case: Case, leaf: int, v: np.ndarray, prober: Prober, splits: int) -> Iterator[Failure]:
    if splits == 0 or np.count_nonzero(v) < 2:
        return
    for half in _halves(v):
        outcome = prober(line(case, leaf, half))
        if outcome.finding is not None:
            yield Failure(case, leaf, half, outcome.finding)
        elif outcome.status is Status.COARSE:
            yield from _check_halves(case, leaf, half, prober, splits - 1)


def _rough_function(case: Case, leaf: int) -> GradientError:
    message = (
        "  The function's values carry far more rounding than float64 has: the error of every difference grows as\n"
        "  the step shrinks, so its derivative cannot be measured. Does it compute in float32 inside, jump, draw\n"
        "  random numbers without a key, or subtract nearly equal numbers?"
    )
    return GradientError(Verdict.NOISE, message, case.problem.path(leaf))


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


def localise(failure: Failure, prober: Prober) -> Failure | None:
    """Narrow a failing direction down to as few entries as possible; where several fail alone, to the worst of them.

    Returns None if its parts are so nearly right that their errors cannot add up to the error of the whole. Then a
    kink or rounding in many entries was the cause, and the parts show that at smaller steps.
    """
    while np.count_nonzero(failure.v) > 1:
        few = np.count_nonzero(failure.v) <= ONE_BY_ONE
        parts = list(_singles(failure.v) if few else _halves(failure.v))
        outcomes = [prober(line(failure.case, failure.leaf, v)) for v in parts]
        failing = [
            Failure(failure.case, failure.leaf, v, outcome.finding)
            for v, outcome in zip(parts, outcomes, strict=True)
            if outcome.finding is not None
        ]
        if not failing:
            explained = failure.finding.kink or 2.0 * sum(outcome.bound for outcome in outcomes) < abs(
                failure.finding.error
            )
            return None if explained else failure
        failure = max(failing, key=lambda part: (not part.finding.kink, abs(part.finding.error)))
    return None if _right_at_own_scale(failure, prober) else failure


def _right_at_own_scale(failure: Failure, prober: Prober) -> bool:
    """Whether an entry that is much smaller than the others is right when it is moved by its own size."""
    i = int(np.argmax(failure.v != 0.0))
    size, moved = abs(failure.case.problem.point[failure.leaf].flat[i]), abs(failure.v.flat[i])
    if size == 0.0 or size > 0.1 * moved:
        return False
    factor = float(size / moved)
    outcome = prober(line(failure.case, failure.leaf, failure.v * factor))
    return 2.0 * outcome.bound < factor * abs(failure.finding.error)


def spread_signs(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return random numbers of both signs between 1/2 and 3/2 in size: every entry counts, and none cancel exactly."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice((-1.0, 1.0), shape))


def natural_scale(z: np.ndarray) -> np.ndarray:
    """Return the size of each entry, but at least the median size of the entries that are not 0; 1 if all are 0."""
    sizes = np.abs(z)
    occurring = sizes[sizes > 0.0]
    return np.asarray(np.maximum(sizes, np.median(occurring) if occurring.size else 1.0))


def _halves(v: np.ndarray) -> Iterator[np.ndarray]:
    active = np.flatnonzero(v)
    for part in np.array_split(active, 2):
        half = np.zeros_like(v)
        half.flat[part] = v.flat[part]
        yield half


def _singles(v: np.ndarray) -> Iterator[np.ndarray]:
    for i in np.flatnonzero(v):
        single = np.zeros_like(v)
        single.flat[i] = v.flat[i]
        yield single
