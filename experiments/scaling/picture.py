"""The curves: how many times faster more ranks are, for each network and batch, and what was measured."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.scaling.model import HALF
from experiments.scaling.subjects import SUBJECTS
from experiments.scaling.tables import Curve, Whole

COLOURS = ("#0072b2", "#c65300", "#007a5a")  # of Okabe and Ito, darker: a batch each
LINES = {"network": ("-", "over the network"), "memory": (":", "on one machine with a core for each")}
MARKS = {"processes": ("o", "measured, processes"), "MPI": ("s", "measured, MPI")}
SIZE = (5.0, 10.5)  # inches: narrow, as letters shrink with the picture on a phone
PLAIN = {"svg.fonttype": "none", "svg.hashsalt": "scaling", "font.family": "sans-serif", "font.size": 9}


def scaling_picture(curves: Sequence[Curve], steps: Sequence[Whole], cores: int) -> bytes:
    """Return an SVG file: a panel for each network, a colour for each batch, and marks for what was measured.

    Measured are ranks that have a core each; both axes are logarithmic.
    """
    with rc_context(PLAIN):
        figure = Figure(figsize=SIZE, layout="constrained", facecolor="white")
        panels = figure.subplots(len(SUBJECTS), 1, sharex=True, squeeze=False)[:, 0]
        for axes, subject in zip(panels, SUBJECTS, strict=True):
            mine = [curve for curve in curves if curve.network == subject.network]
            marks = [step for step in steps if step.network == subject.network and 1 < step.ranks <= cores]
            _panel(axes, mine, marks)
            axes.set_title(subject.title, fontsize=10)
        panels[-1].set_xlabel("ranks")
        handles, labels = _styles(panels[0])
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _panel(axes: Axes, curves: Sequence[Curve], steps: Sequence[Whole]) -> None:
    ranks = list(curves[0].speedups)
    axes.plot(ranks, ranks, color="#999999", linewidth=0.8)
    axes.plot(ranks, [HALF * count for count in ranks], color="#999999", linewidth=0.8, linestyle="--")
    for curve in curves:
        batches = sorted({curve.batch for curve in curves})
        colour, (line, _) = COLOURS[batches.index(curve.batch)], LINES[curve.link]
        label = f"batch {curve.batch}" if curve.link == "network" else None
        axes.plot(ranks, list(curve.speedups.values()), line, color=colour, linewidth=1.4, label=label)
        for step in steps:
            if step.batch == curve.batch and curve.link == "network":
                marker = MARKS[step.transport][0]
                axes.plot(step.ranks, step.speedup, marker, color=colour, markersize=5, markerfacecolor="none")
    for axis, name in ((axes.xaxis, "x"), (axes.yaxis, "y")):
        getattr(axes, f"set_{name}scale")("log", base=2)
        axis.set_major_locator(FixedLocator(ranks))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(0.7, 1.3 * ranks[-1])
    axes.set_ylabel("times faster than one rank")
    axes.tick_params(labelbottom=True)
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=8)


def _styles(axes: Axes) -> tuple[list[object], list[str]]:
    """Return handles and labels of what all panels share."""
    shared = [("-", "#999999", "each rank counts in full"), ("--", "#999999", "each counts by half")]
    shared += [(line, "#222222", label) for line, label in LINES.values()]
    shared += [(marker, "#222222", label) for marker, label in MARKS.values()]
    handles = [axes.plot([], [], style, color=colour, markerfacecolor="none")[0] for style, colour, _ in shared]
    return handles, [label for _, _, label in shared]
