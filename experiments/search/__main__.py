"""The search behind the tuned settings, repeated: python -m experiments.search --data DIR [--row NAME | --rates]

searched.json records its trials on 50 classes of Tiny ImageNet, seed 0.
- Of a row's settings: each trial trains on nine tenths of the training images; its accuracy is that on the other tenth
  (every tenth image) and the validation images together: 2,860 images, a standard error of 0.007 to 0.009. (The
  recorded ones took their mean and standard deviation from all training images: figures repeat to within that error.)
- Of the learning rate that the report does not record (`--rates`): each trial trains a LeNet as the report did on all
  training images for ten epochs; its distance is the mean absolute difference between its losses and the report's.
Test images are not read.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.report.printed import records
from experiments.report.rows import REPORTED, ROWS, TUNED
from experiments.running import options
from experiments.running.row import Row
from experiments.running.runs import Job, run
from experiments.running.store import Outcome, Store, code, write_json
from experiments.running.training import Splits, train
from experiments.showing import page
from functional_nn import data

EVERY = 10  # of the training images one in so many is held out
RATE_EPOCHS = 10
RECORD = Path(__file__).parent / "searched.json"
MEASURES = {"settings": "accuracy", "rates": "distance"}


@dataclass(frozen=True)
class Trial:
    """One trial of `kind`, "settings" or "rates": a row, what it changes of the row's settings, what it reached.

    `reached` is the accuracy of a trial of settings, and the distance of one of rates.
    """

    kind: str
    row: str
    changes: dict[str, Any]
    reached: float

    def as_row(self) -> Row:
        """Return the row with this trial's settings."""
        base = TUNED[self.row] if self.kind == "settings" else replace(REPORTED[self.row], epochs=RATE_EPOCHS)
        return replace(next(row for row in ROWS if row.name == self.row), settings=replace(base, **self.changes))

    def said(self) -> str:
        """Return the changes as text."""
        return ", ".join(f"{name} {value}" for name, value in self.changes.items())


def recorded() -> list[Trial]:
    """Return the trials of the search that was made."""
    kinds = json.loads(RECORD.read_text(encoding="utf-8"))
    return [Trial(kind, **trial) for kind, trials in kinds.items() for trial in trials]


def held_out(splits: Splits) -> Splits:
    """Return "train" without every tenth image, and "val" with them."""
    (images, labels), (val_images, val_labels) = splits["train"], splits["val"]
    out = np.arange(len(images)) % EVERY == EVERY - 1
    val = np.concatenate([images[out], val_images]), np.concatenate([labels[out], val_labels])
    return {"train": (images[~out], labels[~out]), "val": val}


def attempt(trial: Trial, seed: int, splits: Splits, *, threads: int, progress: bool) -> Outcome:
    """Return what a trial reaches on the splits "train" and "val", as "reached"."""
    row = trial.as_row()
    trained = train(row, splits, seed=seed, threads=threads, progress=progress, validate=False)
    if trial.kind == "rates":
        theirs = records()[trial.row]["train_loss"]
        losses = [entry["loss"] for entry in trained.result.history]
        reached = float(np.mean([abs(a - b) for a, b in zip(losses, theirs, strict=False)]))
    else:
        scores = fnn.evaluate(
            trained.model,
            trained.result.params,
            *splits["val"],
            loss=row.loss,
            transform=trained.transform,
            workers=threads,
        )
        reached = scores["accuracy"]
    return Outcome({"reached": reached})


def main(arguments: list[str] | None = None) -> None:
    parser = _parser()
    given = parser.parse_args(arguments)
    began = perf_counter()
    with options.reported(parser):
        options.check(given)
        found, splits = data.load(given.data, cache=given.cache)
        print(found)
        kind = "rates" if given.rates else "settings"
        trials = [trial for trial in recorded() if trial.kind == kind and given.row in (None, trial.row)]
        used = splits if given.rates else held_out(splits)
        jobs = _jobs(trials, given)
        outcomes = run(
            attempt, jobs, [used], Store(given.out / "runs"), options.cluster(given),
            lambda record: f"{MEASURES[kind]} {record['reached']:.4f}",
        )  # fmt: skip
    rows = _means(trials, outcomes, given.seeds)
    results = options.configuration(given, found) | {"seconds": perf_counter() - began, "rows": rows}
    write_json(given.out / "results.json", results)
    lines = [[r["row"], r["changes"], f"{r['reached']:.4f}", f"{r['recorded']:.4f}"] for r in rows]
    print("\n".join(f"{row:<20}{reached} (recorded {then})  {changes}" for row, changes, reached, then in lines))
    caption = f"The trials' {MEASURES[kind]}: this run's mean over the seeds, and the recorded one of seed 0."
    table = page.table(caption, ["row", "settings", "this run", "recorded"], lines)
    page.write(given.out, "The search for settings", [page.paragraph(found), table, *page.configuration(results)])
    print(f"written: results.json and report.html, in {given.out}")


def _jobs(trials: Sequence[Trial], given: argparse.Namespace) -> list[Job]:
    common = {
        "source": data.fingerprint(given.data),
        "code": code("report/rows.py", "running/row.py", "running/training.py", "search/__main__.py"),
    }
    return [_job(trial, seed, common) for trial in trials for seed in options.seeds(given)]


def _job(trial: Trial, seed: int, common: dict[str, Any]) -> Job:
    settings = trial.as_row().settings.described()
    own = {"kind": trial.kind, "row": trial.row, "settings": settings, "seed": seed}
    return Job(f"{trial.row}, {trial.said()}, seed {seed}", own | common, (trial, seed))


def _means(trials: Sequence[Trial], outcomes: Sequence[Outcome], seeds: int) -> list[dict[str, Any]]:
    reached = np.array([outcome.record["reached"] for outcome in outcomes]).reshape(len(trials), seeds)
    return [
        {"row": trial.row, "changes": trial.said(), "reached": float(mean), "recorded": trial.reached}
        for trial, mean in zip(trials, reached.mean(axis=1), strict=True)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = options.parser("search", __doc__, default_data=None, default_seeds=1)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--row", choices=tuple(TUNED), help="the row to search for (default: all)")
    what.add_argument("--rates", action="store_true", help="the report's learning rate instead")
    return parser


if __name__ == "__main__":
    main()
