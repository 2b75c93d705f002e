"""The complex step, which measures slopes of analytic functions to the last digit: f'(x) = Im f(x + ih) / h.

Nothing is subtracted, so the step can be so small that it leaves no error, and no digits are lost to rounding (Squire &
Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40, 1998).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from functional_nn.dtypes import complex_taken
from functional_nn.testing.ladder import EPS, SIGMAS, Finding, Outcome, Sample, Status, norm
from functional_nn.testing.problem import Point, Problem
from functional_nn.testing.taylor import Line, Method, probe

__all__ = ["COMPLEX", "as_complex"]

STEP = 2.0**-100


def _complex_probe(line: Line, *, thorough: bool = False) -> Outcome:
    """Check a line with complex steps; its rounding is how much the slope changes when the point moves a few ulps.

    Raises `ValueError` where finite differences agree with the pullback and the complex step does not: then the
    function is not analytic. `thorough` changes nothing, because there is one step only.
    """
    slopes, size = [], 0.0
    for aside in (0.0, 4.0 * EPS, -4.0 * EPS):
        weighted = _weighted(line, aside)
        slopes.append(float(weighted.sum()))
        size = norm(weighted)
    noise = 8.0 * EPS * (line.strength + size) + max(abs(slope - slopes[0]) for slope in slopes)
    error = slopes[0] - line.claimed
    if abs(error) <= SIGMAS * noise:
        return Outcome(Status.RIGHT, bound=2.0 * SIGMAS * noise)
    if 2.0 * probe(line, thorough=True).bound < abs(error):
        raise ValueError(
            "method='complex' is for analytic functions: finite differences agree with the pullback here, the complex "
            'step does not (abs, comparisons and .real are not analytic). Use method="finite"'
        )
    sample = Sample(STEP, slopes[0], bend=0.0, size=size, rounding=0.0, own=noise)
    return Outcome(Status.PERSISTS, Finding(sample, error, 1.0, 1.0, kink=False, exact=True))


def _weighted(line: Line, aside: float = 0.0) -> np.ndarray:
    return np.asarray(line.dy * line.value(complex(aside, STEP)).imag / STEP)


def _slope(line: Line, step: float) -> float:
    return float(_weighted(line).sum())


COMPLEX = Method(_complex_probe, _slope)


def as_complex(problem: Problem) -> Problem:
    """Return the same function; where one array of a point is complex, it is called with all of them complex.

    Raises `ValueError` unless it takes them and keeps their imaginary parts.
    """

    def value(point: Point) -> np.ndarray:
        if not any(np.iscomplexobj(z) for z in point):
            return problem.value(point)
        with complex_taken():
            return problem.value([z.astype(np.complex128) for z in point])

    widened = replace(problem, value=value)
    _check_takes_complex(widened)
    return widened


def _check_takes_complex(problem: Problem) -> None:
    point = [z + 0.0j for z in problem.point]
    advice = 'method="complex" needs an apply that computes with complex arrays; use method="finite"'
    try:
        y = problem.value(point)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{problem.name}: {advice} (it raises: {error})") from error
    if not np.iscomplexobj(y):
        raise ValueError(f"{problem.name}: {advice} (its output is {y.dtype})")
