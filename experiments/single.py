"""One network on one data set: its seeds, its table, and a page of what it sees and mistakes."""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

import numpy as np

from experiments.running import options
from experiments.running.inputs import Inputs, jobs, train_and_test
from experiments.running.row import Row
from experiments.running.runs import run
from experiments.running.store import Outcome, Store, write_json
from experiments.running.summary import cell, summarize
from experiments.running.training import PARTS, Splits
from experiments.showing import page
from experiments.showing.curves import panel
from experiments.showing.galleries import class_names, draw_confusion, draw_filters, draw_mistakes
from functional_nn import data

HEADER = ("seed", "train", "val", "test", "val + test", "seconds")


def train_one(given: argparse.Namespace, row: Row, title: str, *, held_out: bool) -> None:
    """Train a row from every seed, print its table, and write results.json and report.html; `title` is the page's.

    Unless `held_out`, the networks train on the validation images as well.
    """
    began = perf_counter()
    options.check(given)
    found, splits = data.load(given.data, cache=given.cache)
    source = f"{data.fingerprint(given.data)}, {'held out' if held_out else 'whole'}"
    if not held_out:
        splits, found = whole(splits), f"{found}; the validation images are trained on too"
    print(found)
    made = jobs([row], options.seeds(given), Inputs(source, splits))
    outcomes = run(train_and_test, made, (splits, None), Store(given.out / "runs"), options.cluster(given), _said)
    summary = summarize(row, outcomes, splits)
    results = options.configuration(given, found) | {"seconds": perf_counter() - began, "rows": [summary]}
    write_json(given.out / "results.json", results)
    print(_table(summary))
    page.write(given.out, title, [*_pieces(results, outcomes, splits), *page.configuration(results)])
    print(f"written: results.json and report.html, in {given.out}")


def whole(splits: Splits) -> Splits:
    """Return the splits with the validation images among those to train on."""
    parts = [splits[part] for part in ("train", "val")]
    return {**splits, "train": (np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))}


def _said(record: dict[str, Any]) -> str:
    return f"validation {record['val']:.4f}"


def _lines(summary: dict[str, Any]) -> list[list[str]]:
    """Return the cells under `HEADER`: a line a seed, and the means."""
    columns = (*PARTS, "val_test")
    seeds = [
        [str(record["seed"]), *(f"{record[part]:.4f}" for part in columns), f"{record['seconds']:.1f}"]
        for record in summary["seeds"]
    ]
    return [*seeds, ["mean", *(cell(summary, part) for part in columns), ""]]


def _table(summary: dict[str, Any]) -> str:
    cells = [list(HEADER), *_lines(summary)]
    lines = ["".join(f"{text:<18}" for text in line).rstrip() for line in cells]
    low, high = summary["test_interval"]
    size = f"{summary['parameters']:,} parameters, {summary['epochs']:.0f} epochs"
    return "\n".join([*lines, f"95 % of the test accuracy: {low:.4f} to {high:.4f}; {size}"])


def _pieces(results: dict[str, Any], outcomes: list[Outcome], splits: Splits) -> list[page.Piece]:
    """Return the page: the table, the curves, and what the first seed's network looks for and gets wrong."""
    summary, arrays = results["rows"][0], outcomes[0].arrays
    images, labels = splits["test"]
    outputs, filters = arrays["test_outputs"], draw_filters(arrays["first_weights"], images.shape[1:])
    augmented = "Training figures are of images shifted at random, so they may lie below validation's."
    panels = [panel(summary, what) for what in ("loss", "accuracy")]
    made: list[page.Piece] = [
        page.paragraph(f"{results['data']}. {summary['title']}, {summary['parameters']:,} parameters."),
        page.table("Accuracies. The test images are read once, at the end.", HEADER, _lines(summary)),
        page.Plate("curves", augmented, panels, "loss and accuracy over the epochs"),
        page.Plate("filters", "The filters of the first layer.", [filters], "filters"),
        page.Plate("confusion", "Which class is taken for which.", [draw_confusion(labels, outputs)], "confusions"),
    ]
    sheet = draw_mistakes(images, labels, outputs, class_names(results["options"]["data"], outputs.shape[1]))
    if sheet is not None:
        made.append(page.Plate("mistakes", "The most confident mistakes.", [sheet], "misclassified images"))
    return made
