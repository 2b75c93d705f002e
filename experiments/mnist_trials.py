"""The trials that choose the settings of `experiments.mnist`: python -m experiments.mnist --data DIR --trials

Each trains on the first five sixths of all training images (of MNIST's 60,000, 50,000) and is evaluated on the others.
No trial reads a test image. The recorded figures are those of MNIST, one seed each. Of 10,000 images, two accuracies
around 0.994 are told apart where they differ by 0.002 or more.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.running.loading import fingerprint, load_splits, run_configuration
from experiments.running.outcome import Outcome
from experiments.running.row import Row, Settings
from experiments.running.runs import Cluster, Job, run
from experiments.running.splits import Splits
from experiments.running.store import Store, code
from experiments.running.training import train
from experiments.showing.files import write_json
from functional_nn import losses

PART = 6  # one image in so many is held out


@dataclass(frozen=True)
class Trial:
    """Changes to `START`, a smoothing of the labels, a seed, and what was reached on the images held out.

    `last` is the accuracy of the last parameters where `reached` is that of their average.
    """

    changes: dict[str, Any]
    seed: int
    reached: float | None = None
    last: float | None = None
    smoothing: float = 0.0

    @property
    def name(self) -> str:
        """The changes as text."""
        changes = self.changes | ({"smoothing": self.smoothing} if self.smoothing else {})
        return ", ".join(f"{name} {value}" for name, value in changes.items())

    def as_row(self, row: Row) -> Row:
        """Return `row` with this trial's settings."""
        loss = losses.cross_entropy(self.smoothing) if self.smoothing else row.loss
        return replace(row, settings=replace(START, **self.changes), loss=loss)


START = Settings(0.01, epochs=12, weight_decay=0.02, batch_size=64, shift=2, flip=False)
BATCHES_OF_128 = {"batch_size": 128}
AFFINE = {"rotation": 10, "scale": 0.1}
TRIALS = (
    Trial({"learning_rate": 0.003} | BATCHES_OF_128, 0, 0.9929),
    Trial({"learning_rate": 0.003} | BATCHES_OF_128, 1, 0.9938),
    Trial({"learning_rate": 0.006} | BATCHES_OF_128, 0, 0.9942),
    Trial({"learning_rate": 0.006} | BATCHES_OF_128, 1, 0.9937),
    Trial({"learning_rate": 0.01} | BATCHES_OF_128, 0, 0.9949),
    Trial({"learning_rate": 0.01} | BATCHES_OF_128, 1, 0.9942),
    Trial({"learning_rate": 0.003, "weight_decay": 0.1, "shift": 1}, 0, 0.9942),
    Trial({"learning_rate": 0.003, "weight_decay": 0.0}, 0, 0.9944),
    Trial({"learning_rate": 0.003, "weight_decay": 0.5}, 0, 0.9920),
    Trial({"learning_rate": 0.006}, 0, 0.9946),
    Trial({"learning_rate": 0.01}, 0, 0.9953),
    Trial({"average": 0.999}, 0, 0.9937, last=0.9936),
    Trial(AFFINE | {"average": 0.999}, 0, 0.9931, last=0.9929),
    Trial(AFFINE | {"average": 0.999}, 0, 0.9933, last=0.9933, smoothing=0.1),
    Trial(AFFINE | {"average": 0.999, "epochs": 24}, 0, 0.9935, last=0.9935),
    Trial({"rotation": 15, "scale": 0.15, "average": 0.999, "epochs": 24}, 0, 0.9935, last=0.9937),
    Trial(
        AFFINE | {"learning_rate": 0.003, "weight_decay": 0.0, "average": 0.999, "epochs": 24}, 0, 0.9930, last=0.9930
    ),
)


def held_out(splits: Splits) -> Splits:
    """Return "train" without the last sixth of all training images, those of "val" included, and "val", that sixth."""
    images, labels = (np.concatenate(arrays) for arrays in zip(splits["train"], splits["val"], strict=True))
    kept = len(images) - len(images) // PART
    return {"train": (images[:kept], labels[:kept]), "val": (images[kept:], labels[kept:])}


def attempt(row: Row, trial: Trial, splits: Splits, *, threads: int, progress: bool) -> Outcome:
    """Train the row with a trial's settings; return the accuracies on "val" as "reached" and "last"."""
    trained = train(trial.as_row(row), splits, seed=trial.seed, threads=threads, progress=progress)
    network = trained.network
    scores = fnn.evaluate(
        network.model, network.params, *splits["val"], loss=row.loss, transform=network.transform, workers=threads
    )
    record = {"seed": trial.seed, "reached": scores["accuracy"], "last": trained.history[-1]["val_accuracy"]}
    return Outcome(record | {"history": trained.history}, network=network)


def run_trials(options: argparse.Namespace, row: Row, trials: Sequence[Trial]) -> None:
    """Run the trials, print their accuracies beside the recorded ones, and write trials.json."""
    description, splits, _ = load_splits(options)
    common = {"source": fingerprint(options), "code": code(attempt), "row": row.name}
    jobs = [
        Job(
            trial.name,
            trial.seed,
            {"settings": trial.as_row(row).settings.described(), "smoothing": trial.smoothing, "seed": trial.seed}
            | common,
            (row, trial),
        )
        for trial in trials
    ]
    outcomes = run(
        attempt,
        jobs,
        (held_out(splits),),
        Store(options.out / "runs"),
        Cluster.of(options),
        lambda record: f"held out {record['reached']:.4f}, last parameters {record['last']:.4f}",
    )
    records = {(name, o.record["seed"]): o.record for name, group in outcomes.items() for o in group}
    rows = []
    for trial in trials:
        record = records[trial.name, trial.seed]
        rows.append({"changes": trial.name, "seed": trial.seed, "recorded": trial.reached} | record)
        recorded = "" if trial.reached is None else f" (recorded {trial.reached:.4f})"
        print(
            f"{record['reached']:.4f}{recorded}, last parameters {record['last']:.4f}: {trial.name}, seed {trial.seed}"
        )
    write_json(options.out / "trials.json", run_configuration(options, description) | {"rows": rows})
    print(f"written: trials.json, in {options.out}")
