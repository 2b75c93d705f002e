"""Schedules of the learning rate: values `step -> float`, step the number of updates made before."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Schedule", "cosine", "step_decay"]

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
        return float(self.final + (self.rate - self.final) * (1.0 + math.cos(math.pi * done)) / 2.0)
