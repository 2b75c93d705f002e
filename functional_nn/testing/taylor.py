"""Measure the slope along a line at falling steps, and compare it with the slope that the pullback claims.

Let g be the claimed gradient of <dy, f>. Along z + t v, the remainder of the central difference,
`<dy, f(z + h v) - f(z - h v)> - 2 h <g, v>`, is O(h^3) if g is right, and O(h) if it is not (Griewank & Walther,
Evaluating Derivatives, 2008; dolfin-adjoint's Taylor test). So the error of the slope, which is the remainder over 2 h,
falls with the square of the step until only rounding is left, which grows as 1 / h; or the error stays, and g is wrong.

The ladder of steps spans 14 decades and shows both, and the rounding is measured on it. So nobody has to choose a step
or a tolerance, and neither the scale of the function nor its steepness matters.
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
        """The share that a typical entry has in the slope: rounding must be smaller for one wrong entry to show."""
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
    """Check a line with two steps if they agree with the claimed slope down to rounding, else with the whole ladder."""
    if not thorough:
        confirmed = confirm(_measure(line, FIRST), line.claimed, line.typical)
        if confirmed is not None:
            return confirmed
    return assess(_measure(line, LADDER), line.claimed, line.typical)


def _measure(line: Line, steps: Sequence[float]) -> list[Sample]:
    """Measure at falling steps; an output that no step so far has changed cancels exactly, and adds no rounding."""
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
