"""How a training run begins, on one rank or on several, which must agree on what they train."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys
from functional_nn.content import show
from functional_nn.layer import Params
from functional_nn.parallel import RankError, Ranks, alike
from functional_nn.result import FitResult, in_row_major_order
from functional_nn.saving.description import described, differences, summed
from functional_nn.saving.document import digest
from functional_nn.saving.encode import Node
from functional_nn.training.callbacks import KeepBest
from functional_nn.training.checkpoint import Checkpoint, Path, begun, rehearse
from functional_nn.training.checks import as_callbacks, check_fit, check_run
from functional_nn.training.run import AnyCallback, Data, OneOrMoreCallbacks, Run

__all__ = ["Start", "agreed_seconds", "began"]

COMPARED_TARGETS = 256  # of all, evenly spaced: enough to see that they stand in another order


class Start(NamedTuple):
    """What training goes on from, whether a checkpoint held it, and what runs after an epoch on this rank."""

    result: FitResult
    goes_on: bool
    kept: Checkpoint | None = None  # which the first rank alone writes
    callbacks: tuple[AnyCallback, ...] = ()


def began(
    run: Run,
    epochs: int,
    params: Params | None,
    resume: FitResult | None,
    checkpoint: Path | None,
    callback: OneOrMoreCallbacks,
    ranks: Ranks,
) -> Start:
    """Check the run on each rank before any work; return its start, which is the first rank's everywhere."""

    def first() -> tuple[FitResult, Checkpoint | None] | None:
        check_run(run, epochs)
        as_callbacks(callback)
        return begun(checkpoint, run, params, resume) if ranks.rank == 0 else None

    def fits() -> dict[str, Any]:
        check_fit(run, result.params, ranks)
        if ranks.rank > 0:
            return {}
        if len(result.history) < epochs:
            rehearse(result, kept, callbacks)
        return {repr(one): one.found(result) for one in callbacks if ranks.size > 1 and isinstance(one, KeepBest)}

    with np.errstate(over="ignore", invalid="ignore"):
        result, kept = ranks.agreed(first)[0] or (FitResult({}, (), []), None)
        callbacks = as_callbacks(callback)
        if ranks.size > 1:
            _check_alike(ranks.agreed(lambda: _described(run, epochs, params, resume)))
        result = in_row_major_order(result)
        found = ranks.agreed(fits)[0]
    if ranks.rank > 0:
        callbacks = tuple(_elsewhere(one, found) for one in callbacks)
    return Start(result, kept is not None and kept.goes_on, kept, callbacks)


def agreed_seconds(ranks: Ranks, seconds: float, result: FitResult) -> float:
    """Return the first rank's seconds of an epoch. Raises `RankError` unless all ranks hold the same parameters."""
    if ranks.size == 1:
        return seconds
    everyones = ranks.gather((seconds, summed(result.params, "params")))
    for rank, (_, params) in enumerate(everyones):
        if params != everyones[0][1]:
            remedy = "do they have processors or libraries that round differently? Use machines of one kind"
            raise alike(
                RankError(f"fit: rank {rank} holds other parameters than rank 0 after the same steps: {remedy}")
            )
    return everyones[0][0]


def _elsewhere(callback: AnyCallback, found: dict[str, Any]) -> AnyCallback:
    """Return what another rank than the first calls, which writes no file; `found` is what the first's hold."""
    if isinstance(callback, KeepBest):
        return partial(callback.elsewhere, found=found.get(repr(callback)))
    return getattr(callback, "elsewhere", None) or callback


def _described(run: Run, epochs: int, params: Params | None, resume: FitResult | None) -> dict[str, Node]:
    """Return what all ranks must be given alike, by the names of `fit`'s arguments; of the inputs the shape alone."""
    values = run._asdict() | {"seed": keys.fold(run.seed), "epochs": epochs}
    starts = {"params": params, "resume": None if resume is None else (resume.params, resume.state)}
    nodes = {name: _node(value) for name, value in values.items() if name not in ("data", "validation", "workers")}
    nodes |= {name: _of_split(split) for name, split in (("data", run.data), ("validation", run.validation))}
    return nodes | {name: None if start is None else summed(start, name) for name, start in starts.items()}


def _node(value: Any) -> Node:
    try:
        return described(value)
    except TypeError:  # a lambda, say, which is known by its text alone
        return {"function": re.sub(" at 0x[0-9a-f]+", "", show(value))}


def _of_split(split: Data | None) -> Node:
    if split is None:
        return None
    x, targets = split
    order = digest(targets[:: max(1, len(targets) // COMPARED_TARGETS)])
    return {"inputs": {"array": show(x)}, "targets": {"array": f"{show(targets)}, sha256 {order[:32]}"}}


def _check_alike(everyones: list[dict[str, Node]]) -> None:
    """Raise `ValueError` on all ranks, which lists what differs, where one was given other arguments than the first."""
    for rank, theirs in enumerate(everyones):
        lines = "\n  ".join(differences(theirs, everyones[0], there="on rank 0"))
        if lines:
            what = f"fit: rank {rank} was given other arguments than rank 0"
            raise alike(ValueError(f"{what}:\n  {lines}\nall ranks must call fit with the same ones"))
