"""The errors about the numbers of a gradient: each says what was measured and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from functional_nn.testing.case import Failure
from functional_nn.testing.ladder import Finding
from functional_nn.testing.problem import Problem
from functional_nn.testing.verdict import GradientError, Verdict, place

__all__ = ["kink", "no_values_beside", "output_not_finite", "rough_function", "unstable_pullback", "wrong_derivative"]


def wrong_derivative(failure: Failure, wrong: Sequence[str], note: str = "") -> GradientError:
    """Return the error for a wrong derivative; `wrong` are the arrays with a failing direction, `note` a last line."""
    problem, finding = failure.case.problem, failure.finding
    index, part = _entry(failure)
    entries = int(np.count_nonzero(failure.v))
    unit = part if entries == 1 else 1.0
    expected, got = finding.best.slope / unit + 0.0, (finding.best.slope - finding.error) / unit + 0.0  # not -0
    size, step = abs(part), finding.best.step * abs(part)
    right = [name for name in problem.names if name not in wrong]
    means = "complex step" if finding.exact else "central differences"
    lines = [
        f"  measured  {expected:.9g}  ({means} of {_output(failure)}, step {step:.2g})",
        f"  pullback  {got:.9g}",
        *([] if finding.exact else _persistence(finding, abs(expected - got), size)),
        f"  {_hint(failure, expected, got)}",
        f"  Gradients that are wrong: {', '.join(wrong)}; right: {', '.join(right) or 'none'}.",
        *([note] if note else []),
    ]
    if entries > 1:
        lines.insert(2, f"  These are slopes along a direction: the error is spread over {entries} entries.")
    path = problem.path(failure.leaf)
    return GradientError(Verdict.WRONG, "\n".join(lines), path, index, expected, got, step)


def kink(failure: Failure) -> GradientError:
    """Return the error for a point on a kink, where differences cannot decide."""
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


def unstable_pullback(failure: Failure) -> GradientError:
    """Return the error for a gradient that is mostly rounding although the slope is not."""
    index, _ = _entry(failure)
    message = (
        "  The pullback's own value changes by as much as its error when the inputs change in their last digit:\n"
        "  the gradient is computed from differences of nearly equal numbers."
    )
    return GradientError(Verdict.NOISE, message, failure.case.problem.path(failure.leaf), index)


def rough_function(path: str) -> GradientError:
    """Return the error for a function whose rounding hides the slope."""
    message = (
        "  The function's values carry far more rounding than float64 has: the error of every difference grows as\n"
        "  the step shrinks, so its derivative cannot be measured. Does it compute in float32 inside, jump, draw\n"
        "  random numbers without a key, or subtract nearly equal numbers?"
    )
    return GradientError(Verdict.NOISE, message, path)


def output_not_finite(problem: Problem, y: np.ndarray) -> GradientError:
    """Return the error for an output that is infinite or not a number at the point itself."""
    index = tuple(int(i) for i in np.argwhere(~np.isfinite(y))[0])
    reason = (
        "the inputs lie outside of the function's domain (a root or a logarithm of a negative number, 0 / 0)"
        if np.isnan(y[index])
        else f"the dtype {y.dtype} overflows, or something is divided by 0"
    )
    message = f"  The output is {y[index]} there although all inputs are finite: {reason}."
    path, place_in_it = problem.output(index)
    return GradientError(Verdict.NOT_FINITE, message, f"{problem.name}.{path}", place_in_it, claimed=float(y[index]))


def no_values_beside(path: str) -> GradientError:
    """Return the error for a point beside which the function raises or is not finite, however small the step."""
    message = (
        "  The function raises an error or is not finite on one side of the point at least, however small the step:\n"
        "  the point lies on the edge of its domain, and no difference can be taken. Move the inputs off the edge."
    )
    return GradientError(Verdict.NOT_FINITE, message, path)


def _entry(failure: Failure) -> tuple[tuple[int, ...], float]:
    """Return the index of the entry with the largest share in the direction, and how far the direction moves it."""
    shares = np.abs(failure.v) * (1.0 + np.abs(failure.case.gradients[failure.leaf]))
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(shares)), failure.v.shape))
    return index, float(failure.v[index])


def _output(failure: Failure) -> str:
    dy = failure.case.dy
    chosen = np.argwhere(dy)
    if failure.case.problem.linear:
        return "f"
    if len(chosen) == 1 and dy[tuple(chosen[0])] == 1.0:
        return place(*failure.case.problem.output(tuple(int(i) for i in chosen[0])))
    return "<dy, y>"


def _persistence(finding: Finding, apart: float, size: float) -> list[str]:
    return [
        f"  They stay {apart:.2g} apart while the step shrinks from {finding.widest * size:.1g} to "
        f"{finding.narrowest * size:.1g}; with a right",
        "  derivative they would approach each other with the step's square.",
    ]


def _hint(failure: Failure, expected: float, got: float) -> str:
    """Return what commonly makes such an error."""
    case = failure.case
    moved = failure.v != 0.0
    _, pull = case.problem.vjp(case.problem.point)
    if (
        got != 0.0
        and not case.problem.linear
        and np.array_equal(pull(1.25 * case.dy + 0.5)[failure.leaf][moved], case.gradients[failure.leaf][moved])
    ):
        return "The pullback gives the same for every dy: dy is left out."
    return _ratio_hint(expected, got, *case.problem.axis)


def _ratio_hint(expected: float, got: float, length: int, axis: str) -> str:
    """Return what commonly gives this ratio of a wrong derivative to the right one."""
    if got == 0.0:
        return "The pullback gives exactly zero there: is a term or the whole gradient left out, or a mask wrong?"
    if expected == 0.0:
        return "The function does not depend on this entry, but the pullback says it does."
    known = {
        -1.0: "It has the right size and the wrong sign.",
        2.0: "It is twice too large: is it counted twice, or is a factor 1/2 missing?",
        0.5: "It is half as large as it should be.",
    }
    if length > 2:
        known[1.0 / length] = f"It is {length} times too small, {axis}: is it a mean where a sum belongs?"
        known[float(length)] = f"It is {length} times too large, {axis}: is it a sum where a mean belongs?"
    for ratio, hint in known.items():
        if abs(got / expected / ratio - 1.0) < 1e-4:
            return hint
    if abs(got / expected - 1.0) < 1e-4:
        return f"It is wrong by a part of {got / expected - 1.0:.1g}."
    return f"It is {got / expected:.6g} times what it should be."
