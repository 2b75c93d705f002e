"""The picture of `experiments.scaling`: how many times faster a step is on more machines."""

from __future__ import annotations

import io
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.scaling.model import Link, powers_of_two

NAMES = {"lenet5": "LeNet-5", "small_resnet": "small residual network", "wide": "wide network"}
COLOURS = ("#0072b2", "#c65300", "#007a5a")
LINES = ("--", "-")  # of the smaller batch and of the larger
SIZE = (5.0, 4.6)  # inches: narrow, as letters shrink with the picture on a phone
PLAIN = {"svg.fonttype": "none", "svg.hashsalt": "scaling", "font.family": "sans-serif", "font.size": 9}


def curves_picture(rows: list[dict[str, Any]], link: Link) -> bytes:
    """Return an SVG file: a curve of speedup over ranks for each network and batch, and the line of perfect speedup."""
    colours = dict(zip(dict.fromkeys(row["network"] for row in rows), COLOURS, strict=False))
    batches = sorted({row["batch"] for row in rows})
    with rc_context(PLAIN):
        figure = Figure(figsize=SIZE, layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        ranks = powers_of_two(max(max(row["speedups"]) for row in rows))
        axes.plot(ranks, ranks, color="#999999", linewidth=0.8, label="each rank counts in full")
        for row in rows:
            style = LINES[batches.index(row["batch"]) % len(LINES)]
            label = f"{NAMES.get(row['network'], row['network'])}, batch {row['batch']}"
            times = list(row["speedups"].values())
            axes.plot(
                list(row["speedups"]),
                times,
                style,
                color=colours[row["network"]],
                marker="o",
                markersize=3,
                label=label,
            )
        for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
            scale("log")
            axis.set_major_locator(FixedLocator(ranks))
            axis.set_minor_locator(NullLocator())
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_xlabel("machines, one rank of one thread each")
        axes.set_ylabel("times faster than one")
        wire = f"{1e6 * link.latency:.0f} us, {8e-9 * link.bandwidth:g} Gbit/s"
        axes.set_title(f"predicted, for a network of {wire}", fontsize=9)
        axes.grid(alpha=0.3)
        figure.legend(loc="outside lower center", ncols=2, fontsize=8)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()
