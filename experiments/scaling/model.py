"""What a training step costs on several ranks: arithmetic alone, no measurement.

    t(P) = chunks a rank x chunk + arrays x packing + log2(P) x (latency + bytes / bandwidth + additions) + rest

The exchange is recursive doubling, whose cost is log2(P) (a + n b + n c) for n bytes: latency a, transfer b and
addition c a byte (Thakur, Rabenseifner and Gropp, Optimization of Collective Communication Operations in MPICH, 2005).
A batch of one chunk is computed by every rank, without an exchange.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

HALF = 0.5  # the efficiency below which adding ranks is said not to pay
MOST_RANKS = 64


@dataclass(frozen=True)
class Link:
    """A wire between two machines: seconds until the first byte, and bytes a second."""

    latency: float
    bandwidth: float


@dataclass(frozen=True)
class Exchange:
    """The seconds in which two ranks exchange and add up sums: fixed ones, and some for each byte.

    `packing` are the seconds for each array of a gradient that is packed into a message and out of it, once a step.
    """

    fixed: float
    a_byte: float
    packing: float = 0.0

    def seconds(self, size: int) -> float:
        """Return the seconds for a gradient of so many bytes."""
        return self.fixed + size * self.a_byte

    def over(self, link: Link) -> Exchange:
        """Return the exchange of ranks on two machines, between which every byte passes the link."""
        return Exchange(self.fixed + link.latency, self.a_byte + 1.0 / link.bandwidth, self.packing)


@dataclass(frozen=True)
class Step:
    """A network's training step: the seconds of a chunk and of the rest, and its gradient's bytes and arrays."""

    chunk: float
    rest: float
    size: int
    arrays: int


class Limits(NamedTuple):
    """Up to how many ranks the efficiency is at least one half, and which number of ranks is the fastest."""

    paying: int
    fastest: int


def chunks_of_a_rank(chunks: int, ranks: int) -> int:
    """Return how many of a batch's chunks the busiest rank takes: a power of two, or all where there are fewer."""
    return min(chunks, 1 << math.ceil(math.log2(max(1.0, chunks / ranks))))


def step_seconds(step: Step, exchange: Exchange, chunks: int, ranks: int) -> float:
    """Return the seconds of a step on a batch of so many chunks; each rank has a core of its own."""
    own = chunks_of_a_rank(chunks, ranks) * step.chunk + step.rest
    if chunks == 1 or ranks == 1:
        return own
    return own + step.arrays * exchange.packing + math.log2(ranks) * exchange.seconds(step.size)


def crowded(seconds: float, ranks: int, cores: int) -> float:
    """Return the seconds where the ranks share the cores of one machine, which may be fewer."""
    return seconds * max(1.0, ranks / cores)


def speedup(step: Step, exchange: Exchange, chunks: int, ranks: int) -> float:
    """Return how many times faster so many ranks are than one."""
    return step_seconds(step, exchange, chunks, 1) / step_seconds(step, exchange, chunks, ranks)


def limits(step: Step, exchange: Exchange, chunks: int, most: int = MOST_RANKS) -> Limits:
    """Return where adding ranks stops paying, among the powers of two up to `most`."""
    speedups = {ranks: speedup(step, exchange, chunks, ranks) for ranks in powers_of_two(most)}
    paying = 1
    for ranks, times in speedups.items():
        if times < HALF * ranks:
            break
        paying = ranks
    return Limits(paying, max(speedups, key=lambda ranks: speedups[ranks]))


def powers_of_two(most: int) -> list[int]:
    """Return 1, 2, 4 ... up to `most`."""
    return [1 << i for i in range(most.bit_length()) if 1 << i <= most]


def fitted(sizes: Sequence[int], arrays: Sequence[int], seconds: Sequence[float]) -> Exchange:
    """Return the exchange that comes nearest to measured ones: of gradients of these bytes and numbers of arrays.

    It has the least sum of squares of relative errors, and no negative costs. Raises `ValueError` where the points do
    not determine it.
    """
    columns = np.stack([np.ones(len(sizes)), np.array(sizes, float), np.array(arrays, float)], axis=1)
    scale = columns.max(axis=0)
    relative = columns / scale / np.array(seconds)[:, None]
    if np.linalg.matrix_rank(relative) < len(scale):
        raise ValueError(f"{len(sizes)} exchanges do not tell what bytes and what arrays cost: measure other sizes")
    costs, _ = nnls(relative, np.ones(len(sizes)))
    return Exchange(*(costs / scale).tolist())
