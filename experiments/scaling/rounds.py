"""All measurements, in rounds: each counts by its fastest round, as other programs only make it slower."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

import functional_nn as fnn
from experiments.scaling.measure import beside_seconds, chunk_seconds, steps_of_epoch, whole_step
from experiments.scaling.model import Exchange, fitted
from experiments.scaling.subjects import GRADIENTS, SUBJECTS, Point, idle_point, size_of
from experiments.scaling.under_mpi import on_mpi

ROUNDS = 3
IDLE = [idle_point(shapes, chunks) for shapes in GRADIENTS for chunks in (2, 4)]


class Parts(NamedTuple):
    """Seconds of a network: of a chunk's passes, alone and beside another process, beside them, and once a step."""

    alone: float
    beside: float
    of_chunk: float
    of_step: float


class Measured(NamedTuple):
    """What was measured, in seconds.

    - `parts`: of each network;
    - `steps`: whole ones by (network, chunks, transport, ranks); the transport of one rank is "alone";
    - `exchanges`: by transport, one for each of `GRADIENTS`.
    """

    parts: dict[str, Parts]
    steps: dict[tuple[str, int, str, int], float]
    exchanges: dict[str, list[float]]

    def exchange(self, transport: str) -> Exchange:
        """Return the exchange that comes nearest to the measured ones."""
        sizes, arrays = [size_of(shapes) for shapes in GRADIENTS], [len(shapes) for shapes in GRADIENTS]
        return fitted(sizes, arrays, self.exchanges[transport])


def measure(ranks: list[int], *, mpi: bool, progress: Callable[[str], None]) -> Measured:
    """Measure on these numbers of ranks, on processes and, if so asked, under MPI."""
    parts: dict[str, Parts] = {}
    steps: dict[tuple[Point, str, int], float] = {}
    whole: list[Point] = []
    with ExitStack() as stack:
        comms = {size: stack.enter_context(fnn.processes(size)) for size in ranks if size > 1}
        for round_ in range(1, ROUNDS + 1):
            for subject in SUBJECTS:
                progress(f"round {round_} of {ROUNDS}: parts of {subject.network}")
                found = (chunk_seconds(subject.network, subject.chunk, comm) for comm in (None, comms[2]))
                now = Parts(*found, *beside_seconds(subject.network, subject.chunk))
                parts[subject.network] = Parts(*map(min, now, parts.get(subject.network, now)))
            whole = whole or _points(parts)
            for size in ranks:
                progress(f"round {round_} of {ROUNDS}: {size} rank{'s'[: size - 1]}")
                points = whole + (IDLE if size <= 2 else [])
                for transport, run in _runs(size, comms.get(size), mpi=mpi).items():
                    for point, taken in zip(points, run(points), strict=True):
                        steps[point, transport, size] = min(taken, steps.get((point, transport, size), taken))
    of_networks = {(point.network, point.chunks, *where): s for (point, *where), s in steps.items() if not point.shapes}
    return Measured(parts, of_networks, _exchanges(steps))


def exchange_seconds(two_ranks: float, one_rank: float, of_four: float) -> float:
    """Return the seconds of an exchange from idle steps: of two chunks on two ranks and on one, and of four on one.

    The steps on one rank differ by two chunks and their additions; two ranks are spared one of each.
    """
    return two_ranks - one_rank + (of_four - one_rank) / 2.0


def _points(parts: Mapping[str, Parts]) -> list[Point]:
    return [
        Point(subject.network, subject.chunk, chunks, steps_of_epoch(parts[subject.network].alone, chunks))
        for subject in SUBJECTS
        for chunks in subject.measured
    ]


def _runs(size: int, comm: Any, *, mpi: bool) -> dict[str, Callable[[list[Point]], list[float]]]:
    """Return by transport what measures points on so many ranks."""
    if size == 1:
        return {"alone": lambda points: [whole_step(point) for point in points]}
    runs = {"processes": lambda points: [whole_step(point, comm) for point in points]}
    return runs | ({"MPI": lambda points: on_mpi(size, points)} if mpi else {})


def _exchanges(steps: Mapping[tuple[Point, str, int], float]) -> dict[str, list[float]]:
    """Return by transport the seconds of an exchange of each of `GRADIENTS` between two ranks."""
    return {
        transport: [
            exchange_seconds(steps[two, transport, 2], steps[two, "alone", 1], steps[four, "alone", 1])
            for two, four in zip(IDLE[::2], IDLE[1::2], strict=True)
        ]
        for transport in dict.fromkeys(transport for _, transport, size in steps if size == 2)
    }
