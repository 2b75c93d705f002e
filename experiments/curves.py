"""Pictures of training: loss and accuracy over the epochs (the report's figures 4 to 9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def draw_curves(record: dict[str, Any], title: str, file: Path) -> None:
    """Draw one row's loss and accuracy side by side and write the picture to `file`."""
    from matplotlib.figure import Figure

    history = record["history"]
    epochs = [entry["epoch"] for entry in history]
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    figure.suptitle(title)
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        marker = "o" if len(history) == 1 else ""
        axes.plot(epochs, [entry[what] for entry in history], marker=marker, label="training")
        axes.plot(epochs, [entry[f"val_{what}"] for entry in history], marker=marker, label="validation")
        axes.set(xlabel="epoch", ylabel=what)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(file, dpi=110)
