"""Decide what the errors of a claimed slope at falling steps, a ladder, say about it.

With the right derivative the error falls until only rounding is left; how large that is can be read off the ladder. An
error that stays the same over three steps and more, down to where rounding would hide it, is a wrong derivative, or
there is a kink at the point. An error that appears only as the step shrinks, and that moves the values by no more than
rounding does, is rounding.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np

__all__ = [
    "EPS",
    "NO_SLOPE",
    "RESOLVED",
    "SIGMAS",
    "Finding",
    "Outcome",
    "Sample",
    "Status",
    "assess",
    "confirm",
    "norm",
]

EPS = float(np.finfo(np.float64).eps)
EPS32 = float(np.finfo(np.float32).eps)
SIGMAS = 10.0  # an error is visible when it is this many times the rounding
RESOLVED = 5e-4  # so that 1 % of one typical entry's share in the slope is visible with room to spare
SHORT = 0.01 * EPS32 / EPS  # rounding this far above float64's is float32's
LOOSE = 1e3  # rounding this far above float64's is not the outputs' own: digits cancel within the function
ROUGH = 32.0 * EPS32  # the largest part of the values that rounding may be, if something computes in float32
NEGLIGIBLE = 2.0**-20  # part of the error at the largest step to which an error must fall
NO_SLOPE = 1e-9  # of the outputs, for a move by an entry's own size: below, there may be rounding and no slope
PLATEAU = 3  # steps, over which the step falls by 16


def norm(array: np.ndarray) -> float:
    """Return the Euclidean norm, also of numbers whose squares overflow or vanish."""
    largest = float(np.abs(array).max(initial=0.0))
    return largest * float(np.linalg.norm(array / largest)) if 0.0 < largest < math.inf else largest


class Status(Enum):
    """What a ladder shows. Only PERSISTS means a wrong derivative or a kink."""

    RIGHT = "the error falls until only rounding is left"
    PERSISTS = "the error stays as the step shrinks"
    COARSE = "the error falls, but rounding hides the last of it"
    FLAT = "the function does not change measurably"
    OUTSIDE = "the function has no finite values beside the point"
    NOISY = "rounding hides the slope"


@dataclass(frozen=True)
class Sample:
    """What is measured with one step.

    - `slope`: the central difference; `bend`: half the difference between the slopes on the two sides.
    - `size`: the size of the values that are rounded; `rounding`: what to expect of it in a difference of two values.
    - `own`: the rounding in the slope that does not depend on the step, such as that of the claimed slope.
    """

    step: float
    slope: float
    bend: float
    size: float
    rounding: float
    own: float

    def noise(self, excess: float = 1.0) -> float:
        """Return the rounding in the slope if the values carry `excess` times the expected rounding."""
        return excess * self.rounding / (2.0 * self.step) + self.own


@dataclass(frozen=True)
class Finding:
    """An error that stays as the step shrinks.

    - `best`: what was measured with the step that shows the error best; `error`: the error there.
    - `widest`, `narrowest`: the largest and the smallest step at which the error stays.
    - `kink`: whether the slopes on the two sides stay different, so that the function has a kink at the point.
    - `exact`: whether the slope was measured by a complex step, which leaves no error of its own.
    """

    best: Sample
    error: float
    widest: float
    narrowest: float
    kink: bool
    exact: bool = False


@dataclass(frozen=True)
class Outcome:
    """What checking a line gives: the finding if the error persists, a bound for the error if the slope is right."""

    status: Status
    finding: Finding | None = None
    bound: float = math.inf


@dataclass(frozen=True)
class Ladder:
    """Samples at falling steps, the errors of the claimed slope at each, and the rounding in each slope."""

    samples: Sequence[Sample]
    errors: Sequence[float]
    noises: Sequence[float]
    typical: float

    def visible(self, k: int) -> bool:
        """Whether the error at step k is more than rounding."""
        return abs(self.errors[k]) > SIGMAS * self.noises[k]


def confirm(samples: Sequence[Sample], claimed: float, typical: float) -> Outcome | None:
    """Return the outcome RIGHT if two samples show that a slope is right, else None.

    The smaller step must agree down to rounding, the larger too or with an error that falls with the step.
    """
    wide, narrow = samples
    wide_error, error = abs(wide.slope - claimed), abs(narrow.slope - claimed)
    if not error <= SIGMAS * narrow.noise() or narrow.noise() > RESOLVED * typical:
        return None
    if wide_error > SIGMAS * wide.noise() and wide_error < 4.0 * error:
        return None
    return Outcome(Status.RIGHT, bound=2.0 * SIGMAS * narrow.noise())


def assess(samples: Sequence[Sample], claimed: float, typical: float) -> Outcome:
    """Return what samples at steps that fall by 4 say about a claimed slope.

    `typical` is the share that one typical entry has in the slope, which must not be hidden by rounding.
    """
    samples = [sample for sample in samples if math.isfinite(sample.slope)]
    if len(samples) < PLATEAU:
        return Outcome(Status.OUTSIDE)
    excess = _rounding_excess(samples)
    noises = [sample.noise(excess) for sample in samples]
    ladder = Ladder(samples, [sample.slope - claimed for sample in samples], noises, typical)
    plateau = _plateau(ladder)
    if plateau is not None and not _vanishes(ladder, plateau[1]):
        outcome = _persistent(ladder, *plateau)
    elif _falls_without_end(ladder):
        outcome = Outcome(Status.RIGHT, bound=2.0 * abs(ladder.errors[-1]))
    else:
        outcome = _by_rounding(ladder, excess)
    if outcome.status is Status.NOISY and (negligible := _negligible(ladder, claimed)) is not None:
        return Outcome(Status.RIGHT, bound=negligible)
    return outcome


def _by_rounding(ladder: Ladder, excess: float) -> Outcome:
    """Decide where no error stays: is there a step at which rounding is small and the error no more than rounding?"""
    samples, noises, typical = ladder.samples, ladder.noises, ladder.typical
    if excess >= SHORT:
        return Outcome(Status.NOISY)
    steps = range(len(samples))
    agreeing = [noises[k] for k in steps if noises[k] <= RESOLVED * typical and not ladder.visible(k)]
    if agreeing:
        return Outcome(Status.RIGHT, bound=2.0 * SIGMAS * min(agreeing))
    if excess >= LOOSE:
        return Outcome(Status.NOISY)
    return Outcome(Status.COARSE if any(ladder.visible(k) for k in steps) else Status.FLAT)


def _rounding_excess(samples: Sequence[Sample]) -> float:
    """Return how many times more rounding there is than the sizes of the values let expect, at least 1.

    Let d(h) = f(h) - f(-h). In 4 d(h / 4) - d(h) the linear terms cancel, and at the smallest steps of the ladder the
    cubic terms are negligible. What remains is rounding, sqrt(17) times that of one difference.
    """
    excesses = []
    for wide, narrow in pairwise(samples[-5:]):
        rest = abs(2.0 * wide.step * wide.slope - 4.0 * (2.0 * narrow.step * narrow.slope))
        expected = max(wide.rounding, narrow.rounding)
        excesses.append(rest / expected if expected > 0.0 else 0.0)
    return max(1.0, 1.5 * statistics.median(excesses) / math.sqrt(17.0))


def _plateau(ladder: Ladder) -> tuple[int, int] | None:
    """Return the first and last of the visible errors in a row, three or more, that agree to a factor of two."""
    errors = ladder.errors
    for last in range(len(errors) - 1, PLATEAU - 2, -1):
        first = last
        while first >= 0 and ladder.visible(first) and 0.5 < errors[first] / errors[last] < 2.0:
            first -= 1
        if last - first >= PLATEAU:
            return first + 1, last
    return None


def _negligible(ladder: Ladder, claimed: float) -> float | None:
    """Return a bound for the slopes, the claimed one too, if they are negligible beside the outputs, else None.

    A bias before a norm changes nothing, and where the norm enlarges rounding its slope looks like noise. So does the
    slope at a minimum where the function is 0: what changes is even, and rounding shrinks slower than its values.
    """
    wide = ladder.samples[:PLATEAU]
    bound = NO_SLOPE * max(sample.size for sample in wide)
    if max(abs(claimed), *(abs(sample.slope) for sample in wide)) <= bound:
        return bound
    near = [sample for sample in ladder.samples if sample.step <= 1.0]
    bound = NO_SLOPE * max((sample.size for sample in near), default=0.0)
    even = [abs(s.slope) <= min(bound, RESOLVED * abs(s.bend)) and s.bend != 0.0 for s in near]
    rests = any(all(even[k : k + PLATEAU]) for k in range(len(even) - PLATEAU + 1))
    return bound if rests and abs(claimed) <= bound else None


def _falls_without_end(ladder: Ladder) -> bool:
    """Whether the error falls with every step in the ladder's lower half, until it is negligible.

    It does so where the second derivative jumps: for x|x| at 0 the error equals the step, and rounding never shows.
    """
    errors = ladder.errors[len(ladder.errors) // 2 :]
    falls = all(0.0 < abs(narrow) <= 0.6 * abs(wide) for wide, narrow in pairwise(errors))
    return falls and abs(errors[-1]) <= max(RESOLVED * ladder.typical, NEGLIGIBLE * abs(ladder.errors[0]))


def _vanishes(ladder: Ladder, last: int) -> bool:
    """Whether the error is gone at smaller steps, where rounding would not hide it: the larger steps passed a kink."""
    half = abs(ladder.errors[last]) / 2.0
    return any(SIGMAS * ladder.noises[k] < half and not ladder.visible(k) for k in range(last + 1, len(ladder.errors)))


def _persistent(ladder: Ladder, first: int, last: int) -> Outcome:
    samples, errors = ladder.samples, ladder.errors
    if _unsettled(ladder, last):
        return Outcome(Status.NOISY)
    settled = _last_settled(errors, first, abs(errors[last]) / 2.0)
    if settled is not None:
        amplitude = max(2.0 * samples[k].step * abs(errors[k]) for k in range(settled + 1, first + 1))
        near = (sample.size for sample in samples if sample.step <= 1.0)  # beyond, values may grow without limit
        size = max(near, default=0.0)
        if amplitude <= ROUGH * size:
            return _roughness(ladder, settled, amplitude, size)
    middle = (first + last) // 2
    kink = _bends(ladder, last, last) or (middle > first + 1 and _bends(ladder, middle, last))
    finding = Finding(samples[middle], errors[middle], samples[first].step, samples[last].step, kink)
    return Outcome(Status.PERSISTS, finding)


def _bends(ladder: Ladder, k: int, last: int) -> bool:
    """Whether the slopes of the two sides differ at step k, as at steps above it, and do not agree at those below."""
    narrow, wide = abs(ladder.samples[k].bend), abs(ladder.samples[k - PLATEAU + 1].bend)
    stays = wide / 4.0 < narrow < 4.0 * wide  # wide / 16 if it is smooth, 16 wide if it is rounding
    below = range(k, last + 1)
    gone = any(abs(ladder.samples[i].bend) + SIGMAS * ladder.noises[i] < narrow / 2.0 for i in below)
    return narrow > SIGMAS * ladder.noises[k] and stays and not gone


def _last_settled(errors: Sequence[float], first: int, half: float) -> int | None:
    """Return the second of the last two steps above a plateau whose errors are both below `half`, None without such."""
    settled = [k for k in range(1, first) if abs(errors[k]) < half and abs(errors[k - 1]) < half]
    return settled[-1] if settled else None


def _unsettled(ladder: Ladder, last: int) -> bool:
    """Whether the measured slope still changes with the step, and by as much as it differs from the claimed one."""
    before, after = ladder.samples[last - 1], ladder.samples[last]
    noise = EPS * (before.size / before.step + after.size / after.step)
    change = abs(after.slope - before.slope)
    largest = max(abs(after.slope), abs(before.slope), abs(ladder.errors[last]))
    return change > SIGMAS * noise + largest / 2.0


def _roughness(ladder: Ladder, settled: int, amplitude: float, size: float) -> Outcome:
    """Decide by the larger steps, because at the smaller ones the values stand still or jump.

    They do so in a function that rounds to float32 inside, or that subtracts nearly equal numbers. `amplitude` is by
    how much its values are off.
    """
    if amplitude >= SHORT * EPS * size:
        return Outcome(Status.NOISY)
    for k in range(settled + 1):
        noise = amplitude / (2.0 * ladder.samples[k].step)
        if noise <= RESOLVED * ladder.typical and abs(ladder.errors[k]) <= SIGMAS * noise:
            return Outcome(Status.RIGHT, bound=2.0 * SIGMAS * noise)
    return Outcome(Status.FLAT if amplitude <= LOOSE * EPS * size else Status.NOISY)
