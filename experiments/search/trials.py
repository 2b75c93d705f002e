"""The trials of the search: what each trains, and the accuracy or distance that it reaches."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.report.printed import records
from experiments.report.rows import REPORTED, ROWS, TUNED
from experiments.running.outcome import Outcome
from experiments.running.row import Row
from experiments.running.splits import Splits
from experiments.running.training import train

EVERY = 10  # one training image in so many is held out
RATE_EPOCHS = 10
RECORD = Path(__file__).parent / "searched.json"


@dataclass(frozen=True)
class Trial:
    """One trial of `kind`, "settings" or "rates": a row, its changes to the row's settings, and what it reached.

    `reached` is the accuracy of a trial of settings, and the distance of a trial of rates.
    """

    kind: str
    row: str
    changes: dict[str, Any]
    reached: float

    def as_row(self) -> Row:
        """Return the row with this trial's settings."""
        base = TUNED[self.row] if self.kind == "settings" else replace(REPORTED[self.row], epochs=RATE_EPOCHS)
        return replace(next(row for row in ROWS if row.name == self.row), settings=replace(base, **self.changes))

    @property
    def key(self) -> str:
        """The trial's name: its row and its changes."""
        return f"{self.row}, {self.description}"

    @property
    def description(self) -> str:
        """The changes as text."""
        return ", ".join(f"{name} {value}" for name, value in self.changes.items())


def recorded_trials() -> list[Trial]:
    """Return the trials of the search that searched.json records."""
    kinds = json.loads(RECORD.read_text(encoding="utf-8"))
    return [Trial(kind, **trial) for kind, trials in kinds.items() for trial in trials]


def hold_out(splits: Splits) -> Splits:
    """Return "train" without every tenth image, and "val" with these images added."""
    (images, labels), (val_images, val_labels) = splits["train"], splits["val"]
    out = np.arange(len(images)) % EVERY == EVERY - 1
    val = np.concatenate([images[out], val_images]), np.concatenate([labels[out], val_labels])
    return {"train": (images[~out], labels[~out]), "val": val}


def attempt(trial: Trial, seed: int, splits: Splits, *, threads: int, progress: bool) -> Outcome:
    """Train a trial on "train"; return its accuracy on "val", or its distance, as "reached", and its network."""
    row = trial.as_row()
    trained = train(row, splits, seed=seed, threads=threads, progress=progress, validate=False)
    if trial.kind == "rates":
        theirs = records()[trial.row]["train_loss"]
        ours = [entry["loss"] for entry in trained.history]
        reached = float(np.mean([abs(a - b) for a, b in zip(ours, theirs, strict=False)]))
    else:
        network, held_out = trained.network, splits["val"]
        transform = network.transform
        reached = fnn.evaluate(
            network.model, network.params, *held_out, loss=row.loss, transform=transform, workers=threads
        )["accuracy"]
    record = {"model": trial.row, "changes": trial.description, "seed": seed, "reached": reached}
    return Outcome(record, network=trained.network)
