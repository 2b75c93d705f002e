"""Schedules of the learning rate: values `step -> float`, step the number of updates made before."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Schedule", "cosine", "exponential", "one_cycle", "piecewise", "step_decay"]

Schedule = Callable[[int], float]


@dataclass(frozen=True)
class step_decay:
    """rate * factor ** (step // every): the rate falls by `factor` after every `every` updates."""

    rate: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        """Raise `ValueError` for a negative rate or factor, or an `every` below 1."""
        if self.rate < 0 or self.every < 1 or self.factor < 0:
            raise ValueError(f"{self}: expected rate >= 0, every >= 1 and factor >= 0")

    def __call__(self, step: int) -> float:
        """Return the rate of this update."""
        return float(self.rate * self.factor ** (step // self.every))


@dataclass(frozen=True)
class cosine:
    """Rise linearly over `warmup` updates to `rate`, then fall along half a cosine to `final` at `steps`.

    rate * (step + 1) / warmup, then final + (rate - final) (1 + cos(pi t)) / 2, t from 0 to 1 and 1 from then on
    (Loshchilov and Hutter 2017, eq. 5, without restarts; Goyal et al. 2017 for the warm-up).
    """

    rate: float
    steps: int
    warmup: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        """Raise `ValueError` for a negative rate, or a warm-up that is not shorter than the whole."""
        if self.rate < 0 or self.final < 0 or not 0 <= self.warmup < self.steps:
            raise ValueError(f"{self}: expected rate >= 0, final >= 0 and 0 <= warmup < steps")

    def __call__(self, step: int) -> float:
        """Return the rate of this update."""
        if step < self.warmup:
            return float(self.rate * (step + 1) / self.warmup)
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return _along_cosine(self.rate, self.final, done)


@dataclass(frozen=True)
class exponential:
    """rate * factor ** (step / every): smooth, falling by `factor` over every `every` updates."""

    rate: float
    factor: float
    every: int = 1

    def __post_init__(self) -> None:
        """Raise `ValueError` for a negative rate, a factor that is not above 0, or an `every` below 1."""
        if self.rate < 0 or self.every < 1 or not 0 < self.factor < math.inf:
            raise ValueError(f"{self}: expected rate >= 0, factor > 0 and every >= 1")

    def __call__(self, step: int) -> float:
        """Return the rate of this update."""
        return float(self.rate * self.factor ** (step / self.every))


@dataclass(frozen=True)
class piecewise:
    """rates[i] from boundaries[i - 1] up to but without boundaries[i]: one more rate than boundaries."""

    rates: tuple[float, ...]
    boundaries: tuple[int, ...]

    def __post_init__(self) -> None:
        """Raise `ValueError` for negative rates, boundaries that do not rise, or numbers of them that do not fit."""
        rising = all(a < b for a, b in zip((0, *self.boundaries), self.boundaries, strict=False))
        if len(self.rates) != len(self.boundaries) + 1 or not rising or min(self.rates) < 0:
            raise ValueError(f"{self}: expected rates >= 0, one more than boundaries, which rise from above 0")

    def __call__(self, step: int) -> float:
        """Return the rate of this update."""
        return float(self.rates[bisect_right(self.boundaries, step)])


@dataclass(frozen=True)
class one_cycle:
    """Rise along half a cosine from rate / start to `rate` over a share `warmup` of `steps`, then fall to `final`.

    The last of the `steps` updates has rate / start / final (Smith and Topin 2018, section 3, with cosines for its
    lines; the settings are those that the field uses). Momentum is not cycled.
    """

    rate: float
    steps: int
    warmup: float = 0.3
    start: float = 25.0
    final: float = 1e4

    def __post_init__(self) -> None:
        """Raise `ValueError` for a negative rate, fewer than 2 steps, or a warm-up outside (0, 1)."""
        if self.rate < 0 or self.steps < 2 or not 0 < self.warmup < 1 or self.start < 1 or self.final < 1:
            raise ValueError(f"{self}: expected rate >= 0, steps >= 2, 0 < warmup < 1, start >= 1 and final >= 1")

    def __call__(self, step: int) -> float:
        """Return the rate of this update."""
        first, last = self.rate / self.start, self.rate / self.start / self.final
        peak, end = self.warmup * self.steps - 1.0, self.steps - 1.0
        if step <= peak:
            return _along_cosine(first, self.rate, step / peak if peak else 1.0)
        return _along_cosine(self.rate, last, min(1.0, (step - peak) / (end - peak)))


def _along_cosine(start: float, end: float, share: float) -> float:
    return float(end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0)
