"""The benchmark's picture: our time divided by each peer's, a dot for each work and peer."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure


def ratios_picture(comparisons: list[dict[str, Any]]) -> bytes | None:
    """Return a PNG file with the ratios on a logarithmic axis, grouped by work; None where no peer was measured."""
    rows = [row for row in comparisons if "algorithm" not in row["peer"]]
    if not rows:
        return None
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
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110)
    return stream.getvalue()
