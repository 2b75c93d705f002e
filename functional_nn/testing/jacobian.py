"""The whole Jacobian, entry by entry: every output by every input, for small functions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from functional_nn.testing.case import Case, Failure, line, natural_scale
from functional_nn.testing.ladder import EPS, RESOLVED, SIGMAS, Status
from functional_nn.testing.problem import Problem, within_domain
from functional_nn.testing.search import check_finite
from functional_nn.testing.taylor import FIRST, Method

__all__ = ["LIMIT", "entry_failures"]

LIMIT = 4_000_000  # entries


def entry_failures(problem: Problem, method: Method) -> Iterator[Failure]:
    """Yield every entry of the Jacobian along which an error persists.

    Rows are pullbacks of one-hot cotangents, columns are differences by one entry of the point. Raises `ValueError`
    when the Jacobian has more than `LIMIT` entries.
    """
    y = problem.value(problem.point)
    size = y.size * sum(z.size for z in problem.point)
    if size > LIMIT:
        raise ValueError(
            f"{problem.name}: its Jacobian has {size:,} entries, full=True is for at most {LIMIT:,}: leave it out"
        )
    rows = _rows(problem, y)
    for leaf, z in enumerate(problem.point):
        scale = natural_scale(z)
        jacobian = np.array([case.gradients[leaf].ravel() for case in rows]).reshape(y.size, z.size)
        for i in range(z.size):
            v = np.zeros_like(z)
            v.flat[i] = scale.flat[i]
            for j in _suspects(problem, leaf, v, jacobian[:, i] * scale.flat[i]):
                outcome = method.probe(line(rows[j], leaf, v), thorough=True)
                if outcome.status is Status.PERSISTS and outcome.finding:
                    yield Failure(rows[j], leaf, v, outcome.finding)


def _rows(problem: Problem, y: np.ndarray) -> list[Case]:
    _, pull = problem.vjp(problem.point)
    rows = []
    for j in range(y.size):
        dy = np.zeros_like(y, order="C")
        dy.flat[j] = 1.0
        gradients = pull(dy)
        for leaf, gradient in enumerate(gradients):
            check_finite(problem.path(leaf), gradient)
        rows.append(Case(problem, y, dy, gradients))
    return rows


def _suspects(problem: Problem, leaf: int, v: np.ndarray, claimed: np.ndarray) -> Iterator[int]:
    """Yield the outputs whose claimed slope is not confirmed, down to rounding, at two steps."""
    z = problem.point[leaf]
    confirmed = np.ones(claimed.shape, dtype=bool)
    outside = np.full(claimed.shape, np.nan)
    for step in FIRST:
        with np.errstate(all="ignore"):
            points = (problem.moved(leaf, np.asarray(z + t * v)) for t in (step, -step))
            plus, minus = (within_domain(partial(problem.value, point), outside).ravel() for point in points)
            slopes = (plus - minus) / (2.0 * step)
            sizes = np.where(plus == minus, 0.0, (np.abs(plus) + np.abs(minus)) / 2.0) + np.abs(claimed)
            noise = EPS * sizes / (2.0 * step) + 8.0 * EPS * (np.abs(claimed) + np.abs(slopes))
            confirmed &= np.abs(slopes - claimed) <= SIGMAS * noise
            confirmed &= noise <= RESOLVED * np.abs(claimed)
    confirmed |= (claimed == 0.0) & (slopes == 0.0)
    yield from (int(j) for j in np.flatnonzero(~confirmed))
