"""What the runs come to: a row a variant, and the table of defects ranked by harm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.autopsy.defects import DEFECTS
from experiments.autopsy.variants import AUTHORS, NETWORKS, RIGHT, Budget, Network, Variant, alone, changed, described
from experiments.autopsy.verdicts import ruling
from experiments.running.store import Outcome
from experiments.running.summary import wilson
from experiments.running.training import PARTS, Splits, count_classes

Row = dict[str, Any]


def summarize(variant: Variant, budget: Budget, outcomes: Sequence[Outcome], splits: Splits) -> Row:
    """Return a variant's row of results.json: means and deviations over the seeds, and every seed's record.

    "loss" is the training loss of the last epoch as the variant measures it, None where no seed finished.
    """
    records = [outcome.record for outcome in outcomes]
    row: Row = {"model": variant.name, "network": variant.network.name, "role": variant.role}
    for part in PARTS:
        values = [record[part] for record in records]
        row[part] = float(np.mean(values))
        row[f"{part}_sd"] = float(np.std(values, ddof=1)) if len(values) > 1 else None
    finished = [record for record in records if record["diverged"] is None]
    return row | {
        "test_interval": wilson(row["test"], len(splits["test"][1])),
        "loss": _mean([record["history"][-1]["loss"] for record in finished]),
        "diverged": [record["diverged"] for record in records if record["diverged"] is not None],
        "epoch_seconds": _mean([entry["seconds"] for record in records for entry in record["history"]]),
        "settings": described(variant, budget, count_classes(splits)),
        "seeds": records,
    }


def ranked(rows: Sequence[Row]) -> list[Row]:
    """Return a row a defect and network, the most harmful first.

    - "harm": by how much the right network's test accuracy is above that with the defect alone;
    - "gain": how much the author's network gains by its repair (by not having it, where it does not have it), None
      where there is no such network;
    - "cosine_at_start", "cosine": of the angle to the true gradient, before training and the mean through it;
    - "cosines", "errors_at_start": of each layer, the mean cosine through training and the error before it.
    """
    found = [_of(network, name, rows) for network in NETWORKS for name in network.defects]
    return sorted(found, key=lambda row: -row["harm"])


def row_of(rows: Sequence[Row], network: Network, role: str) -> Row:
    """Return the row of a network's variant."""
    return next(row for row in rows if (row["network"], row["role"]) == (network.name, role))


def _of(network: Network, name: str, rows: Sequence[Row]) -> Row:
    """Return one line of the table of defects."""
    row, right = row_of(rows, network, alone(name)), row_of(rows, network, RIGHT)
    gradients = [entry for record in row["seeds"] for entry in record["gradients"] if entry is not None]
    at_start = [record["gradients"][0] for record in row["seeds"] if record["gradients"][0] is not None]
    layers = list(at_start[0]["cosines"])
    found = ruling(name)
    line = {
        "defect": name,
        "title": DEFECTS[name].title,
        "network": network.name,
        "verdict": None if found is None else found.verdict or "passes",
        "place": found and found.place,
        "cosine_at_start": _mean([entry["cosine"] for entry in at_start]),
        "cosine": _mean([entry["cosine"] for entry in gradients]),
        "cosines": {layer: _mean([entry["cosines"][layer] for entry in gradients]) for layer in layers},
        "errors_at_start": {layer: _mean([entry["errors"][layer] for entry in at_start]) for layer in layers},
        "loss": row["loss"],
        "diverged": len(row["diverged"]),
        "test": row["test"],
        "test_sd": row["test_sd"],
        "harm": right["test"] - row["test"],
        "repaired": None,
        "repaired_sd": None,
        "gain": None,
    }
    if network.ran:
        author, other = row_of(rows, network, AUTHORS), row_of(rows, network, changed(network, name))
        repaired, broken = (other, author) if name in network.ran else (author, other)
        line |= {"repaired": repaired["test"], "repaired_sd": repaired["test_sd"]}
        line["gain"] = repaired["test"] - broken["test"]
    return line


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of those that are numbers, None where none is."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.mean(known)) if known else None
