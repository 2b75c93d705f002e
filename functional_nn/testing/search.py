"""Find the directions along which a gradient is wrong, and narrow each down to one entry.

The search first moves all entries of an array at once. One wrong entry among ten thousand shows in the slope along
that direction, unless rounding hides it: in float64 that happens to errors below about 1e-9 of the whole slope. So the
entries whose share in the slope is very small get directions of their own. A direction that fails is split into halves
until one entry is left.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from functional_nn.testing.case import Case, Failure, halves, line, natural_scale, singles, spread_signs
from functional_nn.testing.ladder import Status
from functional_nn.testing.messages import no_values_beside, output_not_finite, rough_function
from functional_nn.testing.problem import Problem
from functional_nn.testing.taylor import Method
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["cases", "check_finite", "failures", "localise"]

COTANGENT_SIZES = (1.0, 1024.0)  # two, because a pullback that clips or normalises its cotangent is right for one size
SMALL_SHARES = (1e-4, 1e-8)  # parts of the largest share in the slope: entries below each get a direction of their own
LARGER_MOVES = (1.0, 2.0**20, 2.0**40)  # how much farther to move where the function does not change measurably
MAX_HALVINGS = 5  # of a direction along which rounding hides the last of the error
LARGEST_ENTRY = float(np.finfo(np.float64).max) * 2.0**-64  # of a gradient: sums and products of larger ones overflow
ONE_BY_ONE = 16  # a failing direction through so few entries or fewer is split into single entries


def cases(problem: Problem, rng: np.random.Generator) -> Iterator[Case]:
    """Yield the problem with two random cotangents that differ in size and memory order and have no entry 0 or 1.

    Raises `GradientError` where the output or a gradient is not finite.
    """
    y = problem.value(problem.point)
    if not np.isfinite(y).all():
        raise output_not_finite(problem, y)
    for size, order in zip(COTANGENT_SIZES[: 1 if problem.linear else 2], ("C", "F"), strict=False):
        dy = np.asarray(spread_signs(rng, y.shape) * size, order="C" if order == "C" else "F")
        dy = np.ones_like(dy) if problem.linear else dy
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
        raise GradientError(Verdict.WRONG, message, path, index, claimed=float(gradient[index]))


def failures(case: Case, rng: np.random.Generator, method: Method, *, small: bool) -> Iterator[Failure]:
    """Yield the directions along which an error persists.

    There is one direction for each array. If `small`, the entries with small shares in its slope get further ones,
    and so do those whose claimed gradient is 0.
    Raises `GradientError` where rounding hides the slope of an array.
    """
    for leaf, z in enumerate(case.problem.point):
        if z.size == 0:
            continue
        v = spread_signs(rng, z.shape) * natural_scale(z)
        yield from _check_direction(case, leaf, v, method)
        for part in _small_parts(case.gradients[leaf] * v) if small else ():
            outcome = method.probe(line(case, leaf, v * part))
            if outcome.finding is not None:
                yield Failure(case, leaf, v * part, outcome.finding)


def _small_parts(products: np.ndarray) -> Iterator[np.ndarray]:
    """Yield masks of the entries whose share in a slope is small or 0: the rounding of the others hides errors in them.

    A claimed gradient of exactly 0 may be a term left out, whose true slope is small.
    """
    shares = np.abs(products)
    parts = [(shares > 0.0) & (shares < bound * shares.max()) for bound in SMALL_SHARES]
    if shares.any():
        parts.append(shares == 0.0)
    yield from (part for part in parts if part.any())


def _check_direction(case: Case, leaf: int, v: np.ndarray, method: Method) -> Iterator[Failure]:
    """Check one direction: move farther where the function does not change, split where rounding hides the rest."""
    z, outcome = case.problem.point[leaf], method.probe(line(case, leaf, v))
    if outcome.status is Status.FLAT:
        yield from _move_farther(case, leaf, v, method)
    if outcome.status in (Status.NOISY, Status.OUTSIDE):
        v = v / natural_scale(z) * np.where(z == 0.0, natural_scale(z), np.abs(z))  # each by its own size
        outcome = method.probe(line(case, leaf, v))
    if outcome.status is Status.NOISY:
        raise rough_function(case.problem.path(leaf))
    if outcome.status is Status.OUTSIDE:
        raise no_values_beside(case.problem.path(leaf))
    if outcome.finding is not None:
        yield Failure(case, leaf, v, outcome.finding)
    if outcome.status is Status.COARSE:
        yield from _check_halves(case, leaf, v, method, MAX_HALVINGS)


def _move_farther(case: Case, leaf: int, v: np.ndarray, method: Method) -> Iterator[Failure]:
    """Check larger moves until the function changes; where it has too much rounding for them, its slope is 0."""
    for factor in LARGER_MOVES:
        larger = v * (factor * max(1.0, 1.0 / float(np.abs(v).max())))
        outcome = method.probe(line(case, leaf, larger))
        if outcome.finding is not None:
            yield Failure(case, leaf, larger, outcome.finding)
        if outcome.status is not Status.FLAT:
            return


def _check_halves(case: Case, leaf: int, v: np.ndarray, method: Method, splits: int) -> Iterator[Failure]:
    if splits == 0 or np.count_nonzero(v) < 2:
        return
    for half in halves(v):
        outcome = method.probe(line(case, leaf, half))
        if outcome.finding is not None:
            yield Failure(case, leaf, half, outcome.finding)
        elif outcome.status is Status.COARSE:
            yield from _check_halves(case, leaf, half, method, splits - 1)


def localise(failure: Failure, method: Method) -> Failure | None:
    """Narrow a failing direction down to as few entries as possible; where several fail alone, to the worst of them.

    Returns None if its parts are so nearly right that their errors cannot add up to the error of the whole. Then a
    kink or rounding in many entries was the cause, and the parts show that at smaller steps.
    """
    while np.count_nonzero(failure.v) > 1:
        error = abs(failure.finding.error)
        few = np.count_nonzero(failure.v) <= ONE_BY_ONE
        parts = list(singles(failure.v) if few else halves(failure.v))
        outcomes = [method.probe(line(failure.case, failure.leaf, v)) for v in parts]
        failing = [
            Failure(failure.case, failure.leaf, v, outcome.finding)
            for v, outcome in zip(parts, outcomes, strict=True)
            if outcome.finding is not None
        ]
        if not failing:
            explained = failure.finding.kink or 2.0 * sum(outcome.bound for outcome in outcomes) < error
            return None if explained else failure
        failure = max(failing, key=lambda part: (not part.finding.kink, abs(part.finding.error)))
    return None if _right_at_own_scale(failure, method) else failure


def _right_at_own_scale(failure: Failure, method: Method) -> bool:
    """Whether an entry that is much smaller than the others is right when it is moved by its own size."""
    i = int(np.argmax(failure.v != 0.0))
    size, moved = abs(failure.case.problem.point[failure.leaf].flat[i]), abs(failure.v.flat[i])
    if size == 0.0 or size > 0.1 * moved:
        return False
    factor = float(size / moved)
    outcome = method.probe(line(failure.case, failure.leaf, failure.v * factor))
    return 2.0 * outcome.bound < factor * abs(failure.finding.error)
