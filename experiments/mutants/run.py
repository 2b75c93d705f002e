"""The run of `experiments.mutants`: it judges all mutants and right cases, prints a table and writes the results."""

from __future__ import annotations

import argparse
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from experiments.mutants.judge import (
    Fate,
    Judgement,
    gradients_of,
    judge_results,
    judge_source,
    modules_of,
    source_mutants,
)
from experiments.mutants.right import check_networks, check_subjects
from experiments.mutants.subjects import SUBJECTS
from experiments.showing.files import write_json
from functional_nn.training import available_cores

KINDS = ("term", "sign", "transpose", "shift", "x 1.01", "x 2", "mask", "mean", "swap", "entry")
NOT_COUNTED = {
    Fate.RAISED: "raise an error of their own",
    Fate.FORWARD: "change the output",
    Fate.SAME: "change nothing",
}
CHUNK = 20
Task = tuple[Callable[..., Any], tuple[Any, ...]]


def run_mutants(options: argparse.Namespace) -> None:
    """Judge all mutants of the subjects and check right cases; print the table and write results.json."""
    subjects, workers = options.subjects or SUBJECTS, options.workers or available_cores()
    print(f"{len(subjects)} subjects, {options.right:,} right cases, seed {options.seed}")
    mutants = _run(list(mutant_tasks(subjects, options.seed)), workers, "mutants")
    judgements = sorted(judgement for some in mutants for judgement in some)
    right = _run(list(right_tasks(options.right, options.seed)), workers, "right cases")
    checked, alarms = sum(count for count, _ in right), [alarm for _, some in right for alarm in some]
    print(table(judgements))
    for judgement in judgements:
        if judgement.fate is Fate.SURVIVED:
            print(f"survived: {judgement.subject}, {judgement.where}, {judgement.change} (by {judgement.size:.2g})")
    print(f"right cases: {checked:,}, false alarms: {len(alarms)}", *alarms, sep="\n")
    results = {
        "seed": options.seed,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "fates": Counter(judgement.fate for judgement in judgements),
        "right": {"checked": checked, "alarms": alarms},
        "mutants": [_entry(judgement) for judgement in judgements],
    }
    write_json(options.out / "results.json", results)
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


def table(judgements: Sequence[Judgement]) -> str:
    """Return rejected / changed for each subject and kind of mutation, and for all."""
    lines = [f"{'rejected / changed':<23}" + "".join(f"{kind:>11}" for kind in KINDS) + f"{'all':>15}"]
    for subject in (*dict.fromkeys(judgement.subject for judgement in judgements), "all"):
        own = [judgement for judgement in judgements if subject in (judgement.subject, "all")]
        cells = [_cell([judgement for judgement in own if judgement.kind == kind]) for kind in KINDS]
        lines.append(f"{subject:<23}" + "".join(f"{cell:>11}" for cell in cells) + f"{_cell(own):>15}")
    fates = Counter(judgement.fate for judgement in judgements)
    changed = fates[Fate.REJECTED] + fates[Fate.SURVIVED]
    share = f"{fates[Fate.REJECTED] / changed:.2%}" if changed else "none"
    lines.append(f"rejected: {share} of the {changed:,} mutants that change a gradient and no output")
    lines.append("not counted: " + ", ".join(f"{fates[fate]:,} {text}" for fate, text in NOT_COUNTED.items()))
    return "\n".join(lines)


def _entry(judgement: Judgement) -> dict[str, Any]:
    """Return a judgement as JSON can hold it: where a gradient has another form, the change has no size."""
    size = judgement.size if np.isfinite(judgement.size) else None
    return judgement._asdict() | {"size": size}


def _cell(judgements: Sequence[Judgement]) -> str:
    fates = Counter(judgement.fate for judgement in judgements)
    changed = fates[Fate.REJECTED] + fates[Fate.SURVIVED]
    return f"{fates[Fate.REJECTED]} / {changed}" if changed else "-"


def _run(tasks: Sequence[Task], workers: int, title: str) -> list[Any]:
    """Run the tasks on `workers` processes at most; return their results in the order in which they finish."""
    parallel = Parallel(n_jobs=max(1, min(workers, len(tasks))), return_as="generator_unordered")
    results = parallel(delayed(function)(*arguments) for function, arguments in tasks)
    return list(tqdm(results, total=len(tasks), desc=title, disable=None))
