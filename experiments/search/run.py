"""The run of `experiments.search`: it repeats the recorded trials and writes the results beside the recorded ones."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np

from experiments.running.loading import fingerprint, load_splits, run_configuration
from experiments.running.networks import write_networks
from experiments.running.options import seeds
from experiments.running.outcome import Outcome
from experiments.running.paired import told_apart
from experiments.running.runs import Cluster, Job, run
from experiments.running.store import Store, code
from experiments.search.trials import Trial, attempt, hold_out, recorded_trials
from experiments.showing import page
from experiments.showing.files import write_json

MARKED = "*: the held-out images do not tell this trial from the best one of its row."
MEASURES = {"settings": "accuracy", "rates": "distance"}


def search(options: argparse.Namespace) -> None:
    """Repeat the trials that the options ask for, and write each row's best network, results.json and the page."""
    began = perf_counter()
    description, splits, classes = load_splits(options)
    print(description)
    kind = "rates" if options.rates else "settings"
    trials = [trial for trial in recorded_trials() if trial.kind == kind and options.row in (None, trial.row)]
    outcomes = run(
        attempt,
        _jobs(trials, options, splits["train"][0].shape[1:]),
        [splits if options.rates else hold_out(splits)],
        Store(options.out / "runs"),
        Cluster.of(options),
        lambda record: f"{MEASURES[kind]} {record['reached']:.4f}",
    )
    rows = [_summary(trial, outcomes[trial.key]) for trial in trials]
    if not options.rates:
        _compare(rows, len(hold_out(splits)["val"][1]))
    results = run_configuration(options, description) | {"seconds": perf_counter() - began, "rows": rows}
    write_json(options.out / "results.json", results)
    usage = write_networks(options, description, classes, best_of_rows(trials, outcomes))
    lines = [[r["row"], r["changes"], f"{r['reached']:.4f}{_mark(r)}", f"{r['recorded']:.4f}"] for r in rows]
    print("\n".join(f"{row:<20}{reached} (recorded {then})  {changes}" for row, changes, reached, then in lines))
    print(*([] if options.rates else [MARKED]))
    caption = f"The trials' {MEASURES[kind]}: the mean over the seeds of this run, and the recorded one of seed 0."
    caption += "" if options.rates else f" {MARKED}"
    table = page.Table(caption, ["row", "settings", "this run", "recorded"], lines)
    pieces: list[page.Piece] = [description, table, *page.configuration(results)]
    page.write(options.out, "The search for settings", pieces)
    print(f"written: results.json and {page.FILE}, in {options.out}", usage, sep="\n")


def _jobs(trials: Sequence[Trial], options: argparse.Namespace, shape: tuple[int, ...]) -> list[Job]:
    """Return a job for each trial and seed; `shape` is that of an image."""
    common = {"source": fingerprint(options), "code": code(attempt)}
    return [_job(trial, seed, shape, common) for trial in trials for seed in seeds(options)]


def _job(trial: Trial, seed: int, shape: tuple[int, ...], common: dict[str, Any]) -> Job:
    settings = trial.as_row().settings.applied(shape).described()
    own = {"kind": trial.kind, "row": trial.row, "settings": settings, "seed": seed}
    return Job(trial.key, seed, own | common, (trial, seed))


def best_of_rows(trials: Sequence[Trial], outcomes: dict[str, list[Outcome]]) -> dict[str, Outcome]:
    """Return of each row the outcome with the largest accuracy, or the smallest distance, of all trials and seeds."""
    best: dict[str, Outcome] = {}
    for trial in trials:
        worse = 1.0 if trial.kind == "rates" else -1.0
        tried = [*([best[trial.row]] if trial.row in best else []), *outcomes[trial.key]]
        best[trial.row] = min(tried, key=lambda outcome: worse * outcome.record["reached"])
    return best


def _compare(rows: Sequence[dict[str, Any]], images: int) -> None:
    """Add to each row "apart": whether so many images tell its trial from the best one of the same network."""
    for row in rows:
        best = max(other["reached"] for other in rows if other["row"] == row["row"])
        row["apart"] = told_apart(row["reached"], best, images)


def _mark(row: dict[str, Any]) -> str:
    return "" if row.get("apart", True) else "*"


def _summary(trial: Trial, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    reached = float(np.mean([outcome.record["reached"] for outcome in outcomes]))
    return {"row": trial.row, "changes": trial.description, "reached": reached, "recorded": trial.reached}
