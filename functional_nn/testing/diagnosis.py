"""Decide what the failing directions mean, and raise the `GradientError` that says it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from functional_nn.testing.case import Failure, line, natural_scale, spread_signs
from functional_nn.testing.ladder import Status
from functional_nn.testing.messages import kink, unstable_pullback, wrong_derivative
from functional_nn.testing.problem import Point, Problem, within_domain
from functional_nn.testing.rounding import below_last_digit, measure_nearby
from functional_nn.testing.search import cases, failures, localise
from functional_nn.testing.taylor import FINITE, Method
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["diagnose", "examine", "examine_beside"]

BESIDE = (2.0**-8, 2.0**-20)  # how far beside the point to look, relative to each entry's size; the second if need be
CONFIRMATIONS = 24  # points: where terms cancel, rounding may be the same at a few of them by chance
BESIDE_A_KINK = "  The point lies on a kink: all this was measured at a random point beside it."
AT_A_SECOND_POINT = (
    "  At the point itself the pullback is right; all this was measured at a random point beside it.\n"
    "  Does the pullback keep something from an earlier call, such as the first inputs that it ever saw?"
)
HERE_ALONE = (
    "  It is wrong at this very point: where the inputs differ in their last digits the pullback is right. Does it\n"
    "  treat a point on a boundary in another way than the function (a floor, an ==, a >= in place of a >)?"
)
TIES_TOGETHER = (
    "  Entries are tied there. This was measured by moving all entries of one value together, so that they stay\n"
    "  tied and pass no kink. Does each of them get the whole cotangent, in place of one of them, or a share each?"
)


def examine(problem: Problem, rng: np.random.Generator, method: Method = FINITE) -> None:
    """Raise `GradientError`, which names the worst entry, if an error persists along some direction.

    A pullback that is right at the point is checked beside it too, along fewer directions.
    """
    _examine(problem, rng, method)
    examine_beside(problem, rng, method, AT_A_SECOND_POINT, quick=True)


def diagnose(failing: Sequence[Failure], rng: np.random.Generator, method: Method, note: str = "") -> None:
    """Raise `GradientError` for the worst failure that neither rounding nor chance explains, if there is one.

    `note`, a line for the message, says where the point lies if it is not that of the caller.
    """
    for failure in sorted(failing, key=lambda failure: failure.rank, reverse=True):
        if measure_nearby(failure, rng, method, points=3).is_zero:
            continue
        narrowed = localise(failure, method)
        if narrowed is None or below_last_digit(narrowed):
            continue
        if np.count_nonzero(narrowed.v) > 1 and not _again(narrowed, rng, method):
            continue
        nearby = measure_nearby(narrowed, rng, method)
        if nearby.is_zero:
            continue
        if narrowed.finding.kink:
            _check_ties(narrowed, method)
            if not note:
                examine_beside(narrowed.case.problem, rng, method, BESIDE_A_KINK)
            raise kink(narrowed)
        if nearby.persists and measure_nearby(narrowed, rng, method, CONFIRMATIONS).persists:
            raise wrong_derivative(narrowed, _wrong_arrays(narrowed, failing, rng, method), note)
        if nearby.vanishes:
            raise wrong_derivative(narrowed, [narrowed.name], HERE_ALONE)
        if not nearby.leaves_entries_visible:
            raise unstable_pullback(narrowed)


def _examine(
    problem: Problem, rng: np.random.Generator, method: Method, note: str = "", *, quick: bool = False
) -> None:
    failing: list[Failure] = []
    for number, case in enumerate(cases(problem, rng)):
        failing += failures(case, rng, method, small=number > 0 or problem.linear)
        if quick:
            break
    diagnose(failing, rng, method, note)


def examine_beside(
    problem: Problem, rng: np.random.Generator, method: Method = FINITE, note: str = "", *, quick: bool = False
) -> None:
    """Raise `GradientError` if the derivative is wrong beside the point; a kink or rounding there is no error."""
    for distance in BESIDE:
        beside = [np.asarray(z + distance * spread_signs(rng, z.shape) * natural_scale(z)) for z in problem.point]
        if not within_domain(partial(_has_gradients, problem, beside), outside=False):
            continue
        try:
            _examine(problem.at(beside), rng, method, note, quick=quick)
        except GradientError as error:
            if error.verdict not in (Verdict.KINK, Verdict.NOISE, Verdict.NOT_FINITE):
                raise
        return


def _has_gradients(problem: Problem, point: Point) -> bool:
    y, pull = problem.vjp(point)
    pull(np.ones_like(y))
    return bool(np.isfinite(problem.value(point)).all())


def _check_ties(failure: Failure, method: Method) -> None:
    """Raise `GradientError` if the derivative is wrong along a direction that moves tied entries together."""
    case, leaf = failure.case, failure.leaf
    z = case.problem.point[leaf]
    tied = z == z.flat[int(np.argmax(failure.v != 0.0))]
    if np.count_nonzero(tied) < 2:
        return
    v = tied * natural_scale(z)
    finding = method.probe(line(case, leaf, v), thorough=True).finding
    if finding is not None and not finding.kink:
        raise wrong_derivative(Failure(case, leaf, v, finding), [failure.name], TIES_TOGETHER)


def _wrong_arrays(worst: Failure, failing: Sequence[Failure], rng: np.random.Generator, method: Method) -> list[str]:
    """Return the names of the arrays whose gradients are wrong, and not only rounded, in the point's order."""
    leaves = {worst.leaf}
    for failure in failing:
        if failure.leaf not in leaves:
            nearby = measure_nearby(failure, rng, method, points=3)
            leaves |= {failure.leaf} if nearby.persists and not nearby.is_zero else set()
    return [worst.case.problem.names[leaf] for leaf in sorted(leaves)]


def _again(failure: Failure, rng: np.random.Generator, method: Method) -> bool:
    """Whether an error that many entries share persists along other directions too."""
    z = failure.case.problem.point[failure.leaf]
    others = [failure.v * np.abs(spread_signs(rng, z.shape)) * rng.choice((-1.0, 1.0), z.shape) for _ in range(2)]
    return all(method.probe(line(failure.case, failure.leaf, v)).status is Status.PERSISTS for v in others)
