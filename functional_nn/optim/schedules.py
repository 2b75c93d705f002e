"""Schedules of the learning rate: values `step -> float`, step the number of updates made before."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from functional_nn.arguments import count, fraction, not_negative, positive
from functional_nn.value import Value, constructor

__all__ = ["Schedule", "cosine", "exponential", "one_cycle", "piecewise", "step_decay"]

Schedule = Callable[[int], float]


@dataclass(frozen=True, eq=False, repr=False)
class ScheduleValue(Value):
    """A schedule as a value; any function of the step is a schedule too."""

    rate_of: Schedule

    def __call__(self, step: int) -> float:
        """Return the rate of the update that `step` others were made before; raises `ValueError` below 0."""
        return float(self.rate_of(count("schedule", "step", step, least=0)))


@constructor(rate=not_negative, every=count, factor=not_negative)
def step_decay(rate: float, every: int, factor: float = 0.1) -> ScheduleValue:
    """rate * factor ** (step // every): the rate falls by `factor` after every `every` updates.

    Raises `ValueError` for a negative rate or factor, or an `every` below 1.

    >>> schedule = optim.step_decay(0.5, every=10, factor=0.5)
    >>> [schedule(step) for step in (0, 9, 10, 20)]
    [0.5, 0.5, 0.25, 0.125]
    """
    return ScheduleValue(lambda step: rate * factor ** (step // every))


@constructor(rate=not_negative, steps=count, warmup=partial(count, least=0), final=not_negative)
def cosine(rate: float, steps: int, warmup: int = 0, final: float = 0.0) -> ScheduleValue:
    """Rise linearly over `warmup` updates to `rate`, then fall along half a cosine to `final` at `steps`.

    rate * (step + 1) / warmup, then final + (rate - final) (1 + cos(pi t)) / 2, t from 0 to 1 and 1 from then on
    (Loshchilov and Hutter 2017, eq. 5, without restarts; Goyal et al. 2017 for the warm-up).
    Raises `ValueError` for a negative rate, or a warm-up that is not shorter than the whole.

    >>> schedule = optim.cosine(1.0, steps=10, warmup=2)
    >>> [round(schedule(step), 3) for step in (0, 1, 2, 6, 10, 11)]
    [0.5, 1.0, 1.0, 0.5, 0.0, 0.0]
    """
    if warmup >= steps:
        raise ValueError(f"cosine: warmup is {warmup}, expected fewer than the {steps} steps")

    def rate_of(step: int) -> float:
        if step < warmup:
            return rate * (step + 1) / warmup
        return _along_cosine(rate, final, min(1.0, (step - warmup) / (steps - warmup)))

    return ScheduleValue(rate_of)


@constructor(rate=not_negative, factor=positive, every=count)
def exponential(rate: float, factor: float, every: int = 1) -> ScheduleValue:
    """rate * factor ** (step / every): smooth, falling by `factor` over every `every` updates.

    Raises `ValueError` for a negative rate, a factor that is not above 0, or an `every` below 1.

    >>> schedule = optim.exponential(1.0, factor=0.25, every=2)
    >>> [schedule(step) for step in (0, 1, 2, 4)]
    [1.0, 0.5, 0.25, 0.0625]
    """
    return ScheduleValue(lambda step: rate * factor ** (step / every))


def _numbers(constructor: str, name: str, value: Any) -> tuple[Any, ...]:
    if not isinstance(value, tuple | list | np.ndarray):
        raise ValueError(f"{constructor}: {name} is {value!r}, expected a tuple of numbers")
    return tuple(value)


def _rates(constructor: str, name: str, value: Any) -> tuple[float, ...]:
    return tuple(not_negative(constructor, name, rate) for rate in _numbers(constructor, name, value))


def _boundaries(constructor: str, name: str, value: Any) -> tuple[int, ...]:
    boundaries = tuple(count(constructor, name, step) for step in _numbers(constructor, name, value))
    if any(later <= earlier for earlier, later in pairwise(boundaries)):
        raise ValueError(f"{constructor}: {name} are {boundaries}, expected numbers of updates that rise")
    return boundaries


@constructor(rates=_rates, boundaries=_boundaries)
def piecewise(rates: tuple[float, ...], boundaries: tuple[int, ...]) -> ScheduleValue:
    """rates[i] from boundaries[i - 1] up to but without boundaries[i]: one more rate than boundaries.

    Raises `ValueError` for negative rates, boundaries that do not rise, or numbers of them that do not fit.

    >>> schedule = optim.piecewise(rates=(0.1, 0.01), boundaries=(100,))
    >>> schedule(99), schedule(100)
    (0.1, 0.01)
    """
    if len(rates) != len(boundaries) + 1:
        raise ValueError(f"piecewise: {len(rates)} rates and {len(boundaries)} boundaries, expected one more rate")
    return ScheduleValue(lambda step: rates[bisect_right(boundaries, step)])


def _at_least_one(constructor: str, name: str, value: Any) -> float:
    if positive(constructor, name, value) < 1.0:
        raise ValueError(f"{constructor}: {name} is {value!r}, expected a finite number of at least 1")
    return float(value)


@constructor(
    rate=not_negative,
    steps=partial(count, least=2),
    warmup=fraction,
    start=_at_least_one,
    final=_at_least_one,
)
def one_cycle(rate: float, steps: int, warmup: float = 0.3, start: float = 25.0, final: float = 1e4) -> ScheduleValue:
    """Rise along half a cosine from rate / start to `rate` over a share `warmup` of `steps`, then fall to `final`.

    The last of the `steps` updates has rate / start / final (Smith and Topin 2018, section 3, with cosines for its
    lines; the settings are those that the field uses). Momentum is not cycled.
    Raises `ValueError` for a negative rate, fewer than 2 steps, or a warm-up outside (0, 1).

    >>> schedule = optim.one_cycle(1.0, steps=101, warmup=0.2, start=25.0, final=1e4)
    >>> [round(schedule(step), 6) for step in (0, 10, 20, 60, 100)]
    [0.04, 0.551394, 0.999758, 0.492226, 4e-06]
    """
    if warmup == 0.0:
        raise ValueError("one_cycle: warmup is 0, the share of the steps in which the rate rises: expected above 0")
    first, last = rate / start, rate / start / final
    peak, end = warmup * steps - 1.0, steps - 1.0

    def rate_of(step: int) -> float:
        if step <= peak:
            return _along_cosine(first, rate, step / peak if peak else 1.0)
        return _along_cosine(rate, last, min(1.0, (step - peak) / (end - peak)))

    return ScheduleValue(rate_of)


def _along_cosine(start: float, end: float, share: float) -> float:
    return float(end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0)
