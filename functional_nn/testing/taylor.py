"""Measure a claimed slope along a line, and judge it by how its error falls with the step.

Along z + t v the Taylor remainder of the central difference,
`<dy, f(z + h v) - f(z - h v)> - 2 h <g, v>`, is O(h^3) if g is the gradient of <dy, f> and O(h) if it is not
(Griewank & Walther, Evaluating Derivatives, 2008; dolfin-adjoint's Taylor test). So the error of the slope, the
remainder over 2 h, falls with the square of the step until only rounding is left, which grows as 1 / h, or it stays
what it is, which is a wrong derivative. Both are seen on a ladder of steps over 14 decades, with the rounding measured
on the ladder itself, so no step and no tolerance has to be chosen and neither scale nor steepness matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from functional_nn.testing.ladder import EPS, Outcome, Sample, assess, confirm, norm
from functional_nn.testing.problem import within_domain

__all__ = ["FINITE", "FIRST", "Line", "Method", "probe"]

FIRST = (2.0**-16, 2.0**-19)
NEAR = 2.0**-8  # steps above may touch what the smaller ones cannot
LADDER = tuple(2.0**k for k in range(2, -47, -2))


@dataclass(frozen=True)
class Line:
    """The function t -> <dy, f(z + t v)> and what the pullback claims its slope at 0 to be.

    - `value(t)`: f(z + t v), an array; `dy`: the cotangent, of its shape; `y`: value(0).
    - `claimed`: <g, v>; `rounding`: what to expect of it there, as entries are exact to the last digit of the largest.
    - `strength`: the norm of the products g_i v_i; `entries`: how many i there are.
    """

    value: Callable[[complex], np.ndarray]
    dy: np.ndarray
    y: np.ndarray
    claimed: float
    rounding: float
    strength: float
    entries: int

    @property
    def typical(self) -> float:
        """The share that a typical entry has in the slope: what must be resolved for one wrong entry to be seen."""
        return self.strength / math.sqrt(max(self.entries, 1))


@dataclass(frozen=True)
class Method:
    """A way to measure slopes.

    - `probe(line, thorough=False)`: the outcome of checking the slope that a line claims.
    - `slope(line, step)`: the slope of a line, measured with one step.
    """

    probe: Callable[..., Outcome]
    slope: Callable[[Line, float], float]


def probe(line: Line, *, thorough: bool = False) -> Outcome:
    """Check a line: by two steps when they agree with the claim down to rounding, else by the whole ladder."""
    if not thorough:
        confirmed = confirm(_measure(line, FIRST), line.claimed, line.typical)
        if confirmed is not None:
            return confirmed
    return assess(_measure(line, LADDER), line.claimed, line.typical)


def _measure(line: Line, steps: Sequence[float]) -> list[Sample]:
    """Measure at falling steps. Outputs that no step near or above has changed cancel exactly and have no rounding."""
    samples = []
    touched: np.ndarray | bool = False
    outside = np.full_like(line.y, np.nan)
    for step in steps:
        with np.errstate(all="ignore"):  # large steps may leave the function's domain: not finite, not used
            plus, minus = (within_domain(partial(line.value, t), outside) for t in (step, -step))
            touched = (touched if step <= NEAR else False) | (plus != line.y) | (minus != line.y)
            weighted = line.dy * (plus - minus)
            sizes = np.where(touched, line.dy * (np.abs(plus) + np.abs(minus)), 0.0)
            slope = float(weighted.sum()) / (2.0 * step)
            bend = float((line.dy * (plus - line.y - (line.y - minus))).sum()) / (2.0 * step)
            size = norm(sizes) / 2.0
            own = 8.0 * (line.rounding + EPS * norm(weighted) / (2.0 * step))
        samples.append(Sample(step, slope, bend, size, EPS * (size + line.strength), own))
    return samples


def _slope(line: Line, step: float) -> float:
    return _measure(line, [step])[0].slope


FINITE = Method(probe, _slope)
