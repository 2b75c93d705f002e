"""Look for a wrong entry in the gradients of all arrays at once, and when there is one, find out which.

A direction through all entries of an array finds one wrong entry among ten thousand: it misses only what rounding
hides, and for float64 that is a part of 1e-9 of all entries together. Entries whose share is far smaller than the
others' get directions of their own. A failing direction is halved until the entry is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from functional_nn.testing.ladder import EPS, RESOLVED, Finding, Probe, Status, norm
from functional_nn.testing.problem import Point, Problem
from functional_nn.testing.taylor import Line
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["Case", "Failure", "Judge", "cases", "failures", "hidden", "line", "localise", "pullback_noise", "resolved"]

Judge = Callable[..., Probe]

COTANGENT_SIZES = (1.0, 1024.0)  # a pullback must be linear: what clips or normalises the cotangent shows at one
SMALL_SHARES = (1e-4, 1e-8)
CLIMB = (1.0, 2.0**20, 2.0**40)
SPLITS = 5
HUGE = float(np.finfo(np.float64).max) * 2.0**-64
SINGLES = 16


@dataclass(frozen=True)
class Case:
    """A problem, its output at the point, one cotangent and the gradients that the pullback gives for it."""

    problem: Problem
    y: np.ndarray
    dy: np.ndarray
    gradients: Point


@dataclass(frozen=True)
class Failure:
    """A direction `v` through array `leaf` of a case along which an error persists."""

    case: Case
    leaf: int
    v: np.ndarray
    finding: Finding

    @property
    def rank(self) -> tuple[bool, float]:
        """Orders failures: those at a kink first, then by the part of the slope that is wrong, to three digits."""
        error = abs(self.finding.error)
        return not self.finding.kink, round(error / (abs(self.finding.best.slope) + error), 3)


def cases(problem: Problem, rng: np.random.Generator) -> Iterator[Case]:
    """Yield the problem with two random cotangents, of different sizes and memory orders, never ones or zeros.

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
    finite = np.abs(gradient) < HUGE
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        message = f"  The pullback gives {gradient[index]}, while the function's own values are finite."
        raise GradientError(Verdict.WRONG, message, path, index, got=float(gradient[index]))


def failures(case: Case, rng: np.random.Generator, judge: Judge, *, small: bool) -> Iterator[Failure]:
    """Yield the directions along which an error persists: one for each array, and if `small` those of small shares.

    Raises `GradientError` where rounding hides an array's slope.
    """
    for leaf, z in enumerate(case.problem.point):
        if z.size == 0:
            continue
        v = spread_signs(rng, z.shape) * natural_scale(z)
        yield from _along(case, leaf, v, judge)
        shares = np.abs(case.gradients[leaf] * v)
        for bound in SMALL_SHARES if small else ():
            few = (shares > 0.0) & (shares < bound * shares.max())
            if few.any():
                found = judge(line(case, leaf, v * few))
                if found.finding is not None:
                    yield Failure(case, leaf, v * few, found.finding)


def _along(case: Case, leaf: int, v: np.ndarray, judge: Judge) -> Iterator[Failure]:
    """Judge a direction; where nothing moves try larger steps, where rounding hides the last decide in blocks."""
    z, found = case.problem.point[leaf], judge(line(case, leaf, v))
    for factor in CLIMB:
        if found.status is not Status.FLAT:
            break
        larger = v * (factor * max(1.0, 1.0 / float(np.abs(v).max())))
        found = judge(line(case, leaf, larger))
        if found.finding is not None:
            v = larger
    if found.status is Status.NOISY:
        v = v / natural_scale(z) * np.where(z == 0.0, natural_scale(z), np.abs(z))  # each by its own size
        found = judge(line(case, leaf, v))
    if found.status is Status.NOISY:
        raise _hidden(case, leaf)
    if found.finding is not None:
        yield Failure(case, leaf, v, found.finding)
    if found.status is Status.COARSE:
        yield from _blocks(case, leaf, v, judge, SPLITS)


