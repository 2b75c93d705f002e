"""The report's own curves behind those of `functional_nn.plots` (the report's figures 4 to 9)."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure

from functional_nn import plots


def panel(summary: dict[str, Any], what: str, recorded: dict[str, list[float]] | None = None) -> Figure:
    """Return a figure of one row's "loss" or "accuracy", with the report's own curves, `recorded`, as dashed lines."""
    figure = Figure(figsize=(4.6, 3.3), layout="constrained")
    axes = plots.learning_curves([record["history"] for record in summary["seeds"]], what, ax=figure.subplots())
    lines = dict(zip(("train", "val"), axes.get_legend().get_lines(), strict=False))  # validation may be missing
    for part, line in lines.items():
        theirs = (recorded or {}).get(f"{part}_{what}")
        if theirs:
            label = f"the report, {line.get_label()}"
            axes.plot(range(1, 1 + len(theirs)), theirs, "--", color=line.get_color(), label=label, zorder=1)
    axes.set_title(f"{summary['model']}: {what}", fontsize=10)
    axes.grid(alpha=0.6)
    axes.legend(fontsize=8)
    return figure
