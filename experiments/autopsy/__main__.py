"""Why the report's figures were low: each of its defects alone, repaired, and all together.

python -m experiments.autopsy [--data digits|DIR] [--seeds N] [--out DIR] ...

A run that was interrupted goes on where it was when it is started again with the same arguments.
"""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import Any

from experiments.autopsy.course import train_variant
from experiments.autopsy.findings import paragraphs, pieces, text_table, variants_said
from experiments.autopsy.overflow import overflow
from experiments.autopsy.ranking import ranked, summarize
from experiments.autopsy.variants import NETWORKS, Variant, budget, described, variants
from experiments.running import options
from experiments.running.runs import Job, run
from experiments.running.store import Store, code, write_json
from experiments.running.training import Splits, count_classes
from experiments.showing import page
from functional_nn import data

CODE = (
    *(
        f"autopsy/defects/{name}.py"
        for name in ("activations", "catalogue", "centring", "cross_entropy", "pool", "weighted")
    ),
    "autopsy/course.py",
    "autopsy/variants.py",
    "report/rows.py",
)


def main(arguments: list[str] | None = None) -> None:
    parser = _parser()
    given = parser.parse_args(arguments)
    began = perf_counter()
    with options.reported(parser):
        options.check(given)
        found, splits = data.load(given.data, cache=given.cache)
        everything = [variant for network in NETWORKS for variant in variants(network)]
        print(found, f"networks: {variants_said(everything)}", sep="\n")
        jobs, store = _jobs(everything, given, splits), Store(given.out / "runs")
        flat = run(train_variant, jobs, (splits,), store, options.cluster(given), _said)
    count, seeds, images = len(everything), len(options.seeds(given)), len(splits["train"][0])
    rows = [
        summarize(variant, budget(variant.network, images, given.epochs), flat[i::count][:seeds], splits)
        for i, variant in enumerate(everything)
    ]
    ranking, classes, overflows = ranked(rows), count_classes(splits), overflow()
    results = options.configuration(given, found) | {
        "seconds": perf_counter() - began,
        "classes": classes,
        "defects": ranking,
        "overflow": overflows,
        "findings": paragraphs(ranking, rows, overflows, classes),
        "rows": rows,
    }
    write_json(given.out / "results.json", results)
    print(text_table(ranking, rows), *results["findings"], sep="\n\n")
    page.write(given.out, "The autopsy of a report", [*pieces(results), *page.configuration(_brief(results))])
    print(f"\nwritten: results.json, report.html and figures, in {given.out}")


def _jobs(everything: list[Variant], given: argparse.Namespace, splits: Splits) -> list[Job]:
    """Return a job for each variant and seed: all variants of the first seed, then of the next."""
    images, digest, source = len(splits["train"][0]), code(*CODE), data.fingerprint(given.data)
    made = []
    for seed in options.seeds(given):
        for variant in everything:
            spent = budget(variant.network, images, given.epochs)
            settings = described(variant, spent, count_classes(splits))
            configuration = {"role": variant.role, **settings, "seed": seed, "source": source, "code": digest}
            made.append(Job(f"{variant.name}, seed {seed}", configuration, (variant, spent, seed)))
    return made


def _said(record: dict[str, Any]) -> str:
    end = "diverged" if record["diverged"] else f"loss {record['history'][-1]['loss']:.4f}"
    return f"{end}, validation {record['val']:.4f}"


def _brief(results: dict[str, Any]) -> dict[str, Any]:
    """Return the results without what the page shows already."""
    return {key: value for key, value in results.items() if key not in ("defects", "findings")}


def _parser() -> argparse.ArgumentParser:
    parser = options.parser("autopsy", __doc__)
    parser.add_argument("--epochs", type=options.positive, metavar="N", help="of every network (default: by the data)")
    return parser


if __name__ == "__main__":
    main()
