"""Decide what the failing directions mean, and raise the `GradientError` that says it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from functional_nn.testing.case import Failure, line, natural_scale, spread_signs
from functional_nn.testing.ladder import Status
from functional_nn.testing.messages import kink, unstable_pullback, wrong_derivative
from functional_nn.testing.problem import Problem
from functional_nn.testing.rounding import below_last_digit, measure_nearby
from functional_nn.testing.search import cases, failures, localise
from functional_nn.testing.taylor import FINITE, Method
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["diagnose", "examine"]

ASIDE = 2.0**-8  # how far beside a kink to look, relative to each entry's size
ASIDE_NOTE = "  The point lies on a kink: all this was measured at a random point beside it."
HERE_ALONE = (
    "  It is wrong at this very point: where the inputs differ in their last digits the pullback is right. Does it\n"
    "  treat a point on a boundary in another way than the function (a floor, an ==, a >= in place of a >)?"
)


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
        if narrowed is None or below_last_digit(narrowed):
            continue
        if np.count_nonzero(narrowed.v) > 1 and not _again(narrowed, rng, method):
            continue
        nearby = measure_nearby(narrowed, rng, method)
        if nearby.is_zero:
            continue
        if narrowed.finding.kink:
            if not aside:
                _look_beside(problem, rng, method)
            raise kink(narrowed)
        if nearby.persists:
            raise wrong_derivative(narrowed, wrong, ASIDE_NOTE if aside else "")
        if nearby.vanishes:
            raise wrong_derivative(narrowed, wrong, HERE_ALONE)
        if not nearby.leaves_entries_visible:
            raise unstable_pullback(narrowed)


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
