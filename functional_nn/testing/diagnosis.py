"""Decide what the failing directions mean, and raise the `GradientError` that says it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from functional_nn.testing.ladder import EPS, RESOLVED, Finding, Status, norm
from functional_nn.testing.problem import Problem
from functional_nn.testing.search import (
    Failure,
    Prober,
    cases,
    failures,
    line,
    localise,
    natural_scale,
    spread_signs,
)
from functional_nn.testing.taylor import probe
from functional_nn.testing.verdict import GradientError, Verdict, place, ratio_hint

__all__ = ["diagnose", "examine"]

ASIDE = 2.0**-8  # how far beside a kink to look, relative to each entry's size


def examine(problem: Problem, rng: np.random.Generator, prober: Prober = probe, *, aside: bool = False) -> None:
    """Raise `GradientError`, which names the worst entry, if an error persists along some direction."""
    failing: list[Failure] = []
    for number, case in enumerate(cases(problem, rng)):
        failing += failures(case, rng, prober, small=number > 0)
    diagnose(problem, failing, rng, prober, aside=aside)


def diagnose(
    problem: Problem, failing: Sequence[Failure], rng: np.random.Generator, prober: Prober, *, aside: bool
) -> None:
    """Raise `GradientError` for the worst failure that neither rounding nor chance explains, if there is one."""
    wrong = [problem.names[leaf] for leaf in sorted({failure.leaf for failure in failing})]
    for failure in sorted(failing, key=lambda failure: failure.rank, reverse=True):
        narrowed = localise(failure, prober)
        if narrowed is None or _hidden(narrowed):
            continue
        if np.count_nonzero(narrowed.v) > 1 and not _again(narrowed, rng, prober):
            continue
        if narrowed.finding.kink:
            if not aside:
                _look_beside(problem, rng, prober)
            raise _kink(narrowed)
        noise = _pullback_noise(narrowed, rng)
        if abs(narrowed.finding.error) > 30.0 * noise:
            raise _wrong(narrowed, wrong, aside=aside)
        if not _resolved(narrowed, noise):
            raise _unstable(narrowed)


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


def _again(failure: Failure, rng: np.random.Generator, prober: Prober) -> bool:
    """Whether an error that many entries share persists along other directions too."""
    z = failure.case.problem.point[failure.leaf]
    others = [failure.v * np.abs(spread_signs(rng, z.shape)) * rng.choice((-1.0, 1.0), z.shape) for _ in range(2)]
    return all(prober(line(failure.case, failure.leaf, v)).status is Status.PERSISTS for v in others)


def _look_beside(problem: Problem, rng: np.random.Generator, prober: Prober) -> None:
    """Raise `GradientError` if the derivative is wrong beside the kink too, where there is no kink to explain it."""
    beside = [z + ASIDE * spread_signs(rng, z.shape) * natural_scale(z) for z in problem.point]
    try:
        examine(problem.at([np.asarray(z) for z in beside]), rng, prober, aside=True)
    except GradientError as error:
        if error.verdict is Verdict.WRONG:
            raise


def _entry(failure: Failure) -> tuple[tuple[int, ...], float]:
    """Return the index of the entry with the largest share in the direction, and how far the direction moves it."""
    shares = np.abs(failure.v) * (1.0 + np.abs(failure.case.gradients[failure.leaf]))
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(shares)), failure.v.shape))
    return index, float(failure.v[index])


def _wrong(failure: Failure, wrong: Sequence[str], *, aside: bool) -> GradientError:
    problem, finding = failure.case.problem, failure.finding
    index, part = _entry(failure)
    entries = int(np.count_nonzero(failure.v))
    alone = entries == 1
    unit = part if alone else 1.0
    expected, got = finding.best.slope / unit + 0.0, (finding.best.slope - finding.error) / unit + 0.0  # not -0
    size, step = abs(part), finding.best.step * abs(part)
    right = [name for name in problem.names if name not in wrong]
    means = "complex step" if finding.exact else "central differences"
    lines = [
        f"  measured  {expected:.9g}  ({means} of {_output(failure)}, step {step:.2g})",
        f"  pullback  {got:.9g}",
        *([] if finding.exact else _persistence(finding, abs(expected - got), size)),
        f"  {ratio_hint(expected, got, problem.point[-1].shape[0] if problem.point[-1].ndim else 1)}",
        f"  Gradients that are wrong: {', '.join(wrong)}; right: {', '.join(right) or 'none'}.",
    ]
    if not alone:
        lines.insert(2, f"  These are slopes along a direction: the error is spread over {entries} entries.")
    if aside:
        lines.append("  The point lies on a kink: all this was measured at a random point beside it.")
    path = problem.path(failure.leaf)
    return GradientError(Verdict.WRONG, "\n".join(lines), path, index, expected, got, step)


def _output(failure: Failure) -> str:
    dy = failure.case.dy
    chosen = np.argwhere(dy)
    if len(chosen) == 1 and dy[tuple(chosen[0])] == 1.0:
        return place("y", tuple(int(i) for i in chosen[0]))
    return "<dy, y>"


def _persistence(finding: Finding, apart: float, size: float) -> list[str]:
    return [
        f"  They stay {apart:.2g} apart while the step shrinks from {finding.widest * size:.1g} to "
        f"{finding.narrowest * size:.1g}; with a right",
        "  derivative they would approach each other with the step's square.",
    ]


def _kink(failure: Failure) -> GradientError:
    finding = failure.finding
    index, part = _entry(failure)
    unit = part if np.count_nonzero(failure.v) == 1 else 1.0
    slope, bend = finding.best.slope / unit, finding.best.bend / unit
    sides = sorted((slope - bend + 0.0, slope + bend + 0.0))  # not -0
    got = slope - finding.error / unit + 0.0
    message = (
        f"  The slope is {sides[0]:.6g} on one side and {sides[1]:.6g} on the other however small the step; the\n"
        f"  pullback gives {got:.6g}. A kink lies at this very point (a relu at 0, a tie under a max pool, |x| at 0),\n"
        "  where differences can neither confirm nor refute a derivative. Right beside it the derivative is right.\n"
        "  Draw inputs away from kinks (functional_nn.testing.strategies does), and test the value that you\n"
        "  chose at the kink by itself."
    )
    path = failure.case.problem.path(failure.leaf)
    step = finding.narrowest * abs(part)
    return GradientError(Verdict.KINK, message, path, index, slope, got, step)


def _unstable(failure: Failure) -> GradientError:
    index, _ = _entry(failure)
    message = (
        "  The pullback's own value changes by as much as its error when the inputs change in their last digit:\n"
        "  the gradient is computed from differences of nearly equal numbers."
    )
    return GradientError(Verdict.NOISE, message, failure.case.problem.path(failure.leaf), index)
