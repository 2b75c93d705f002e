"""How many wrong backwards the gradient checker rejects, and how many right ones: a table, and results.json.

    python -m experiments.mutants [--subjects relu,conv2d] [--right N] [--seed S] [--workers N] [--out DIR]

Every public layer, combinator and loss is broken automatically: in its source (a term dropped, a sign flipped, ...) and
in the gradients that it returns. A mutant counts if it changes a gradient and not the output, which a comparison with
the right pullback decides, not the checker; it is rejected only if the checker rejects it wherever it changes one.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from experiments.mutants.judge import (
    Fate,
    Verdict,
    gradients_of,
    judge_results,
    judge_source,
    modules_of,
    source_mutants,
)
from experiments.mutants.right import check_networks, check_subjects
from experiments.mutants.subjects import SUBJECTS

KINDS = ("term", "sign", "transpose", "shift", "x 1.01", "x 2", "mask", "mean", "swap", "entry")
APART = {
    Fate.RAISED: "raise an error of their own",
    Fate.FORWARD: "change the output",
    Fate.SAME: "change nothing",
}
CHUNK = 20
Task = tuple[Callable[..., Any], tuple[Any, ...]]


def main(arguments: list[str] | None = None) -> None:
    options = _parse(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    verdicts = [
        verdict
        for found in _run(list(mutant_tasks(options.subjects, options.seed)), options.workers, "mutants")
        for verdict in found
    ]
    verdicts.sort()
    outcomes = _run(list(right_tasks(options.right, options.seed)), options.workers, "right cases")
    checked, alarms = sum(count for count, _ in outcomes), [alarm for _, found in outcomes for alarm in found]
    print(table(verdicts))
    for verdict in verdicts:
        if verdict.fate is Fate.SURVIVED:
            print(f"survived: {verdict.subject}, {verdict.where}, {verdict.change} (by {verdict.size:.2g})")
    print(f"right cases: {checked:,}, false alarms: {len(alarms)}", *alarms, sep="\n")
    results = {
        "seed": options.seed,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "fates": Counter(verdict.fate for verdict in verdicts),
        "right": {"checked": checked, "alarms": alarms},
        "mutants": [verdict._asdict() for verdict in verdicts],
    }
    (options.out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
    print(f"written: {options.out}/results.json")


def mutant_tasks(subjects: Sequence[str], seed: int) -> Iterator[Task]:
    """Yield the calls that judge all mutants of these subjects."""
    for subject in subjects:
        for path in gradients_of(subject, seed):
            yield judge_results, (subject, path, seed)
        for module in modules_of(subject, seed):
            numbers = range(len(source_mutants(subject, module, seed)[2]))
            for first in numbers[::CHUNK]:
                yield judge_source, (subject, module, list(numbers[first : first + CHUNK]), seed)


def right_tasks(count: int, seed: int) -> Iterator[Task]:
    """Yield the calls that check `count` right cases, half of them networks."""
    half = count // 2
    for first in range(0, count - half, 10 * CHUNK):
        yield check_subjects, (range(first, min(first + 10 * CHUNK, count - half)), seed)
    for first in range(0, half, 10 * CHUNK):
        yield check_networks, (min(10 * CHUNK, half - first), seed + first)


def table(verdicts: Sequence[Verdict]) -> str:
    """Return rejected / changed for each subject and kind of mutation, and for all."""
    lines = [f"{'rejected / changed':<23}" + "".join(f"{kind:>11}" for kind in KINDS) + f"{'all':>15}"]
    for subject in (*dict.fromkeys(verdict.subject for verdict in verdicts), "all"):
        own = [verdict for verdict in verdicts if subject in (verdict.subject, "all")]
        cells = [_cell([verdict for verdict in own if verdict.kind == kind]) for kind in KINDS]
        lines.append(f"{subject:<23}" + "".join(f"{cell:>11}" for cell in cells) + f"{_cell(own):>15}")
    fates = Counter(verdict.fate for verdict in verdicts)
    changed = fates[Fate.REJECTED] + fates[Fate.SURVIVED]
    share = f"{fates[Fate.REJECTED] / changed:.2%}" if changed else "none"
    lines.append(f"rejected: {share} of the {changed:,} mutants that change a gradient and no output")
    lines.append("not counted: " + ", ".join(f"{fates[fate]:,} {text}" for fate, text in APART.items()))
    return "\n".join(lines)


def _cell(verdicts: Sequence[Verdict]) -> str:
    fates = Counter(verdict.fate for verdict in verdicts)
    changed = fates[Fate.REJECTED] + fates[Fate.SURVIVED]
    return f"{fates[Fate.REJECTED]} / {changed}" if changed else "-"


def _run(tasks: Sequence[Task], workers: int, title: str) -> list[Any]:
    """Run the tasks on `workers` processes; their results in the order in which they come."""
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered")
    results = parallel(delayed(function)(*arguments) for function, arguments in tasks)
    return list(tqdm(results, total=len(tasks), desc=title))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--subjects", type=_subjects, default=SUBJECTS, help="layers and losses (default: all)")
    parser.add_argument("--right", type=_whole, default=10_000, help="right cases to check (default: %(default)s)")
    parser.add_argument("--seed", type=_whole, default=0, help="of the configurations, the inputs and the checks")
    parser.add_argument("--out", type=Path, default=Path("out/mutants"), help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=-1, help="processes (default: all cores)")
    return parser.parse_args(arguments)


def _subjects(text: str) -> list[str]:
    unknown = sorted(set(text.split(",")) - set(SUBJECTS))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: expected some of {','.join(SUBJECTS)}")
    return text.split(",")


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number")
    return int(text)


if __name__ == "__main__":
    main()
