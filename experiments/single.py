"""One network on one data set: its seeds, its table, and a page with its curves, filters and mistakes."""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

import numpy as np

from experiments.running.inputs import Inputs, jobs
from experiments.running.loading import fingerprint, load_splits, run_configuration
from experiments.running.options import seeds
from experiments.running.outcome import Outcome
from experiments.running.row import Row
from experiments.running.runs import Cluster, run
from experiments.running.splits import PARTS, Splits
from experiments.running.store import Store
from experiments.running.summary import Summary, cell, summarize
from experiments.running.training import train_and_test
from experiments.showing import page
from experiments.showing.curves import panel
from experiments.showing.files import write_json
from experiments.showing.galleries import class_names, draw_confusion, draw_filters, draw_mistakes

HEADER = ("seed", "train", "val", "test", "val + test", "seconds")


def train_one(options: argparse.Namespace, row: Row, title: str, *, held_out: bool) -> None:
    """Train a row from every seed, print its table, and write results.json and a page with this title.

    Unless `held_out`, the networks train on the validation images as well.
    """
    began = perf_counter()
    description, splits = load_splits(options)
    source = f"{fingerprint(options)}, {'held out' if held_out else 'whole'}"
    if not held_out:
        splits, description = whole(splits), f"{description}; the validation images are trained on too"
    print(description)
    outcomes = run(
        train_and_test,
        jobs([row], seeds(options), Inputs(source, splits)),
        (splits, None),
        Store(options.out / "runs"),
        Cluster.of(options),
        lambda record: f"validation {record['val']:.4f}",
    )[row.name]
    summary = summarize(row, outcomes, splits)
    results = run_configuration(options, description) | {"seconds": perf_counter() - began, "rows": [summary]}
    write_json(options.out / "results.json", results)
    print(_table(summary))
    page.write(options.out, title, [*_pieces(results, outcomes, splits), *page.configuration(results)])
    print(f"written: results.json and {page.FILE}, in {options.out}")


def whole(splits: Splits) -> Splits:
    """Return the splits with the validation images among the training images."""
    parts = [splits[part] for part in ("train", "val")]
    return {**splits, "train": (np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))}


def _lines(summary: Summary) -> list[list[str]]:
    """Return the cells under `HEADER`: a line a seed, and the means."""
    columns = (*PARTS, "val_test")
    of_seeds = [
        [str(record["seed"]), *(f"{record[part]:.4f}" for part in columns), f"{record['seconds']:.1f}"]
        for record in summary["seeds"]
    ]
    return [*of_seeds, ["mean", *(cell(summary, part) for part in columns), ""]]


def _table(summary: Summary) -> str:
    cells = [list(HEADER), *_lines(summary)]
    lines = ["".join(f"{text:<18}" for text in line).rstrip() for line in cells]
    low, high = summary["test_interval"]
    size = f"{summary['parameters']:,} parameters, {summary['epochs']:.0f} epochs"
    return "\n".join([*lines, f"95 % of the test accuracy: {low:.4f} to {high:.4f}; {size}"])


def _pieces(results: dict[str, Any], outcomes: list[Outcome], splits: Splits) -> list[page.Piece]:
    """Return the page: the table and the curves, and the filters and mistakes of the first seed's network."""
    summary, arrays = results["rows"][0], outcomes[0].arrays
    images, labels = splits["test"]
    outputs, filters = arrays["test_outputs"], draw_filters(arrays["first_weights"], images.shape[1:])
    augmented = "Training figures are of images shifted at random, so they may lie below those of validation."
    panels = [panel(summary, what) for what in ("loss", "accuracy")]
    pieces: list[page.Piece] = [
        f"{results['data']}. {summary['title']}, {summary['parameters']:,} parameters.",
        page.table("Accuracies. The test images are read once, at the end.", HEADER, _lines(summary)),
        page.Plate("curves", augmented, panels, "loss and accuracy over the epochs"),
        page.Plate("filters", "The filters of the first layer.", [filters], "filters"),
        page.Plate(
            "confusion",
            "Classes and predicted classes.",
            [draw_confusion(labels, outputs)],
            "confusions",
        ),
    ]
    sheet = draw_mistakes(images, labels, outputs, class_names(results["options"]["data"], outputs.shape[1]))
    if sheet is not None:
        pieces.append(page.Plate("mistakes", "The most confident mistakes.", [sheet], "misclassified images"))
    return pieces
