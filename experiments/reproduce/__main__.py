"""The report's rows on one's own data: tables, results.json and report.html.

python -m experiments.reproduce [--data digits|DIR] [--as tuned|report] [--seeds N] [--out DIR] ...

A run that was interrupted goes on where it was when it is started again with the same arguments.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

from experiments.report.rows import rows_as
from experiments.reproduce.depths import answer, depth_rows, depths_page
from experiments.reproduce.pages import report_page
from experiments.reproduce.tables import markdown, table, val_test_table
from experiments.running import inputs, options
from experiments.running.row import Row
from experiments.running.runs import run
from experiments.running.store import Outcome, Store, write_json
from experiments.running.summary import summarize
from experiments.running.training import count_classes
from experiments.showing import page


def main(arguments: list[str] | None = None) -> None:
    parser = _parser()
    given = parser.parse_args(arguments)
    began = perf_counter()
    with options.reported(parser):
        _check(given)
        store = Store(given.out / "runs")
        found, loaded = inputs.load(given, store)
        print(found)
        rows, seeds = _rows(given, loaded), options.seeds(given)
        jobs = inputs.jobs(rows, seeds, loaded)
        data = (loaded.pixels, loaded.features)
        flat = run(inputs.train_and_test, jobs, data, store, options.cluster(given), _validation)
    outcomes = {row.name: flat[i :: len(rows)] for i, row in enumerate(rows)}
    summaries = [summarize(row, outcomes[row.name], loaded.pixels) for row in rows]
    results = options.configuration(given, found) | {"seconds": perf_counter() - began, "rows": summaries}
    write_json(given.out / "results.json", results)
    (given.out / "table.md").write_text(markdown(summaries), encoding="utf-8")
    classes = count_classes(loaded.pixels)
    print(table(summaries, classes), val_test_table(summaries, classes), sep="\n\n")
    _write_page(given, results, rows, outcomes, loaded)
    print(f"written: report.html and its figures, results.json and table.md, in {given.out}")


def _rows(given: argparse.Namespace, loaded: inputs.Inputs) -> list[Row]:
    rows = rows_as(given.mode, epochs=given.epochs, training_images=len(loaded.pixels["train"][0]))
    return depth_rows(next(row for row in rows if row.name == "improved_grad")) if given.sweep else rows


def _write_page(
    given: argparse.Namespace,
    results: dict[str, Any],
    rows: list[Row],
    outcomes: dict[str, list[Outcome]],
    loaded: inputs.Inputs,
) -> None:
    if given.sweep:
        labels = loaded.pixels["test"][1]
        print("\n" + answer(results["rows"], outcomes, labels))
        title, pieces = depths_page(results, outcomes, labels)
    else:
        title, pieces = report_page(results, rows, outcomes, loaded)
    page.write(given.out, title, [*pieces, *page.configuration(results)])


def _validation(record: dict[str, Any]) -> str:
    return f"validation {record['val']:.4f}"


def _check(given: argparse.Namespace) -> None:
    options.check(given)
    if given.features == "handmade":
        options.require("skimage", "handmade")
    if given.sweep and given.features != "pixels":
        raise ValueError("--sweep depths trains convolutions, which take pixels: leave --features out")


def _parser() -> argparse.ArgumentParser:
    parser = options.parser("reproduce", __doc__)
    add = parser.add_argument
    add("--as", dest="mode", default="tuned", choices=("tuned", "report"), help="whose settings (default: %(default)s)")
    add("--epochs", type=options.positive, metavar="N", help="epochs of every network (default: each row's own)")
    add("--features", default="pixels", choices=("pixels", "handmade"), help="what the perceptrons take")
    add("--sweep", choices=("depths",), help="in place of the rows: other depths of the improved net's convolutions")
    return parser


if __name__ == "__main__":
    main()
