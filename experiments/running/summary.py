"""Figures over the seeds of a row: means, standard deviations, intervals, and differences between rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.running.outcome import Outcome
from experiments.running.row import Row
from experiments.running.splits import Splits, parts_of
from functional_nn.answers import wilson

Summary = dict[str, Any]


class Gain(NamedTuple):
    """The difference of one row's test accuracy from another's, and its standard error over images."""

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:+.4f} ± {self.error:.4f}"

    @property
    def shows(self) -> bool:
        """Whether the difference is larger than two standard errors."""
        return abs(self.mean) > 2 * self.error


def gain(ours: Sequence[Outcome], theirs: Sequence[Outcome], labels: np.ndarray) -> Gain:
    """Return the gain of one row over another on the test images, whose labels are (n,).

    It is paired: for each image, the difference between the shares of seeds that classify it rightly.
    """
    right = [
        np.mean([o.arrays["test_outputs"].argmax(axis=1) == labels for o in row], axis=0) for row in (ours, theirs)
    ]
    difference = right[0] - right[1]
    return Gain(float(difference.mean()), float(difference.std() / math.sqrt(len(labels))))


def means(records: Sequence[dict[str, Any]], keys: Sequence[str]) -> Summary:
    """Return the mean of each key's values over the seeds, and as KEY_sd their standard deviation.

    Standard deviations are those of a sample (divided by n - 1), None for a single seed.
    """
    summary: Summary = {}
    for key in keys:
        values = [record[key] for record in records]
        summary[key] = float(np.mean(values))
        summary[f"{key}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return summary


def summarize(row: Row, outcomes: Sequence[Outcome], splits: Splits) -> Summary:
    """Return a row of results.json: means over the seeds, their standard deviations, and every seed's record.

    `splits` are those that the row is trained on; "settings" tell what was done to them. "val_test" is the accuracy
    over validation and test images together, where there is a validation split.
    """
    shape = splits["train"][0].shape[1:]
    sizes = {part: len(splits[part][1]) for part in parts_of(splits)}
    records = [outcome.record for outcome in outcomes]
    if "val" in sizes:
        records = [record | {"val_test": _together(record, sizes)} for record in records]
    figures = [*sizes, *(["val_test"] if "val" in sizes else [])]
    summary: Summary = {"model": row.name, "title": row.title, **means(records, figures)}
    return summary | {
        "test_interval": wilson(summary["test"], sizes["test"]),
        "epoch_seconds": float(np.median([record["epoch_seconds"] for record in records])),
        "epochs": float(np.mean([record["epochs"] for record in records])),
        "parameters": records[0]["parameters"],
        "settings": None if row.settings is None else row.settings.applied(shape).described(),
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
