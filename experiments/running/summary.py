"""What several seeds of a row come to: means, standard deviations, intervals, and differences between rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.running.row import Row
from experiments.running.store import Outcome
from experiments.running.training import PARTS, Splits

Summary = dict[str, Any]
Z = 1.959964  # the standard normal's 97.5 % quantile


class Gain(NamedTuple):
    """By how much one row's test accuracy is above another's, and the standard error of that over images."""

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ± {self.error:.4f}"

    @property
    def shows(self) -> bool:
        """Whether it is more than two standard errors from none."""
        return abs(self.mean) > 2 * self.error


def wilson(accuracy: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share `accuracy` of n examples (Wilson 1927).

    It says how far another n images would give another figure; the spread over seeds is not in it. (The accuracy is a
    mean over seeds, so there is no whole number of successes, as SciPy's interval asks for.)
    """
    centre = (accuracy + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(accuracy * (1 - accuracy) / n + Z**2 / (4 * n**2))
    return centre - half, centre + half


def gain(ours: Sequence[Outcome], theirs: Sequence[Outcome], labels: np.ndarray) -> Gain:
    """Return the gain of one row's outcomes on another's over the test images, whose labels are (n,).

    It is paired: of each image, the difference between the shares of seeds that are right about it.
    """
    right = [
        np.mean([o.arrays["test_outputs"].argmax(axis=1) == labels for o in row], axis=0) for row in (ours, theirs)
    ]
    difference = right[0] - right[1]
    return Gain(float(difference.mean()), float(difference.std() / math.sqrt(len(labels))))


def summarize(row: Row, outcomes: Sequence[Outcome], splits: Splits) -> dict[str, Any]:
    """Return a row of results.json: means over the seeds, their standard deviations, and every seed's record.

    "val_test" is the accuracy over validation and test images together. The standard deviations are samples'
    (n - 1), None for a single seed.
    """
    sizes = {part: len(splits[part][1]) for part in PARTS}
    records = [outcome.record | {"val_test": _together(outcome.record, sizes)} for outcome in outcomes]
    summary: dict[str, Any] = {"model": row.name, "title": row.title}
    for what in (*PARTS, "val_test"):
        values = [record[what] for record in records]
        summary[what] = float(np.mean(values))
        summary[f"{what}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return summary | {
        "test_interval": wilson(summary["test"], sizes["test"]),
        "epoch_seconds": float(np.median([record["epoch_seconds"] for record in records])),
        "epochs": float(np.mean([record["epochs"] for record in records])),
        "parameters": records[0]["parameters"],
        "settings": None if row.settings is None else row.settings.described(),
        "seeds": records,
    }


def _together(record: dict[str, Any], sizes: dict[str, int]) -> float:
    right = sum(record[part] * sizes[part] for part in ("val", "test"))
    return right / (sizes["val"] + sizes["test"])


def cell(row: Summary, what: str, digits: int = 4) -> str:
    """Return a mean with its standard deviation, where there is one."""
    deviation = row[f"{what}_sd"]
    return f"{row[what]:.{digits}f}" if deviation is None else f"{row[what]:.{digits}f} ± {deviation:.{digits}f}"


def interval(row: Summary) -> str:
    """Return the 95 % interval of the test accuracy."""
    low, high = row["test_interval"]
    return f"{low:.3f} to {high:.3f}"
