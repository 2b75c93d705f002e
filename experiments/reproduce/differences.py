"""Which rows the test images and the seeds tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.running.outcome import Outcome
from experiments.running.paired import Difference, Z, paired
from experiments.running.summary import gain

# What the report's tables compare: the activations, the perceptrons, trained against random convolutions, structures.
PAIRS = (
    ("perceptron_own", "perceptron_sigmoid"),
    ("perceptron_sigmoid", "sklearn_perceptron"),
    ("lenet5_grad", "perceptron_own"),
    ("lenet5_grad", "lenet5"),
    ("improved_grad", "improved"),
    ("improved_grad", "lenet5_grad"),
    ("lenet5_relu", "lenet5_grad"),
    ("improved_grad", "lenet5_relu"),
)
KEY = (
    "Differences in test accuracy, each with two 95 % intervals: for other test images (paired, normal), and for other "
    "seeds (paired, Student's t). Two rows are told apart where both exclude 0."
)
HEADER = ("rows", "difference", "over images", "over seeds", "told apart")


def differences(names: Sequence[str], outcomes: dict[str, list[Outcome]], labels: np.ndarray) -> list[dict[str, Any]]:
    """Return the differences of the rows that the report compares, or else of each row from the first."""
    pairs = [pair for pair in PAIRS if set(pair) <= set(names)] or [(name, names[0]) for name in names[1:]]
    return [_difference(ours, theirs, outcomes, labels) for ours, theirs in pairs]


def lines(found: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return the cells under `HEADER`."""
    return [
        [
            f"{entry['ours']} - {entry['theirs']}",
            f"{entry['test']:+.3f}",
            _ends(entry["over_images"]),
            "one seed" if entry["over_seeds"] is None else _ends(entry["over_seeds"]),
            "yes" if entry["shows"] else "no",
        ]
        for entry in found
    ]


def text(found: Sequence[dict[str, Any]]) -> str:
    """Return the table as text, under its key."""
    cells = [list(HEADER), *lines(found)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADER))]
    table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([KEY, *table])


def markdown(found: Sequence[dict[str, Any]]) -> str:
    """Return the table as Markdown, under its key."""
    rows = [HEADER, ("---",) * len(HEADER), *lines(found)]
    return "\n".join([KEY, "", *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _difference(ours: str, theirs: str, outcomes: dict[str, list[Outcome]], labels: np.ndarray) -> dict[str, Any]:
    mean, error = gain(outcomes[ours], outcomes[theirs], labels)
    images = Difference(mean, mean - Z * error, mean + Z * error)
    seeds = paired(*([o.record["test"] for o in outcomes[name]] for name in (ours, theirs)))
    return {
        "ours": ours,
        "theirs": theirs,
        "test": mean,
        "over_images": [images.low, images.high],
        "over_seeds": None if seeds.low is None else [seeds.low, seeds.high],
        "shows": images.shows and seeds.shows,
    }


def _ends(interval: Sequence[float]) -> str:
    low, high = interval
    return f"{low:+.3f} to {high:+.3f}"
