"""Intervals over seeds: of a mean, and of a difference between two figures that share their seeds.

They are Student's t intervals: they say how far the mean would move with other seeds, on the same images. Where several
are read together, `comparisons` is their number; each is then so much wider that with 95 % all of them hold
(Bonferroni).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

LEVEL = 0.95
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)


class Difference(NamedTuple):
    """The mean of a difference, and the ends of its interval; these are None where there is one seed."""

    mean: float
    low: float | None
    high: float | None

    @property
    def shows(self) -> bool:
        """Whether the interval excludes zero."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.mean:+.3f}"
        return f"{self.mean:+.3f} ({self.low:+.3f} to {self.high:+.3f})"


def t_interval(values: Sequence[float], comparisons: int = 1) -> tuple[float, float] | None:
    """Return the interval of the mean of these values, one a seed; None for a single one."""
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return None
    quantile = t.ppf(1 - (1 - LEVEL) / (2 * comparisons), n - 1)
    mean, half = float(np.mean(values)), float(quantile * np.std(values, ddof=1) / math.sqrt(n))
    return mean - half, mean + half


def told_apart(one: float, other: float, images: int) -> bool:
    """Return whether so many images tell two accuracies apart: the 95 % interval of their difference excludes 0.

    It takes the two for independent, though they are of the same images: where it says yes, the images do.
    """
    variance = (one * (1 - one) + other * (1 - other)) / images
    return abs(one - other) > Z * math.sqrt(variance)


def paired(ours: Sequence[float], theirs: Sequence[float], comparisons: int = 1) -> Difference:
    """Return the mean of ours - theirs, where the i-th of both are of the same seed, and its interval."""
    differences = np.subtract(ours, theirs)
    return Difference(float(differences.mean()), *(t_interval(differences.tolist(), comparisons) or (None, None)))


def ranks(figures: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Return for each row of figures, one a seed, its best and its worst rank; rank 1 has the largest mean.

    Two rows are in order where the interval of their difference excludes zero, and the intervals of all pairs hold
    together. A single seed puts nothing in order.
    """
    n = len(figures)
    pairs = max(1, n * (n - 1) // 2)
    signs = np.zeros((n, n), int)
    for i, j in np.ndindex(n, n):
        difference = paired(figures[i], figures[j], pairs)
        signs[i, j] = np.sign(difference.mean) if difference.shows else 0
    return [(1 + int((row < 0).sum()), n - int((row > 0).sum())) for row in signs]
