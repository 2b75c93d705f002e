"""The run of `experiments.autopsy`: it trains all variants, ranks the defects and writes the results."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from experiments.autopsy import defects
from experiments.autopsy.course import train_variant
from experiments.autopsy.defects import CONSTRUCTORS
from experiments.autopsy.findings import paragraphs
from experiments.autopsy.pages import autopsy_page, write_overview
from experiments.autopsy.ranking import ranked, variant_summary
from experiments.autopsy.tables import markdown, text_table
from experiments.autopsy.variants import Network, Variant, budget, configuration, networks_with, variants
from experiments.autopsy.verdicts import overflow
from experiments.running.loading import fingerprint, load_splits, run_configuration
from experiments.running.networks import of_best_seed, write_networks
from experiments.running.options import seeds
from experiments.running.runs import Cluster, Job, run
from experiments.running.splits import Splits, count_classes
from experiments.running.store import Store, code
from experiments.showing import page
from experiments.showing.files import write_json, write_whole


def autopsy(options: argparse.Namespace) -> None:
    """Train every variant of every network, and write each one's best network, results.json, table.md and the page."""
    began = perf_counter()
    description, splits, class_names = load_splits(options)
    networks = networks_with(options.defects)
    everything = [variant for network in networks for variant in variants(network)]
    print(description, f"networks: {_counts(networks)}", sep="\n")
    jobs, store = _jobs(everything, options, splits), Store(options.out / "runs", CONSTRUCTORS)
    outcomes = run(train_variant, jobs, (splits,), store, Cluster.of(options), _progress_text)
    images = len(splits["train"][0])
    rows = [
        variant_summary(variant, budget(variant.network, images, options.epochs), outcomes[variant.name], splits)
        for variant in everything
    ]
    ranking, classes, overflows = ranked(rows, networks), count_classes(splits), overflow()
    results = run_configuration(options, description) | {
        "seconds": perf_counter() - began,
        "classes": classes,
        "defects": ranking,
        "overflow": overflows,
        "findings": paragraphs(ranking, rows, overflows, classes, networks),
        "rows": rows,
    }
    write_json(options.out / "results.json", results)
    write_whole(options.out / "table.md", markdown(ranking, rows).encode())
    best = of_best_seed(outcomes)
    usage = write_networks(options, description, class_names, best, constructors=defects.__name__)
    print(text_table(ranking, rows), *results["findings"], sep="\n\n")
    title, pieces = autopsy_page(results)
    page.write(options.out, title, [*pieces, *page.configuration(_brief(results))])
    write_overview(options.out, results)
    print(f"\nwritten: results.json, table.md, {page.FILE} and figures, in {options.out}", usage, sep="\n")


def _jobs(everything: list[Variant], options: argparse.Namespace, splits: Splits) -> list[Job]:
    """Return a job for each variant and seed: all variants of the first seed, then of the next."""
    images, classes = len(splits["train"][0]), count_classes(splits)
    common = {"source": fingerprint(options), "code": code(train_variant)}
    jobs = []
    for seed in seeds(options):
        for variant in everything:
            own_budget = budget(variant.network, images, options.epochs)
            own = {"role": variant.role, **configuration(variant, own_budget, classes), "seed": seed}
            jobs.append(Job(variant.name, seed, own | common, (variant, own_budget, seed)))
    return jobs


def _counts(networks: Sequence[Network]) -> str:
    """Return how many networks of which kinds are trained."""
    return ", ".join(f"{len(variants(network))} of {network.title}" for network in networks)


def _progress_text(record: dict[str, Any]) -> str:
    end = "diverged" if record["diverged"] else f"loss {record['history'][-1]['loss']:.4f}"
    return f"{end}, validation {record['val']:.4f}"


def _brief(results: dict[str, Any]) -> dict[str, Any]:
    """Return the results without those that the page shows elsewhere."""
    return {key: value for key, value in results.items() if key not in ("defects", "findings")}
