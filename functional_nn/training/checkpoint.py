"""The file in which `fit` keeps a run: its result after the last whole epoch, and what the run is.

The result is stored as `fnn.save` stores it. Beside it stands a description of the run as JSON: the calls of model,
loss, optimizer and transform, and digests of arrays. It is compared with that of a call of `fit`, so nothing in a file
of another run is made. It is computed once a run: large arrays do not slow the epochs down.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys
from functional_nn.files import exists
from functional_nn.layer import Params
from functional_nn.result import FitResult
from functional_nn.saving.description import described, differences, summed
from functional_nn.saving.encode import Node
from functional_nn.saving.names import Known, named_tuples_in
from functional_nn.saving.store import save_with_extra, stored
from functional_nn.training.checks import first_result
from functional_nn.training.evaluation import as_it_is
from functional_nn.training.run import Data, Run

__all__ = ["Checkpoint", "begun", "rehearse"]

Path = str | os.PathLike[str]

REMEDY = "give the disk what it lacks and call fit as before, which goes on from the last epoch that is kept"


class Checkpoint(NamedTuple):
    """Where a run is kept, what it is as JSON, and whether it goes on from the file."""

    path: str
    description: str
    goes_on: bool

    def rehearse(self, result: FitResult) -> None:
        """Write the result and remove it again: raise before any work what `write` would raise after it."""
        save_with_extra(self.path, result, self.description, trial=True)

    def write(self, result: FitResult) -> None:
        """Keep a result. Raises `OSError`, which says what is kept: that of an epoch before."""
        try:
            save_with_extra(self.path, result, self.description)
        except OSError as error:
            what = f"fit: epoch {len(result.history)} cannot be kept: {error.strerror}: {REMEDY}"
            raise OSError(error.errno or errno.EIO, what, self.path) from error


def begun(
    path: Path | None, run: Run, params: Params | None, resume: FitResult | None
) -> tuple[FitResult, Checkpoint | None]:
    """Return the result that training goes on from, that of the file where there is one, and the checkpoint.

    Raises `ValueError`, which lists what differs, for the file of another run.
    """
    if path is None:
        return first_result(params, resume, run.optimizer), None
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"fit: checkpoint is a {type(path).__name__}, expected the path of a file")
    path = os.fspath(path)
    goes_on = exists(path)
    start = None
    if not goes_on or params is not None or resume is not None:
        start = first_result(params, resume, run.optimizer)
    description = _described(run, start)
    if start is not None and not goes_on:
        return start, Checkpoint(path, json.dumps(description), goes_on)
    file = stored(path)
    extra = file.decoded("extra", Known(()))
    _check_same(path, description, extra)
    tuples = named_tuples_in(_drawn(run) if start is None else start)
    result = file.decoded("value", Known(tuples))
    return first_result(None, result, run.optimizer), Checkpoint(path, extra, goes_on)


def rehearse(result: FitResult, checkpoint: Checkpoint | None, callbacks: Sequence[Any]) -> None:
    """Raise before any work what writing the checkpoint and the callbacks' files would raise after it."""
    for callback in callbacks:
        getattr(callback, "rehearse", lambda: None)()
    if checkpoint is not None:
        checkpoint.rehearse(result)


def _described(run: Run, start: FitResult | None) -> dict[str, Node]:
    """Return all that the result follows from, but for the number of epochs."""
    values: dict[str, Any] = {
        "model": run.model,
        "loss": run.loss,
        "optimizer": run.optimizer,
        "transform": None if run.transform is as_it_is else run.transform,
        "data": _named(run.data),
        "validation": None if run.validation is None else _named(run.validation),  # the history holds its figures
        "batch_size": int(run.batch_size),
        "chunk": None if run.chunk is None else int(run.chunk),
        "seed": keys.fold(run.seed),
    }
    try:
        return {**described(values)["dict"], **({} if start is None else {"start": _started(start)})}
    except TypeError as error:
        raise TypeError(f"fit: a checkpoint says what its run is made of, but {error}") from error


def _named(data: Data) -> dict[str, np.ndarray]:
    return {"inputs": data[0], "targets": data[1]}


def _started(start: FitResult) -> dict[str, Node]:
    """Return the start by its digests; with no epoch behind it the state follows from the optimizer."""
    state = summed(start.state, "state")  # refused here if no file can keep it
    started = {"epochs": len(start.history), "params": summed(start.params, "params")}
    return started | ({"state": state} if start.history else {})


def _check_same(path: str, given: dict[str, Node], extra: Any) -> None:
    """Raise `ValueError`, which says what to do, unless the file's description is the one given."""
    if not isinstance(extra, str):
        remedy = f"to go on from what it holds give resume=fnn.load({path!r}), and another checkpoint"
        raise ValueError(f"{path}: fit did not write this file as a checkpoint: {remedy}")
    kept = json.loads(extra)
    if "start" not in given:  # params and resume are both None
        kept.pop("start", None)
    lines = list(differences(given, kept))
    if lines:
        remedy = (
            "name another file for this run, or give what the file's was given (params may be None); this run goes on "
            f"from its result by resume=fnn.load({path!r}) and another checkpoint"
        )
        raise ValueError(f"{path}: this checkpoint is of another run:\n  " + "\n  ".join(lines) + f"\n{remedy}")


def _drawn(run: Run) -> Any:
    """Return parameters and a state as this run's are, by which the classes of their named tuples are known."""
    x, _ = run.data
    params = run.model.init(np.random.default_rng(0), run.transform(x[:1], None).shape[1:])
    return params, run.optimizer.init(params)
