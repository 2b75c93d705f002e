"""How a training run begins, on one rank or on several, which must agree on what they train."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys, tree
from functional_nn.content import show
from functional_nn.layer import Params
from functional_nn.parallel import RankError, Ranks, alike
from functional_nn.result import FitResult, in_row_major_order
from functional_nn.training.checkpoint import Checkpoint, Path, begun, rehearse
from functional_nn.training.checks import check_fit, check_run
from functional_nn.training.run import Run

__all__ = ["Start", "agreed_seconds", "began"]


class Start(NamedTuple):
    """What training goes on from, whether a checkpoint held it, and what runs after an epoch on this rank."""

    result: FitResult
    goes_on: bool
    kept: Checkpoint | None = None  # on the first rank alone
    callbacks: Sequence[Callable[[FitResult], bool | None]] = ()


def began(
    run: Run,
    epochs: int,
    params: Params | None,
    resume: FitResult | None,
    checkpoint: Path | None,
    callbacks: Sequence[Callable[[FitResult], bool | None]],
    ranks: Ranks,
) -> Start:
    """Check the run on each rank before any work; return its start, which is the first rank's everywhere."""

    def first() -> tuple[FitResult, Checkpoint | None] | None:
        check_run(run, epochs)
        return begun(checkpoint, run, params, resume) if ranks.rank == 0 else None

    def fits() -> None:
        check_fit(run, result.params)
        if ranks.rank == 0 and len(result.history) < epochs:
            rehearse(result, kept, callbacks)

    with np.errstate(over="ignore", invalid="ignore"):
        result, kept = ranks.agreed(first)[0] or (FitResult({}, (), []), None)
        if ranks.size > 1:
            _check_alike(ranks, _described(run, epochs, params, resume))
        result = in_row_major_order(result)
        ranks.agreed(fits)
    if ranks.rank > 0:
        callbacks = [getattr(callback, "elsewhere", None) or callback for callback in callbacks]
    return Start(result, kept is not None and kept.goes_on, kept if ranks.rank == 0 else None, callbacks)


def agreed_seconds(ranks: Ranks, seconds: float, result: FitResult) -> float:
    """Return the first rank's seconds of an epoch. Raises `RankError` unless all ranks hold the same parameters."""
    if ranks.size == 1:
        return seconds
    everyones = ranks.gather((seconds, _digest(result.params)))
    for rank, (_, digest) in enumerate(everyones):
        if digest != everyones[0][1]:
            remedy = "do they have processors or libraries that round differently? Use machines of one kind"
            raise alike(
                RankError(f"fit: rank {rank} holds other parameters than rank 0 after the same steps: {remedy}")
            )
    return everyones[0][0]


def _described(run: Run, epochs: int, params: Params | None, resume: FitResult | None) -> dict[str, str]:
    """Return what all ranks must be given alike, by the names of `fit`'s arguments."""
    values = (run.model, run.loss, run.optimizer, run.transform, run.batch_size, run.chunk, keys.fold(run.seed), epochs)
    names = ("model", "loss", "optimizer", "transform", "batch_size", "chunk", "seed", "epochs")
    splits = {"data": run.data, "validation": run.validation or ()}
    starts = {"params": params, "resume": None if resume is None else (resume.params, resume.state)}
    return {
        **{name: show(value) for name, value in zip(names, values, strict=True)},
        **{name: ", ".join(show(array) for array in split) for name, split in splits.items()},
        **{name: "None" if start is None else f"arrays of digest {_digest(start)}" for name, start in starts.items()},
    }


def _check_alike(ranks: Ranks, own: dict[str, str]) -> None:
    """Raise `ValueError` on all ranks where one was given other arguments than the first."""
    everyones = ranks.gather(own)
    for rank, theirs in enumerate(everyones):
        for name, value in theirs.items():
            if value != everyones[0][name]:
                what = f"fit: rank 0 was given {name} = {everyones[0][name]}, rank {rank} {value}"
                raise alike(ValueError(f"{what}: all ranks must call fit with the same arguments"))


def _digest(node: Any) -> str:
    """Return a digest of all arrays of a tree."""
    digest = hashlib.blake2b(digest_size=8)
    for path, leaf in tree.items(node):
        digest.update(f"{path} {np.shape(leaf)} {getattr(leaf, 'dtype', type(leaf))} ".encode())
        digest.update(np.ascontiguousarray(leaf).tobytes() if isinstance(leaf, np.ndarray) else repr(leaf).encode())
    return digest.hexdigest()
