"""What the rows are trained on, and their runs as jobs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from experiments.running.handmade import handmade_of
from experiments.running.row import Row
from experiments.running.runs import Job
from experiments.running.store import Outcome, Store, code
from experiments.running.training import Splits, count_classes, run_row
from functional_nn import data


@dataclass(frozen=True)
class Inputs:
    """The splits that rows are trained on, with `features` those of the rows that take them; `source` says of what."""

    source: str
    pixels: Splits
    features: Splits | None = None

    def of(self, row: Row) -> Splits:
        """Return what `row` is trained on."""
        return self.features if row.on_features and self.features is not None else self.pixels


def load(options: argparse.Namespace, store: Store) -> tuple[str, Inputs]:
    """Return what was found, and the data; hand-made features are made once and kept in the store."""
    found, pixels = data.load(options.data, cache=options.cache)
    features = handmade_of(options.data, store, options.workers) if options.features == "handmade" else None
    return found, Inputs(data.fingerprint(options.data), pixels, features)


def jobs(rows: list[Row], seeds: list[int], inputs: Inputs) -> list[Job]:
    """Return a job of `train_and_test` for each row and seed: all rows of the first seed, then of the next."""
    digest = code("report/rows.py", "running/row.py", "running/training.py")
    return [
        Job(f"{row.name}, seed {seed}", configuration(row, seed, inputs, digest), (row, seed))
        for seed in seeds
        for row in rows
    ]


def train_and_test(
    row: Row, seed: int, pixels: Splits, features: Splits | None, *, threads: int, progress: bool
) -> Outcome:
    """Return `run_row` of the splits that the row takes."""
    return run_row(row, Inputs("", pixels, features).of(row), seed=seed, threads=threads, progress=progress)


def configuration(row: Row, seed: int, inputs: Inputs, digest: str) -> dict[str, Any]:
    """Return all that a run's figures follow from; `digest` is the code's."""
    splits = inputs.of(row)
    return {
        "model": row.name,
        "network": "Perceptron(max_iter=2000)" if row.network is None else repr(row.network(count_classes(splits))),
        "frozen": row.frozen,
        "settings": None if row.settings is None else row.settings.described(),
        "seed": seed,
        "source": inputs.source,
        "inputs": "pixels" if splits is inputs.pixels else "handmade",
        "shapes": {part: list(images.shape) for part, (images, _) in splits.items()},
        "code": digest,
    }
