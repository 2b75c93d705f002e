"""The benchmark's picture: our time over each peer's, one dot a work."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw_ratios(rows: list[dict[str, Any]], file: Path) -> None:
    """Draw the ratios of all rows on a logarithmic axis, grouped by work, and write the picture to `file`."""
    from matplotlib.figure import Figure

    rows = [row for row in rows if "algorithm" not in row["peer"]]
    works = list(dict.fromkeys((row["network"], row["mode"], row["batch"]) for row in rows))
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(works)), layout="constrained")
    axes = figure.subplots()
    for peer in dict.fromkeys(row["peer"] for row in rows):
        mine = [row for row in rows if row["peer"] == peer]
        heights = [works.index((row["network"], row["mode"], row["batch"])) for row in mine]
        axes.scatter([row["ratio"] for row in mine], heights, label=peer, s=36)
    axes.axvline(1.0, color="grey", linewidth=1)
    axes.set_xscale("log")
    ticks = [0.05, 0.1, 0.2, 0.5, 1, 2]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(works)), [f"{network} {mode}, batch {batch}" for network, mode, batch in works])
    axes.invert_yaxis()
    axes.set_xlabel("our time / theirs (left of the line: functional_nn is faster)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(file, dpi=110)
