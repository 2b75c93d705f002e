"""The results of all runs: a summary of each variant, and the defects in order of harm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.autopsy.defects import DEFECTS
from experiments.autopsy.variants import (
    AUTHORS,
    NETWORKS,
    RIGHT,
    Budget,
    Network,
    Variant,
    alone,
    changed,
    configuration,
)
from experiments.autopsy.verdicts import ruling
from experiments.running.outcome import Outcome
from experiments.running.paired import paired, ranks
from experiments.running.splits import PARTS, Splits, count_classes
from experiments.running.summary import Summary, means
from functional_nn.answers import wilson

Line = dict[str, Any]  # of the table of defects


def variant_summary(variant: Variant, budget: Budget, outcomes: Sequence[Outcome], splits: Splits) -> Summary:
    """Return a variant's entry in results.json: means and deviations over the seeds, and every seed's record.

    "loss" is the training loss of the last epoch as the variant measures it, None where no seed finished.
    """
    records = [outcome.record for outcome in outcomes]
    summary: Summary = {"model": variant.name, "network": variant.network.name, "role": variant.role}
    summary |= means(records, PARTS)
    finished = [record for record in records if record["diverged"] is None]
    return summary | {
        "test_interval": wilson(summary["test"], len(splits["test"][1])),
        "loss": _mean([record["history"][-1]["loss"] for record in finished]),
        "diverged": [record["diverged"] for record in records if record["diverged"] is not None],
        "epoch_seconds": _mean([entry["seconds"] for record in records for entry in record["history"]]),
        "settings": configuration(variant, budget, count_classes(splits)),
        "seeds": records,
    }


def ranked(rows: Sequence[Summary], networks: Sequence[Network] = NETWORKS) -> list[Line]:
    """Return a line for each defect of each network, the largest harm first.

    - "harm": how far the right network's test accuracy lies above that with the defect alone;
    - "gain": how much the author's network gains from the repair (or would lose by the defect, where it does not have
      it); None where there is no such network;
    - "harm_interval", "gain_interval": of these, from differences seed by seed (see `paired`); those of all defects of
      a network hold together with 95 %; None for one seed. "harm_shows", "gain_shows": whether they exclude zero;
    - "rank": the best and the worst place that the defect can have in its network, 1 being the most harmful, by the
      intervals between the defects;
    - "cosine_at_start", "cosine": the cosine of the angle to the true gradient, before training, and its mean over
      training;
    - "cosines", "errors_at_start": for each layer, the mean cosine over training, and the error before training.
    """
    lines = []
    for network in networks:
        own = [_line(network, name, rows) for name in network.defects]
        harms = [np.negative(accuracies(row_of(rows, network, alone(name)))).tolist() for name in network.defects]
        lines += [line | {"rank": list(rank)} for line, rank in zip(own, ranks(harms), strict=True)]
    return sorted(lines, key=lambda line: -line["harm"])


def row_of(rows: Sequence[Summary], network: Network, role: str) -> Summary:
    """Return the summary of a network's variant."""
    return next(row for row in rows if (row["network"], row["role"]) == (network.name, role))


def _line(network: Network, name: str, rows: Sequence[Summary]) -> Line:
    row, right = row_of(rows, network, alone(name)), row_of(rows, network, RIGHT)
    line = {
        "defect": name,
        "title": DEFECTS[name].title,
        "network": network.name,
        **_ruling_of(name),
        **_angles(row),
        "loss": row["loss"],
        "diverged": len(row["diverged"]),
        "test": row["test"],
        "test_sd": row["test_sd"],
        **_difference("harm", network, right, row),
        "repaired": None,
        "repaired_sd": None,
        "gain": None,
        "gain_interval": None,
        "gain_shows": False,
    }
    if network.ran:
        author, other = row_of(rows, network, AUTHORS), row_of(rows, network, changed(network, name))
        repaired, broken = (other, author) if name in network.ran else (author, other)
        line |= {"repaired": repaired["test"], "repaired_sd": repaired["test_sd"]}
        line |= _difference("gain", network, repaired, broken)
    return line


def _difference(name: str, network: Network, ours: Summary, theirs: Summary) -> Line:
    """Return the difference of two variants' test accuracies with its interval, one of as many as there are defects."""
    found = paired(accuracies(ours), accuracies(theirs), len(network.defects))
    interval = None if found.low is None else [found.low, found.high]
    return {name: found.mean, f"{name}_interval": interval, f"{name}_shows": found.shows}


def accuracies(row: Summary) -> list[float]:
    """Return a variant's test accuracies, one a seed."""
    return [record["test"] for record in row["seeds"]]


def _ruling_of(defect: str) -> Line:
    answer = ruling(defect)
    if answer is None:
        return {"verdict": None, "place": None}
    return {"verdict": answer.verdict or "passes", "place": answer.place}


def _angles(row: Summary) -> Line:
    """Return the cosines and errors of a variant's gradients."""
    gradients = [entry for record in row["seeds"] for entry in record["gradients"] if entry is not None]
    at_start = [record["gradients"][0] for record in row["seeds"] if record["gradients"][0] is not None]
    layers = list(at_start[0]["cosines"])
    return {
        "cosine_at_start": _mean([entry["cosine"] for entry in at_start]),
        "cosine": _mean([entry["cosine"] for entry in gradients]),
        "cosines": {layer: _mean([entry["cosines"][layer] for entry in gradients]) for layer in layers},
        "errors_at_start": {layer: _mean([entry["errors"][layer] for entry in at_start]) for layer in layers},
    }


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the finite values, None where there is none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.mean(known)) if known else None
