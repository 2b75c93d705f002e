"""Pictures of training: loss and accuracy over the epochs (the report's figures 4 to 9)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

TRAINING, VALIDATION = "tab:blue", "tab:orange"


def panel(summary: dict[str, Any], what: str, recorded: dict[str, list[float]] | None = None) -> Figure:
    """Return a figure of one row's "loss" or "accuracy", with the report's own curves, `recorded`, as dashed lines."""
    figure = Figure(figsize=(4.6, 3.3), layout="constrained")
    axes = figure.subplots()
    histories = [record["history"] for record in summary["seeds"]]
    for part, key, colour, label in (
        ("train", what, TRAINING, "training"),
        ("val", f"val_{what}", VALIDATION, "validation"),
    ):
        theirs = (recorded or {}).get(f"{part}_{what}")
        if theirs:
            epochs = np.arange(1, len(theirs) + 1)
            axes.plot(epochs, theirs, "--", color=colour, alpha=0.8, label=f"the report, {label}", zorder=1)
        _draw_seeds(axes, np.array([[entry[key] for entry in history] for history in histories], float), colour, label)
    axes.set_title(summary["title"], fontsize=10)
    axes.set(xlabel="epoch", ylabel=what)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def _draw_seeds(axes: Axes, values: np.ndarray, colour: str, label: str) -> None:
    """Draw the mean of values (seeds, epochs) and the band that the seeds span."""
    epochs = np.arange(1, values.shape[1] + 1)
    axes.plot(epochs, values.mean(axis=0), color=colour, marker="o" if len(epochs) == 1 else "", label=label)
    axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.2, linewidth=0)
