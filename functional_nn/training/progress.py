"""The progress of training: tqdm's bar where it is installed, else a line an epoch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

__all__ = ["Progress", "figures", "progress_of"]


class Progress(Protocol):
    """What shows a training run's progress."""

    def step(self, loss: float, accuracy: float) -> None:
        """Tell the means over the epoch so far, after a step."""

    def epoch(self, record: dict[str, Any]) -> None:
        """Tell the record of an epoch, after it."""


@contextmanager
def progress_of(epochs: int, steps: int, *, shown: bool) -> Iterator[Progress]:
    """Yield the progress of a run of `epochs` epochs of `steps` steps, on standard error; a silent one unless shown."""
    if not shown:
        yield _Silent()
        return
    try:
        from tqdm import tqdm
    except ImportError:
        yield _Lines(epochs)
        return
    with tqdm(total=epochs * steps, unit="step", dynamic_ncols=True, file=sys.stderr) as bar:
        yield _Bar(bar, epochs)


class _Silent:
    def step(self, loss: float, accuracy: float) -> None:
        pass

    def epoch(self, record: dict[str, Any]) -> None:
        pass


class _Lines(_Silent):
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def epoch(self, record: dict[str, Any]) -> None:
        print(f"epoch {record['epoch']}/{self.epochs}: {figures(record)}", file=sys.stderr)


class _Bar:
    def __init__(self, bar: Any, epochs: int) -> None:
        self.bar, self.epochs = bar, epochs
        self.validation: dict[str, Any] = {}

    def step(self, loss: float, accuracy: float) -> None:
        self.bar.set_postfix_str(figures({"loss": loss, "accuracy": accuracy, **self.validation}), refresh=False)
        self.bar.update()

    def epoch(self, record: dict[str, Any]) -> None:
        self.bar.set_description(f"epoch {record['epoch']}/{self.epochs}", refresh=False)
        self.validation = {key: value for key, value in record.items() if key.startswith("val_")}


def figures(record: dict[str, Any]) -> str:
    """Return the losses and accuracies of an epoch's record, those that it has, as one line."""
    keys = ("loss", "accuracy", "val_loss", "val_accuracy")
    return ", ".join(f"{key} {record[key]:.4f}" for key in keys if record.get(key) is not None)
