"""What becomes of a mutant: it changes nothing, changes the output, raises, is rejected, or survives."""

from __future__ import annotations

import ast
import importlib.util
import textwrap
import warnings
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.mutants.cases import Arrays, Case, Library
from experiments.mutants.copies import Place, functions_run, library_copy, unwritten_memory
from experiments.mutants.results import MISTAKES, mistaken
from experiments.mutants.source import Mutant, changed, mutants
from experiments.mutants.subjects import draw_case
from functional_nn import keys
from functional_nn.testing import GradientError

CASES = 5  # configurations of each subject
COTANGENTS = (101, 102)  # not the checker's own
ROUNDING = 1e-12  # of an array's largest entry; smaller differences are rounding


class Fate(StrEnum):
    """What becomes of a mutant; the share that the checker rejects counts REJECTED and SURVIVED alone."""

    SAME = "same"  # it changes no result, on any case
    FORWARD = "forward"  # it changes the output: a wrong forward, not a wrong backward
    RAISED = "raised"  # it raises an error of its own where it is called
    CHANGED = "changed"  # it changes gradients: the checker decides which of the next two it is
    REJECTED = "rejected"  # it changes gradients, and the checker rejects it on every case where it does
    SURVIVED = "survived"


class Judgement(NamedTuple):
    """The fate of one mutant, and how large the change was, relative to the array, where it survived."""

    subject: str
    kind: str
    where: str
    change: str
    fate: Fate
    size: float = 0.0


def judge_source(subject: str, module: str, numbers: list[int], seed: int) -> list[Judgement]:
    """Judge the source mutants with these numbers, of a subject in one module."""
    syntax, file, all_mutants = source_mutants(subject, module, seed)
    judgements = []
    for number in numbers:
        mutant = all_mutants[number]
        fate, size = _fate(lambda mutant=mutant: _source_mutant(module, syntax, mutant), subject, seed)
        text = textwrap.shorten(mutant.text, 160)
        judgements.append(Judgement(subject, mutant.kind, f"{file}:{mutant.line}", text, fate, size))
    return judgements


def judge_results(subject: str, path: str, seed: int) -> list[Judgement]:
    """Judge all mutants of one of the gradients that a subject's pullback returns."""
    right = _cases(subject, seed)
    judgements = []
    for kind, text, mistake in MISTAKES:
        wrong = [mistaken(case.right, path, mistake) for case in right]
        fate, size = _judge(right, wrong, seed)
        judgements.append(Judgement(subject, kind, f"the gradient of {path}", text, fate, size))
    return judgements


def gradients_of(subject: str, seed: int) -> list[str]:
    """Return the names of the gradients that a subject's pullback returns."""
    cases = _cases(subject, seed)
    return sorted({path for case in cases for path, _ in case.results(case.right, COTANGENTS[0]) if path != "y"})


def modules_of(subject: str, seed: int) -> list[str]:
    """Return the modules of the library that a subject's training pass and pullback run through."""
    return sorted({module for module, _ in _functions(subject, seed)})


@cache
def source_mutants(subject: str, module: str, seed: int) -> tuple[ast.Module, str, list[Mutant]]:
    """Return the module's syntax tree, its file's name, and the mutants of what the subject runs of it."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ValueError(f"{module} has no source file")
    syntax = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    lines = {line for name, line in _functions(subject, seed) if name == module}
    return syntax, Path(spec.origin).name, mutants(syntax, lines)


@cache
def _functions(subject: str, seed: int) -> set[Place]:
    def train() -> None:
        for case in _draw(subject, seed, library):
            case.results(case.right, COTANGENTS[0])
            case.results_without_dx(case.right, COTANGENTS[0])

    library = library_copy()
    return functions_run(train)


@cache
def _cases(subject: str, seed: int) -> list[Case]:
    return list(_draw(subject, seed, library_copy()))


def _draw(subject: str, seed: int, library: Library) -> Iterator[Case]:
    for number in range(CASES):
        yield draw_case(subject, keys.fold(seed, number), library)


def _source_mutant(module: str, syntax: ast.Module, mutant: Mutant) -> Library:
    with changed(syntax, mutant) as wrong:
        return library_copy(module, wrong)


def _fate(make: Callable[[], Library], subject: str, seed: int) -> tuple[Fate, float]:
    right = _cases(subject, seed)
    try:
        with unwritten_memory():
            drawn = _draw(subject, seed, make())
            wrong = [case.right.replace(vjp=other.right.vjp) for case, other in zip(right, drawn, strict=True)]
    except Exception:
        return Fate.RAISED, 0.0
    return _judge(right, wrong, seed)


def _judge(right: list[Case], wrong: list[Any], seed: int) -> tuple[Fate, float]:
    """Compare the mutant with the right pullback on every case; ask the checker on the cases where it differs."""
    with warnings.catch_warnings(), np.errstate(all="ignore"), unwritten_memory():
        warnings.simplefilter("ignore")
        sizes = [_difference(case, mutant) for case, mutant in zip(right, wrong, strict=True)]
        if any(fate is Fate.FORWARD for fate, _ in sizes):
            return Fate.FORWARD, 0.0
        changed_cases = [i for i, (fate, _) in enumerate(sizes) if fate is Fate.CHANGED]
        if not changed_cases:
            return (Fate.RAISED if any(fate is Fate.RAISED for fate, _ in sizes) else Fate.SAME), 0.0
        answers = [(_ask(right[i], wrong[i], seed), sizes[i][1]) for i in changed_cases]
    survived = [size for answer, size in answers if answer is Fate.SURVIVED]
    if survived:
        return Fate.SURVIVED, max(survived)
    return (Fate.RAISED if any(answer is Fate.RAISED for answer, _ in answers) else Fate.REJECTED), 0.0


def _ask(case: Case, mutant: Any, seed: int) -> Fate:
    try:
        case.check(mutant, seed)
    except GradientError:
        return Fate.REJECTED
    except Exception:
        return Fate.RAISED
    return Fate.SURVIVED


def _difference(case: Case, mutant: Any) -> tuple[Fate, float]:
    """Return SAME, FORWARD, RAISED or CHANGED, and the largest relative change."""
    worst = 0.0
    for cotangent in COTANGENTS:
        for results in ("results", "results_without_dx"):
            expected = getattr(case, results)(case.right, cotangent)
            try:
                got = getattr(case, results)(mutant, cotangent)
            except Exception:
                return Fate.RAISED, 0.0
            apart = _apart(expected[:1], got[:1])
            if apart > ROUNDING:
                return Fate.FORWARD, apart
            worst = max(worst, _apart(expected, got))
    return (Fate.CHANGED, worst) if worst > ROUNDING else (Fate.SAME, worst)


def _apart(expected: Arrays, got: Arrays) -> float:
    """Return the largest change of an entry, relative to its array's largest; inf where shapes or names differ."""
    if [path for path, _ in expected] != [path for path, _ in got]:
        return np.inf
    worst = 0.0
    for (_, right), (_, wrong) in zip(expected, got, strict=True):
        if not isinstance(wrong, np.ndarray) or (right.shape, right.dtype) != (wrong.shape, wrong.dtype):
            return np.inf
        if right.size:
            change = float(np.abs(wrong - right).max()) / (float(np.abs(right).max()) or 1.0)
            worst = max(worst, np.inf if np.isnan(change) else change)
    return worst