def _blocks(case: Case, leaf: int, v: np.ndarray, judge: Judge, splits: int) -> Iterator[Failure]:
    if splits == 0 or np.count_nonzero(v) < 2:
        return
    for half in _halves(v):
        found = judge(line(case, leaf, half))
        if found.finding is not None:
            yield Failure(case, leaf, half, found.finding)
        elif found.status is Status.COARSE:
            yield from _blocks(case, leaf, half, judge, splits - 1)


def _hidden(case: Case, leaf: int) -> GradientError:
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


def localise(failure: Failure, judge: Judge) -> Failure | None:
    """Return a failing direction through as few entries as possible, the worst of them where several fail alone.

    None if its parts are right so far that their errors cannot add up to that of the whole: then it was a kink or
    rounding in many entries, which each part shows at smaller steps.
    """
    while np.count_nonzero(failure.v) > 1:
        few = np.count_nonzero(failure.v) <= SINGLES
        parts = list(_singles(failure.v) if few else _halves(failure.v))
        probes = [judge(line(failure.case, failure.leaf, v)) for v in parts]
        failing = [
            Failure(failure.case, failure.leaf, v, found.finding)
            for v, found in zip(parts, probes, strict=True)
            if found.finding is not None
        ]
        if not failing:
            explained = failure.finding.kink or 2.0 * sum(found.bound for found in probes) < abs(failure.finding.error)
            return None if explained else failure
        failure = max(failing, key=lambda part: (not part.finding.kink, abs(part.finding.error)))
    return None if _right_at_own_scale(failure, judge) else failure


def _right_at_own_scale(failure: Failure, judge: Judge) -> bool:
    """Whether one entry, much smaller than the others, is right when it is moved by its own size, not theirs."""
    i = int(np.argmax(failure.v != 0.0))
    size, moved = abs(failure.case.problem.point[failure.leaf].flat[i]), abs(failure.v.flat[i])
    if size == 0.0 or size > 0.1 * moved:
        return False
    factor = float(size / moved)
    found = judge(line(failure.case, failure.leaf, failure.v * factor))
    return 2.0 * found.bound < factor * abs(failure.finding.error)


def pullback_noise(failure: Failure, rng: np.random.Generator) -> float:
    """Return how much the claimed slope changes when every input is moved by a few units in its last place."""
    case = failure.case
    slopes = []
    for _ in range(3):
        moved = [z * (1.0 + 4.0 * np.finfo(z.dtype).eps * rng.uniform(-1.0, 1.0, z.shape)) for z in case.problem.point]
        gradient = case.problem.vjp(moved)[1](case.dy)[failure.leaf]
        slopes.append(float(((gradient - case.gradients[failure.leaf]) * failure.v).sum()))
    return max(map(abs, slopes))


def hidden(failure: Failure) -> bool:
    """Whether an error is below the last digit of what surrounds it.

    That is of the outputs, those too that it does not seem to change, or, for one entry, of the slope from its value x
    to -x: far out in a saturated function the derivative is exact to the last digit of its largest values only.
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
        change = case.problem.value(case.problem.moved(failure.leaf, opposite)) - case.y
    slope = float((case.dy * change).sum()) / (2.0 * float(z.flat[i]))
    return error / abs(float(failure.v.flat[i])) <= 8.0 * EPS * abs(slope)


def resolved(failure: Failure, noise: float) -> bool:
    """Whether that much rounding still leaves one typical entry visible."""
    return noise <= RESOLVED * line(failure.case, failure.leaf, failure.v).typical


def spread_signs(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return random numbers of both signs and sizes between 1/2 and 3/2: no entry is lost, none cancel exactly."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice((-1.0, 1.0), shape))


def natural_scale(z: np.ndarray) -> np.ndarray:
    """Return the size of each entry, or of the typical entry that is not zero where that is more; 1 if all are zero."""
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
