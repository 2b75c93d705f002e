"""The run of `experiments.reproduce`: it trains the rows, prints their tables and writes the results."""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

from experiments.report.rows import rows_as
from experiments.reproduce import differences
from experiments.reproduce.depths import answer, depth_rows, depths_page
from experiments.reproduce.pages import reproduction_page
from experiments.reproduce.tables import markdown, table, val_test_table
from experiments.running.inputs import Inputs, jobs, load
from experiments.running.loading import run_configuration
from experiments.running.networks import of_best_seed, of_every_seed, write_networks
from experiments.running.options import seeds
from experiments.running.outcome import Outcome
from experiments.running.row import Row
from experiments.running.runs import Cluster, run
from experiments.running.splits import count_classes
from experiments.running.store import Store
from experiments.running.summary import summarize
from experiments.running.training import train_and_test
from experiments.showing import page
from experiments.showing.files import write_json, write_whole


def reproduce(options: argparse.Namespace) -> None:
    """Train the rows that the options ask for, and write the networks, results.json, table.md and the page."""
    began = perf_counter()
    store = Store(options.out / "runs")
    description, inputs = load(options, store)
    print(description)
    rows = _rows(options, inputs)
    outcomes = run(
        train_and_test,
        jobs(rows, seeds(options), inputs),
        (inputs.pixels, inputs.features),
        store,
        Cluster.of(options),
        lambda record: f"validation {record['val']:.4f}",
    )
    summaries = [summarize(row, outcomes[row.name], inputs.of(row)) for row in rows]
    found = differences.differences([row.name for row in rows], outcomes, inputs.pixels["test"][1])
    results = run_configuration(options, description)
    results |= {"seconds": perf_counter() - began, "rows": summaries, "differences": found}
    write_json(options.out / "results.json", results)
    write_whole(options.out / "table.md", f"{markdown(summaries)}\n{differences.markdown(found)}".encode())
    kept = of_best_seed(outcomes) if options.sweep else of_every_seed(outcomes)
    usage = write_networks(options, description, inputs.classes, kept)
    classes = count_classes(inputs.pixels)
    print(table(summaries, classes), val_test_table(summaries, classes), differences.text(found), sep="\n\n")
    _write_page(options, results, rows, outcomes, inputs)
    print(f"written: {page.FILE} and its figures, results.json and table.md, in {options.out}", usage, sep="\n")


def _rows(options: argparse.Namespace, inputs: Inputs) -> list[Row]:
    rows = rows_as(options.mode, epochs=options.epochs, training_images=len(inputs.pixels["train"][0]))
    return depth_rows(next(row for row in rows if row.name == "improved_grad")) if options.sweep else rows


def _write_page(
    options: argparse.Namespace,
    results: dict[str, Any],
    rows: list[Row],
    outcomes: dict[str, list[Outcome]],
    inputs: Inputs,
) -> None:
    if options.sweep:
        labels, classes = inputs.pixels["test"][1], count_classes(inputs.pixels)
        print("\n" + answer(results["rows"], outcomes, labels, classes))
        title, pieces = depths_page(results, outcomes, labels, classes)
    else:
        title, pieces = reproduction_page(results, rows, outcomes, inputs)
    page.write(options.out, title, [*pieces, *page.configuration(results)])
