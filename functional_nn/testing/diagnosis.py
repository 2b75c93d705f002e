"""Decide what the failing directions mean, and raise the `GradientError` that says it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from functional_nn.testing.case import Failure, line, natural_scale, spread_signs
from functional_nn.testing.ladder import EPS, RESOLVED, Status, norm
from functional_nn.testing.messages import kink, unstable_pullback, wrong_derivative
from functional_nn.testing.problem import Problem
from functional_nn.testing.search import cases, failures, localise
from functional_nn.testing.taylor import FINITE, Method
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["diagnose", "examine"]

ASIDE = 2.0**-8  # how far beside a kink to look, relative to each entry's size
ASIDE_NOTE = "  The point lies on a kink: all this was measured at a random point beside it."


def examine(problem: Problem, rng: np.random.Generator, method: Method = FINITE, *, aside: bool = False) -> None:
    """Raise `GradientError`, which names the worst entry, if an error persists along some direction."""
    failing: list[Failure] = []
    for number, case in enumerate(cases(problem, rng)):
        failing += failures(case, rng, method, small=number > 0)
    diagnose(problem, failing, rng, method, aside=aside)


def diagnose(
    problem: Problem, failing: Sequence[Failure], rng: np.random.Generator, method: Method, *, aside: bool
) -> None:
    """Raise `GradientError` for the worst failure that neither rounding nor chance explains, if there is one."""
    wrong = [problem.names[leaf] for leaf in sorted({failure.leaf for failure in failing})]
    for failure in sorted(failing, key=lambda failure: failure.rank, reverse=True):
        narrowed = localise(failure, method)
        if narrowed is None or _hidden(narrowed):
            continue
        if np.count_nonzero(narrowed.v) > 1 and not _again(narrowed, rng, method):
            continue
        if narrowed.finding.kink:
            if not aside:
                _look_beside(problem, rng, method)
            raise kink(narrowed)
        noise = _pullback_noise(narrowed, rng)
        if abs(narrowed.finding.error) > 30.0 * noise:
            raise wrong_derivative(narrowed, wrong, ASIDE_NOTE if aside else "")
        if not _resolved(narrowed, noise):
            raise unstable_pullback(narrowed)


def _pullback_noise(failure: Failure, rng: np.random.Generator) -> float:
    """Return how much the claimed slope changes when every input is moved by a few units in its last place."""
    case = failure.case
    slopes = []
    for _ in range(3):
        moved = [z * (1.0 + 4.0 * np.finfo(z.dtype).eps * rng.uniform(-1.0, 1.0, z.shape)) for z in case.problem.point]
        gradient = case.problem.vjp(moved)[1](case.dy)[failure.leaf]
        slopes.append(float(((gradient - case.gradients[failure.leaf]) * failure.v).sum()))
    return max(map(abs, slopes))


def _hidden(failure: Failure) -> bool:
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


def _resolved(failure: Failure, noise: float) -> bool:
    """Whether that much rounding still leaves one typical entry visible."""
    return noise <= RESOLVED * line(failure.case, failure.leaf, failure.v).typical


def _again(failure: Failure, rng: np.random.Generator, method: Method) -> bool:
    """Whether an error that many entries share persists along other directions too."""
    z = failure.case.problem.point[failure.leaf]
    others = [failure.v * np.abs(spread_signs(rng, z.shape)) * rng.choice((-1.0, 1.0), z.shape) for _ in range(2)]
    return all(method.probe(line(failure.case, failure.leaf, v)).status is Status.PERSISTS for v in others)


def _look_beside(problem: Problem, rng: np.random.Generator, method: Method) -> None:
    """Raise `GradientError` if the derivative is wrong beside the kink too, where there is no kink to explain it."""
    beside = [z + ASIDE * spread_signs(rng, z.shape) * natural_scale(z) for z in problem.point]
    try:
        examine(problem.at([np.asarray(z) for z in beside]), rng, method, aside=True)
    except GradientError as error:
        if error.verdict is Verdict.WRONG:
            raise
