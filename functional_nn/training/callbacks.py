"""Callbacks of `fit`: functions of the result so far, called after every epoch; training ends where one returns True.

    fnn.fit(..., callback=[early_stopping(5), csv_log("history.csv")])

`early_stopping` and `csv_log` look at the history alone, so they do the same after a resume as in a run that was never
interrupted. `keep_best` does where it has a path.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from functional_nn.arguments import as_path, count, optional
from functional_nn.content import same
from functional_nn.files import exists, replaced
from functional_nn.result import FitResult
from functional_nn.saving.names import named_tuples_in
from functional_nn.saving.store import container_of, load, save
from functional_nn.training.run import AnyCallback
from functional_nn.value import Value, constructor

__all__ = ["Callback", "KeepBest", "csv_log", "early_stopping", "keep_best"]


@dataclass(frozen=True, eq=False, repr=False)
class Callback(Value):
    """A callback as a value; any function of a FitResult is a callback too.

    >>> callbacks.Callback(lambda result: result.history[-1]["loss"] < 0.1)(fnn.FitResult({}, (), [{"loss": 0.05}]))
    True
    """

    function: AnyCallback
    rehearse: Callable[[], None] = lambda: None  # raises before training what the function would raise after an epoch
    elsewhere: AnyCallback | None = None  # what other ranks than the first call; None: the same

    def __call__(self, result: FitResult) -> bool | None:
        """Look at the result so far; return True to end training."""
        return self.function(result)


def _monitor(constructor: str, name: str, value: Any) -> str:
    if value not in ("loss", "accuracy", "val_loss", "val_accuracy"):
        known = "loss, accuracy, val_loss or val_accuracy"
        raise ValueError(f"{constructor}: {name} is {value!r}, expected {known}")
    return str(value)


def _file(constructor: str, name: str, value: Any) -> str:
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{constructor}: {name} is a {type(value).__name__}, expected the path of a file")
    container_of(os.fspath(value))
    return os.fspath(value)


@constructor(patience=count, monitor=_monitor)
def early_stopping(patience: int, monitor: str = "val_loss") -> Callback:
    """Return the callback that ends training when the monitored figure is no better for `patience` epochs.

    `monitor` is "loss", "accuracy", "val_loss" or "val_accuracy"; a lower loss and a higher accuracy are better. Raises
    `ValueError` when the history has no such figure: give `fit` a validation set, or a loss that knows of accuracy.

    >>> def after(*losses):
    ...     return fnn.FitResult({}, (), [{"epoch": 1 + i, "val_loss": loss} for i, loss in enumerate(losses)])
    >>> stop = callbacks.early_stopping(2)
    >>> stop(after(1.0, 0.5, 0.7)), stop(after(1.0, 0.5, 0.7, 0.6))
    (False, True)
    """

    def stop(result: FitResult) -> bool:
        figures = _figures("early_stopping", result, monitor)
        return len(figures) - 1 - _best(figures, monitor) >= patience

    return Callback(stop)


def _text_file(constructor: str, name: str, value: Any) -> str:
    return os.fspath(as_path(constructor, name, value))


@constructor(path=_text_file)
def csv_log(path: str | os.PathLike[str]) -> Callback:
    """Return the callback that writes the history to a CSV file, a line an epoch, whole after every epoch.

    Raises `TypeError` for what is no path; `fit` raises `OSError` before the first epoch where it cannot be written.

    >>> from pathlib import Path
    >>> write = callbacks.csv_log("history.csv")
    >>> write(fnn.FitResult({}, (), [{"epoch": 1, "loss": 0.7, "val_loss": 0.8}]))
    >>> Path("history.csv").read_text().splitlines()
    ['epoch,loss,val_loss', '1,0.7,0.8']
    """

    def write(result: FitResult) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(result.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.history)
        with replaced(os.fspath(path)) as stream:
            stream.write(text.getvalue().encode())

    return Callback(write, lambda: _rehearse(os.fspath(path)), elsewhere=lambda result: None)


def _rehearse(path: str) -> None:
    with replaced(path, trial=True):
        pass


@dataclass(frozen=True, eq=False, repr=False)
class KeepBest(Value):
    """See `keep_best`.

    >>> best = callbacks.keep_best("loss")
    >>> isinstance(best, callbacks.KeepBest)
    True
    """

    monitor: str
    path: str | None
    _kept: list[FitResult] = field(default_factory=list)

    @property
    def result(self) -> FitResult:
        """The result of the best epoch so far; raises `ValueError` before the first."""
        if not self._kept:
            raise ValueError("keep_best: no epoch has ended yet, so there is no best result")
        return self._kept[-1]

    def rehearse(self) -> None:
        """Raise `OSError` where the file cannot be written."""
        if self.path is not None:
            _rehearse(self.path)

    def __call__(self, result: FitResult) -> None:
        """Keep the result if its last epoch is better than the one kept."""
        if self._is_best(result, partial(self.found, result)):
            if self.path is not None:
                save(self.path, result)
            self._kept[:] = [result]

    def found(self, result: FitResult) -> Any:
        """Return what the file holds where a run that goes on from `result` needs it; else None."""
        if self.path is None or self._kept or not result.history or not exists(self.path):
            return None
        return load(self.path, named_tuples_in((result.params, result.state)))

    def elsewhere(self, result: FitResult, found: Any) -> None:
        """Do the same on another rank than the first, which alone has the file and has `found` this in it."""
        if self._is_best(result, lambda: found):
            self._kept[:] = [result]

    def _is_best(self, result: FitResult, find: Callable[[], Any]) -> bool:
        figures = _figures("keep_best", result, self.monitor)
        if len(figures) == 1:  # a new run
            self._kept.clear()
        elif not self._kept and (found := find()) is not None:
            self._kept[:] = [_checked(found, self.path, result)]
        if self._kept:
            best = _figures("keep_best", self.result, self.monitor)[-1]
            return _best([best, figures[-1]], self.monitor) == 1
        return True


@constructor(monitor=_monitor, path=optional(_file))
def keep_best(monitor: str = "val_loss", path: str | os.PathLike[str] | None = None) -> KeepBest:
    """Return the callback whose `.result` is that of the epoch with the best monitored figure, the first of equal ones.

    `monitor` is as for `early_stopping`. Each call of `keep_best` makes a callback that keeps a result of its own: the
    best of the epochs after which it was called. With a `path`, .npz or .safetensors, it writes the best result there
    as `fnn.save` does, and after a resume it goes on from the file. The first epoch of a new run replaces the file.

    Raises `ValueError` for a path of another ending, and, when it is called after a resume, for a file that holds no
    result of an epoch of this run; `OSError` for a file that cannot be written.

    >>> def after(*losses):
    ...     return fnn.FitResult({}, (), [{"epoch": 1 + i, "val_loss": loss} for i, loss in enumerate(losses)])
    >>> best = callbacks.keep_best()
    >>> [best(after(*losses)) for losses in ([0.9], [0.9, 0.5], [0.9, 0.5, 0.7])]
    [None, None, None]
    >>> best.result.history[-1]
    {'epoch': 2, 'val_loss': 0.5}
    """
    return KeepBest(monitor, None if path is None else os.fspath(path))


def _checked(kept: Any, path: str | None, result: FitResult) -> FitResult:
    """Return the result in the file; raise `ValueError` unless it is of an epoch that led to this one."""
    epochs = len(kept.history) if isinstance(kept, FitResult) else 0
    if not epochs or not same(_timeless(kept.history), _timeless(result.history[:epochs])):
        raise ValueError(
            f"keep_best: {path} holds no result of an epoch of the run that goes on: move it away or name another file"
        )
    return kept


def _timeless(history: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    return tuple(record | {"seconds": 0} for record in history)


def _figures(callback: str, result: FitResult, monitor: str) -> list[float]:
    figures = [record.get(monitor) for record in result.history]
    if any(figure is None or math.isnan(figure) for figure in figures):
        remedy = "give fit a validation=" if monitor.startswith("val_") else "this loss has no notion of it"
        raise ValueError(f"{callback}: the history has no {monitor}: {remedy}")
    return [float(figure) for figure in figures if figure is not None]


def _best(figures: list[float], monitor: str) -> int:
    """Return the index of the best figure, the first of equal ones."""
    best = max(figures) if monitor.endswith("accuracy") else min(figures)
    return figures.index(best)
