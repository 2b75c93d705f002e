"""The benchmark's picture: our time divided by each peer's, a bar for each work and peer, and marks for processes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from experiments.running.machine import processor

NETWORKS = {"lenet5": "LeNet-5", "improved": "improved LeNet-5", "perceptron": "perceptron"}
MODES = {"train": "training step", "infer": "inference"}
PEERS = {"torch": ("PyTorch", "#4477aa"), "torch.compile": ("torch.compile", "#88bbdd"), "jax": ("JAX, jit", "#cc9933")}
PROCESSES = "processes beside"
MARK = {"marker": "D", "markersize": 5, "color": "#222222", "markeredgecolor": "white", "linestyle": "none"}
TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
BAR = 0.8  # of the room for a batch, shared by the peers
SIZE = (5.0, 9.0)  # inches: narrow, as letters shrink with the picture on a phone
PLAIN = {"svg.fonttype": "none", "svg.hashsalt": "ratios", "font.family": "sans-serif", "font.size": 9}


def ratios_picture(comparisons: list[dict[str, Any]]) -> bytes | None:
    """Return an SVG file: for training and inference a panel, a bar for each network, batch and peer.

    Bars, of threads, start at 1 and lie on a logarithmic axis, so that twice as fast is as long as twice as slow. A
    mark on PyTorch's bar is where processes stand. None where none of the peers was measured.
    """
    rows = [row for row in comparisons if row["peer"] in PEERS and row["network"] in NETWORKS and row["mode"] in MODES]
    if not rows:
        return None
    heights = {mode: dict(_heights([row for row in rows if row["mode"] == mode])) for mode in MODES}
    shown = [mode for mode in MODES if heights[mode]]
    with rc_context(PLAIN):
        figure = Figure(figsize=SIZE, layout="constrained", facecolor="white")
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, mode in zip(panels, shown, strict=True):
            _panel(axes, [row for row in rows if row["mode"] == mode], heights[mode], MODES[mode])
        figure.suptitle(f"our time / theirs, {processor()}\nleft of 1, functional_nn is faster", fontsize=9)
        handles, labels = panels[0].get_legend_handles_labels()
        order = sorted(range(len(labels)), key=lambda i: labels[i].startswith(PROCESSES))  # bars first
        figure.legend([handles[i] for i in order], [labels[i] for i in order], loc="outside lower center", ncols=2)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _panel(axes: Axes, rows: list[dict[str, Any]], heights: dict[tuple[str, int], float], title: str) -> None:
    threads = [row for row in rows if row["contestant"] == "threads"]
    peers = [peer for peer in PEERS if any(row["peer"] == peer for row in rows)]
    for i, peer in enumerate(peers):
        mine = [row for row in threads if row["peer"] == peer]
        below = BAR * ((i + 0.5) / len(peers) - 0.5)
        name, colour = PEERS[peer]
        at = [heights[row["network"], row["batch"]] + below for row in mine]
        axes.barh(at, [row["ratio"] - 1.0 for row in mine], BAR / len(peers), left=1.0, color=colour, label=name)
        marked = [row for row in rows if row["contestant"] == "processes" and row["peer"] == peer]
        if marked:
            at = [heights[row["network"], row["batch"]] + below for row in marked]
            axes.plot([row["ratio"] for row in marked], at, label=f"{PROCESSES} {name}", **MARK)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_title(title, fontsize=10)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g}"))
    axes.tick_params(axis="x", labelbottom=True)
    axes.set_yticks(list(heights.values()), [f"{NETWORKS[network]}, {batch}" for network, batch in heights])
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(y=0.02)
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)


def _heights(rows: list[dict[str, Any]]) -> Iterator[tuple[tuple[str, int], float]]:
    """Yield each network and batch with its height: a step a batch, half a step more between networks."""
    height, before = 0.0, None
    for network, batch in dict.fromkeys((row["network"], row["batch"]) for row in rows):
        height += 1.0 if before in (None, network) else 1.5
        before = network
        yield (network, batch), height
