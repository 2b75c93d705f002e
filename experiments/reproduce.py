"""The report's seven rows on one's own data: a table, results.json and pictures of the curves.

python -m experiments.reproduce [--data digits|DIR] [--epochs N] [--seed S] [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np

from experiments.curves import draw_curves
from experiments.rows import NETWORKS, PERCEPTRON, Splits, count_classes, run_network, run_perceptron
from experiments.the_report import PRINTED
from functional_nn import data

TITLES = {row.name: row.title for row in NETWORKS} | {PERCEPTRON: "scikit-learn's Perceptron, one layer"}


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    found, splits = data.load(options.data, cache=options.cache)
    print(found)
    options.out.mkdir(parents=True, exist_ok=True)
    records = run_rows(splits, seed=options.seed, epochs=options.epochs, workers=options.workers)
    print(table(records, count_classes(splits)))
    results = {
        "data": found,
        "seed": options.seed,
        "epochs": options.epochs,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "rows": records,
    }
    (options.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    for record in records:
        if record["history"]:
            draw_curves(record, TITLES[record["model"]], options.out / f"{record['model']}.png")
    print(f"written: {options.out}/results.json and a picture of each row's curves")


def run_rows(splits: Splits, *, seed: int, epochs: int | None, workers: int | None) -> list[dict[str, Any]]:
    """Return the records of all rows, in the order of the report's tables."""
    records = {}
    for row in NETWORKS:
        print(f"{row.title} ({row.name})")
        records[row.name] = run_network(row, splits, seed=seed, epochs=epochs, workers=workers)
    print(f"{TITLES[PERCEPTRON]} ({PERCEPTRON})")
    records[PERCEPTRON] = run_perceptron(splits, seed=seed, workers=workers)
    return [records[name] for name in PRINTED]


def table(records: list[dict[str, Any]], classes: int) -> str:
    """Return the records beside the report's printed figures, which are of another data set."""
    lines = [
        f"{'':<20}{'this run, ' + str(classes) + ' classes':^35}  {'the report (other data, 50 classes)':>30}",
        f"{'model':<20}{'train':>8}{'val':>8}{'test':>8}{'s/epoch':>11}  {'train':>13}{'val':>11}{'test':>11}",
    ]
    for record in records:
        printed = PRINTED[record["model"]]
        ours = "".join(f"{record[part]:8.4f}" for part in ("train", "val", "test"))
        theirs = "".join("          -" if figure is None else f"{figure:11.4f}" for figure in printed[:3])
        lines.append(f"{record['model']:<20}{ours}{record['epoch_seconds']:11.3f}    {theirs}")
    return "\n".join(lines)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.reproduce", description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help='"digits", or a directory of images (default: %(default)s)')
    parser.add_argument("--epochs", type=_positive, help="epochs of every network (default: each row's own)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights, the batches and their transforms")
    parser.add_argument("--out", type=Path, default=Path("out/reproduce"), help="default: %(default)s")
    parser.add_argument("--workers", type=_positive, help="threads (default: all cores); the figures do not change")
    parser.add_argument("--cache", type=Path, metavar="FILE.npz", help="keep the decoded images in this file")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    main()
