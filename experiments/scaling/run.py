"""The run of `experiments.scaling`: it measures, compares with the cost model, predicts, and writes the results."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import functional_nn as fnn
from experiments.running.machine import processor
from experiments.scaling import measure
from experiments.scaling.curves import curves_picture
from experiments.scaling.measure import NETWORKS, Point
from experiments.scaling.model import (
    Exchange,
    Link,
    Step,
    crowded,
    fitted,
    limits,
    powers_of_two,
    speedup,
    step_seconds,
)
from experiments.scaling.under_mpi import mpiexec, on_mpi
from experiments.showing.files import write_json, write_whole
from functional_nn.training import available_cores

CHUNK = 16  # examples
CHUNKS = 4  # of a batch that is measured
PREDICTED_CHUNKS = (8, 64)  # of batches for which more machines are predicted
SHAPES = (((1_000,),), ((100_000,),), ((1_000_000,),), ((100,),) * 20)  # of gradients whose exchange is measured
RANKS = (1, 2, 4)
Row = dict[str, Any]


def scaling(link: Link, out: Path) -> None:
    """Measure and predict; print tables, and write results.json and curves.svg."""
    cores = available_cores()
    print(f"{cores} cores, {processor()}; chunks of {CHUNK}, {CHUNKS} a batch")
    steps = {network: _step(network) for network in NETWORKS}
    with fnn.processes(2) as comm:
        exchanges = {"processes": _exchange(lambda points: [measure.whole_step(point, comm) for point in points])}
    if mpiexec() and importlib.util.find_spec("mpi4py"):
        exchanges["MPI"] = _exchange(partial(on_mpi, 2))
    else:
        print("MPI is left out: pip install mpi4py mpich")
    rows = [row for name, exchange in exchanges.items() for row in _compared(name, exchange, steps, cores)]
    wire = exchanges["processes"].over(link)
    predicted = [
        _predicted(network, step, wire, chunks) for network, step in steps.items() for chunks in PREDICTED_CHUNKS
    ]
    results = {
        "machine": f"{cores} cores, {processor()}",
        "link": asdict(link),
        "steps": {network: asdict(step) for network, step in steps.items()},
        "exchanges": {name: asdict(exchange) for name, exchange in exchanges.items()},
        "measured": rows,
        "predicted": predicted,
    }
    write_json(out / "results.json", results)
    write_whole(out / "curves.svg", curves_picture(predicted, link))
    print(f"written: {out}/results.json and curves.svg")


def _step(network: str) -> Step:
    shapes = measure.shapes_of(network)
    of_chunk, of_step = measure.own_seconds(network, CHUNK)
    step = Step(measure.chunk_seconds(network, CHUNK) + of_chunk, of_step, measure.size_of(shapes), len(shapes))
    print(
        f"{network:<13}{1e3 * step.chunk:8.2f} ms a chunk, {1e3 * step.rest:.2f} ms of a step beside, "
        f"{step.size / 1e3:,.0f} kB of gradients in {step.arrays} arrays",
        flush=True,
    )
    return step


def _exchange(take: Any) -> Exchange:
    """Return what an exchange between two ranks costs; `take(points)` returns the seconds of their steps on two."""
    shapes = [*SHAPES, *(measure.shapes_of(network) for network in NETWORKS)]
    points = [measure.idle_points(these) for these in shapes]
    on_two = take([two for two, _, _ in points])
    seconds = []
    for (_, one, four), two in zip(points, on_two, strict=True):
        seconds.append(measure.exchange_seconds(two, measure.whole_step(one), measure.whole_step(four)))
    sizes = [measure.size_of(these) for these in shapes]
    for size, these, taken in zip(sizes, shapes, seconds, strict=True):
        print(f"  {size / 1e3:8,.0f} kB in {len(these):2} arrays: {1e6 * taken:6.0f} us an exchange", flush=True)
    return fitted(sizes, [len(these) for these in shapes], [max(taken, 1e-6) for taken in seconds])


def _compared(name: str, exchange: Exchange, steps: dict[str, Step], cores: int) -> list[Row]:
    """Return measured and predicted seconds of whole steps on 1, 2 and 4 ranks."""
    points = [
        Point(network, CHUNK, CHUNKS, measure.steps_of_epoch(step.chunk, CHUNKS)) for network, step in steps.items()
    ]
    rows = []
    for ranks in RANKS:
        for (network, step), seconds in zip(steps.items(), _steps_on(name, ranks, points), strict=True):
            predicted = crowded(step_seconds(step, exchange, CHUNKS, ranks), ranks, cores)
            row = {"transport": name, "network": network, "ranks": ranks, "seconds": seconds, "predicted": predicted}
            print(
                f"{name:<10}{network:<13}{ranks} ranks: {1e3 * seconds:7.2f} ms a step, "
                f"predicted {1e3 * predicted:7.2f} ({predicted / seconds - 1:+.0%})",
                flush=True,
            )
            rows.append(row)
    return rows


def _steps_on(name: str, ranks: int, points: Sequence[Point]) -> list[float]:
    if name == "MPI":
        return on_mpi(ranks, points)
    with fnn.processes(ranks) as comm:
        return [measure.whole_step(point, comm) for point in points]


def _predicted(network: str, step: Step, exchange: Exchange, chunks: int) -> Row:
    speedups = {ranks: speedup(step, exchange, chunks, ranks) for ranks in powers_of_two(64)}
    paying, fastest = limits(step, exchange, chunks)
    shown = "  ".join(f"{ranks}: {times:.1f}" for ranks, times in speedups.items())
    batch = chunks * CHUNK
    print(f"{network:<13}batch {batch:>5}, speedup on ranks {shown}; half efficient up to {paying}, fastest {fastest}")
    return {"network": network, "batch": batch, "speedups": speedups, "paying": paying, "fastest": fastest}
