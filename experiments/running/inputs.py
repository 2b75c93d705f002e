"""What the rows are trained on, and their runs as jobs."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from experiments.running.handmade import SIZE, handmade
from experiments.running.loading import fingerprint, load_splits
from experiments.running.outcome import Outcome
from experiments.running.row import Row
from experiments.running.runs import Job
from experiments.running.splits import Splits, count_classes
from experiments.running.store import Store, code
from experiments.running.training import PERCEPTRON_EPOCHS, splits_of, train_and_test


@dataclass(frozen=True)
class Inputs:
    """The splits that rows are trained on.

    - `source`: what the splits follow from;
    - `features`: hand-made features, for the rows that take them in place of pixels;
    - `classes`: the names of the classes.
    """

    source: str
    pixels: Splits
    features: Splits | None = None
    classes: tuple[str, ...] = ()

    def of(self, row: Row) -> Splits:
        """Return what `row` is trained on."""
        return splits_of(row, self.pixels, self.features)


def load(options: argparse.Namespace, store: Store) -> tuple[str, Inputs]:
    """Return a description of the data, and the data; hand-made features are computed once and kept in the store."""
    description, pixels, classes = load_splits(options)
    features = load_handmade(options, store) if options.features == "handmade" else None
    return description, Inputs(fingerprint(options), pixels, features, classes)


def load_handmade(options: argparse.Namespace, store: Store) -> Splits:
    """Return `handmade` of the images at `--data`; it is computed once and then read from the store.

    Meanwhile all images are in memory at their size of 256x256, 200 kB each. Needs scikit-image.
    """
    configuration = {"source": fingerprint(options, SIZE), "code": code(handmade)}
    outcome = store.find("features", configuration)
    if outcome is None:
        splits = handmade(load_splits(options, SIZE)[1], options.workers)
        arrays = {f"{part}_{i}": array for part, split in splits.items() for i, array in enumerate(split)}
        outcome = Outcome({part: len(labels) for part, (_, labels) in splits.items()}, arrays)
        store.add("features", configuration, outcome)
    return {part: (outcome.arrays[f"{part}_0"], outcome.arrays[f"{part}_1"]) for part in outcome.record}


def jobs(rows: list[Row], seeds: list[int], inputs: Inputs) -> list[Job]:
    """Return a job of `train_and_test` for each row and seed: all rows of the first seed, then of the next."""
    return [Job(row.name, seed, configuration(row, seed, inputs), (row, seed)) for seed in seeds for row in rows]


def configuration(row: Row, seed: int, inputs: Inputs) -> dict[str, Any]:
    """Return all that the figures of a run follow from."""
    splits, settings = inputs.of(row), row.settings
    functions = [train_and_test] if settings is None else [train_and_test, settings.optimizer]
    network = f"Perceptron(max_iter={PERCEPTRON_EPOCHS})"
    if row.network is not None:
        network = repr(row.network(count_classes(splits)))
    return {
        "model": row.name,
        "network": network,
        "frozen": row.frozen,
        "loss": repr(row.loss),
        "smallest_wins": row.smallest_wins,
        "settings": None if settings is None else settings.applied(splits["train"][0].shape[1:]).described(),
        "seed": seed,
        "source": inputs.source,
        "inputs": "pixels" if splits is inputs.pixels else "handmade",
        "shapes": {part: list(images.shape) for part, (images, _) in splits.items()},
        "code": code(*functions),
    }
