"""The tables of a run: parts, exchanges, whole steps beside the model, and where adding ranks stops paying."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from experiments.scaling.model import Exchange, Link, Step, crowded, limits, speedup, step_seconds
from experiments.scaling.rounds import Measured
from experiments.scaling.subjects import GRADIENTS, SUBJECTS, shapes_of, size_of


class Whole(NamedTuple):
    """A measured whole step beside the model's: seconds, and by what share the model is too high."""

    network: str
    batch: int
    transport: str
    ranks: int
    measured: float
    predicted: float
    error: float
    speedup: float


class Curve(NamedTuple):
    """A network and batch on more and more ranks over a link: how many times faster, and its limits."""

    network: str
    batch: int
    link: str
    seconds: float
    speedups: dict[int, float]
    paying: int
    fastest: int


def step_of(measured: Measured, network: str, *, beside: bool) -> Step:
    """Return a network's step, where other ranks of this machine compute beside it or not."""
    parts, shapes = measured.parts[network], shapes_of(network)
    passes = parts.beside if beside else parts.alone
    return Step(passes + parts.of_chunk, parts.of_step, size_of(shapes), len(shapes))


def whole_steps(measured: Measured, cores: int) -> Iterator[Whole]:
    """Yield every measured whole step beside the model's for ranks that share the cores of this machine."""
    chunk = {subject.network: subject.chunk for subject in SUBJECTS}
    for (network, chunks, transport, ranks), seconds in measured.steps.items():
        step = step_of(measured, network, beside=ranks > 1)
        exchange = Exchange(0.0, 0.0) if ranks == 1 else measured.exchange(transport)
        predicted = crowded(step_seconds(step, exchange, chunks, ranks), ranks, cores)
        times = measured.steps[network, chunks, "alone", 1] / seconds
        batch = chunk[network] * chunks
        yield Whole(network, batch, transport, ranks, seconds, predicted, predicted / seconds - 1.0, times)


def curves(measured: Measured, link: Link, ranks: Sequence[int]) -> Iterator[Curve]:
    """Yield each network and batch, on machines with the link between them and on one machine of enough cores.

    The work of an exchange on each side is that of MPI where it was measured.
    """
    here = measured.exchange("MPI" if "MPI" in measured.exchanges else "processes")
    for name, exchange in (("network", here.over(link)), ("memory", here)):
        for subject in SUBJECTS:
            step = step_of(measured, subject.network, beside=False)
            for chunks in subject.curves:
                speedups = {count: speedup(step, exchange, chunks, count) for count in ranks}
                alone = step_seconds(step, exchange, chunks, 1)
                ends = limits(step, exchange, chunks, ranks[-1])
                yield Curve(subject.network, subject.chunk * chunks, name, alone, speedups, *ends)


def of_parts(measured: Measured) -> str:
    """Return the table of the networks' parts, in ms, and their gradients."""
    lines = [["network", "chunk", "alone", "beside another", "+ reading, adding", "a step's own", "bytes", "arrays"]]
    for subject in SUBJECTS:
        shapes, ms = shapes_of(subject.network), [f"{1e3 * s:.3f}" for s in measured.parts[subject.network]]
        lines.append([subject.network, str(subject.chunk), *ms, f"{size_of(shapes):,}", str(len(shapes))])
    return _aligned(lines)


def of_exchanges(measured: Measured) -> str:
    """Return the table of exchanges between two ranks, in us, measured and as they are fitted."""
    fits = {transport: measured.exchange(transport) for transport in measured.exchanges}
    lines = [["bytes", "arrays", *(head for transport in fits for head in (transport, "fitted"))]]
    for i, shapes in enumerate(GRADIENTS):
        size, cells = size_of(shapes), []
        for transport, fit in fits.items():
            packed = fit.seconds(size) + len(shapes) * fit.packing
            cells += [f"{1e6 * measured.exchanges[transport][i]:.0f}", f"{1e6 * packed:.0f}"]
        lines.append([f"{size:,}", str(len(shapes)), *cells])
    texts = [
        f"{transport}: {1e6 * fit.fixed:.0f} us + bytes / {1e-9 / fit.a_byte:.2f} GB/s, "
        f"and {1e6 * fit.packing:.1f} us an array once a step"
        for transport, fit in fits.items()
    ]
    return "\n".join([_aligned(lines), *texts])


def of_steps(rows: Sequence[Whole]) -> str:
    """Return the table of whole steps, in ms, beside the model's."""
    lines = [["network", "batch", "ranks", "on", "measured", "model", "error", "times faster"]]
    lines += [
        [r.network, str(r.batch), str(r.ranks), r.transport, f"{1e3 * r.measured:.2f}", f"{1e3 * r.predicted:.2f}",
         f"{r.error:+.0%}", f"{r.speedup:.2f}"]
        for r in rows
    ]  # fmt: skip
    return _aligned(lines)


def of_curves(found: Sequence[Curve]) -> str:
    """Return the table of the curves' limits."""
    lines = [["between ranks", "network", "batch", "ms on 1", "pays up to", "fastest", "times faster"]]
    lines += [
        [c.link, c.network, str(c.batch), f"{1e3 * c.seconds:.1f}", str(c.paying), str(c.fastest),
         f"{c.speedups[c.fastest]:.1f}"]
        for c in found
    ]  # fmt: skip
    return _aligned(lines)


def _aligned(lines: Sequence[Sequence[Any]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
