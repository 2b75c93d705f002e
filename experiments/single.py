"""One network on one data set: its seeds, its table, and a page with its curves, filters and mistakes."""

from __future__ import annotations

import argparse
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from experiments.running.inputs import Inputs, jobs
from experiments.running.loading import fingerprint, load_splits, run_configuration
from experiments.running.networks import first_weights, of_every_seed, write_networks
from experiments.running.options import seeds
from experiments.running.outcome import Outcome
from experiments.running.paired import t_interval
from experiments.running.row import Row
from experiments.running.runs import Cluster, run
from experiments.running.splits import Splits
from experiments.running.store import Store
from experiments.running.summary import Summary, cell, summarize
from experiments.running.training import train_and_test
from experiments.showing import page
from experiments.showing.curves import panel
from experiments.showing.files import write_json
from functional_nn import plots

CONFUSION = (
    "Classes and predicted classes. A shaded cell beside the diagonal is a class that is often taken for another."
)
CONFUSIONS = "The most frequent confusions. Look for what the two classes share."
MISTAKES = "The most confident mistakes: the prediction, its probability, and the class. Would you have known better?"
COLUMNS = {"train": "train", "val": "val", "test": "test", "val_test": "val + test"}


def train_one(options: argparse.Namespace, row: Row, title: str, *, held_out: bool) -> None:
    """Train a row from every seed, print its table, and write the networks, results.json and a page with this title.

    Unless `held_out`, the networks train on the validation images as well, and no figure is one of validation.
    """
    began = perf_counter()
    description, splits, classes = load_splits(options)
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
        lambda record: f"validation {record['val']:.4f}" if held_out else f"train {record['train']:.4f}",
    )[row.name]
    summary = summarize(row, outcomes, splits)
    results = run_configuration(options, description) | {"seconds": perf_counter() - began, "rows": [summary]}
    write_json(options.out / "results.json", results)
    usage = write_networks(options, description, classes, of_every_seed({row.name: outcomes}))
    print(_table(summary))
    page.write(options.out, title, [*_pieces(results, outcomes, splits, classes), *page.configuration(results)])
    print(f"written: results.json and {page.FILE}, in {options.out}", usage, sep="\n")


def whole(splits: Splits) -> Splits:
    """Return "train", with the validation images at its end, and "test"."""
    images, labels = (np.concatenate(arrays) for arrays in zip(splits["train"], splits["val"], strict=True))
    return {"train": (images, labels), "test": splits["test"]}


def _header(summary: Summary) -> list[str]:
    return ["seed", *(title for key, title in COLUMNS.items() if key in summary), "seconds"]


def _lines(summary: Summary) -> list[list[str]]:
    """Return the cells under the header: a line a seed, and the means."""
    columns = [key for key in COLUMNS if key in summary]
    of_seeds = [
        [str(record["seed"]), *(f"{record[part]:.4f}" for part in columns), f"{record['seconds']:.1f}"]
        for record in summary["seeds"]
    ]
    return [*of_seeds, ["mean", *(cell(summary, part) for part in columns), ""]]


def _table(summary: Summary) -> str:
    cells = [_header(summary), *_lines(summary)]
    lines = ["".join(f"{text:<18}" for text in line).rstrip() for line in cells]
    low, high = summary["test_interval"]
    size = f"{summary['parameters']:,} parameters, {summary['epochs']:.0f} epochs"
    over_images = f"95 % of the test accuracy: {low:.4f} to {high:.4f} over images{_over_seeds(summary)}"
    return "\n".join([*lines, f"{over_images}; {size}"])


def _over_seeds(summary: Summary) -> str:
    interval = t_interval([record["test"] for record in summary["seeds"]])
    return ", one seed" if interval is None else f", {interval[0]:.4f} to {interval[1]:.4f} of its mean over seeds"


def _pieces(
    results: dict[str, Any], outcomes: list[Outcome], splits: Splits, classes: tuple[str, ...]
) -> list[page.Piece]:
    """Return the page: the table and the curves, and the filters and mistakes of the first seed's network."""
    summary, first = results["rows"][0], outcomes[0]
    images, labels = splits["test"]
    outputs, filters = first.arrays["test_outputs"], partial(plots.filters, first_weights(first.network))
    names = classes[: outputs.shape[1]]
    augmented = (
        "Loss and accuracy by epoch: look where the curves become flat. Training figures are of images that are "
        "changed at random, so they may lie below those of others."
    )
    pieces: list[page.Piece] = [
        f"{results['data']}. `{summary['model']}`: {summary['title']}, {summary['parameters']:,} parameters.",
        page.Table("Accuracies. The test images are read once, at the end.", _header(summary), _lines(summary)),
        page.Plate(
            "curves",
            augmented,
            [page.Panel(partial(panel, summary, what), f"{what} over the epochs") for what in ("loss", "accuracy")],
        ),
    ]
    for name, caption, draw in (
        ("filters", "The filters of the first layer. Look for edges and blobs.", filters),
        ("confusion", CONFUSION, partial(plots.confusion, labels, outputs, names)),
        ("confusions", CONFUSIONS, partial(plots.confusions, images, labels, outputs, names)),
        ("mistakes", MISTAKES, partial(plots.mistakes, images, labels, outputs, names)),
    ):
        drawn = page.Panel(lambda draw=draw: page.figure_of(draw()), f"{name} of {summary['model']}")
        pieces.append(page.Plate(name, caption, [drawn], wide=True))
    return pieces
