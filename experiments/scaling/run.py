"""The run of `experiments.scaling`: it measures, compares with the model, predicts, and writes the results."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from experiments.running.machine import environment, processor
from experiments.scaling import tables
from experiments.scaling.model import MOST_RANKS, Link, powers_of_two
from experiments.scaling.picture import scaling_picture
from experiments.scaling.rounds import Measured, measure
from experiments.scaling.subjects import GRADIENTS, size_of
from experiments.showing.files import write_json, write_whole
from functional_nn.training import available_cores


def scaling(ranks: list[int], link: Link, out: Path, *, mpi: bool) -> None:
    """Measure on these ranks of this machine, and predict for ranks on machines with this link between them."""
    cores = available_cores()
    print(f"{cores} cores, {processor()}; a rank computes on one thread, and more ranks than cores share them")
    measured = measure(ranks, mpi=mpi, progress=partial(print, flush=True))
    steps = list(tables.whole_steps(measured, cores))
    curves = list(tables.curves(measured, link, powers_of_two(MOST_RANKS)))
    network = f"{1e6 * link.latency:g} us and {8e-9 * link.bandwidth:g} Gbit/s"
    for title, table in (
        ("A chunk and a step's own work, in ms", tables.of_parts(measured)),
        ("An exchange between two ranks, in us", tables.of_exchanges(measured)),
        ("Whole steps, in ms", tables.of_steps(steps)),
        (f"By the model, over a network of {network}, or in one machine's memory", tables.of_curves(curves)),
    ):
        print(f"\n{title}\n{table}")
    write_json(out / "results.json", _results(measured, link) | {"steps": _rows(steps), "curves": _rows(curves)})
    write_whole(out / "scaling.svg", scaling_picture(curves, steps, cores))
    print(f"\nwritten: results.json and scaling.svg, in {out}")


def _results(measured: Measured, link: Link) -> dict[str, Any]:
    gradients = [{"bytes": size_of(shapes), "arrays": len(shapes)} for shapes in GRADIENTS]
    return {
        **environment(),
        "processor": processor(),
        "link": asdict(link),
        "parts": {network: parts._asdict() for network, parts in measured.parts.items()},
        "gradients": gradients,
        "exchanges": {
            transport: {"seconds": seconds, "fitted": asdict(measured.exchange(transport))}
            for transport, seconds in measured.exchanges.items()
        },
    }


def _rows(rows: list[Any]) -> list[dict[str, Any]]:
    return [row._asdict() for row in rows]
