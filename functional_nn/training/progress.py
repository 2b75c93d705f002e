"""The progress of training on standard error: tqdm's bar in a terminal or a notebook, else a line an epoch."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from functional_nn.result import figures

__all__ = ["Progress", "progress_of"]

BAR = "{desc} |{bar:8}| {remaining}{postfix}"  # with the figures it fits 80 columns


class Progress(Protocol):
    """What shows a training run's progress."""

    def step(self, loss: float, accuracy: float) -> None:
        """Show the means over the epoch so far, after a step."""

    def epoch(self, record: dict[str, Any]) -> None:
        """Show the record of an epoch, after it."""


@contextmanager
def progress_of(epochs: int, steps: int, *, done: int = 0, shown: bool) -> Iterator[Progress]:
    """Yield the progress of `epochs` epochs of `steps` steps, of which `done` ran before; a silent one unless shown."""
    if not shown or sys.stderr is None:  # a closed one, as a program without a console has
        yield _Silent()
        return
    try:
        from tqdm.auto import tqdm
    except ImportError:
        yield _Lines(epochs)
        return
    if not sys.stderr.isatty() and "ipykernel" not in sys.modules:  # a log holds no bars
        yield _Lines(epochs)
        return
    with tqdm(total=epochs * steps, initial=done * steps, bar_format=BAR, dynamic_ncols=True, file=sys.stderr) as bar:
        yield _Bar(bar, epochs, done)


class _Silent:
    def step(self, loss: float, accuracy: float) -> None:
        pass

    def epoch(self, record: dict[str, Any]) -> None:
        pass


class _Lines(_Silent):
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def epoch(self, record: dict[str, Any]) -> None:
        print(f"epoch {record['epoch']}/{self.epochs}: {figures(record)}", file=sys.stderr, flush=True)


class _Bar:
    def __init__(self, bar: Any, epochs: int, done: int = 0) -> None:
        self.bar, self.epochs = bar, epochs
        self.validation: dict[str, Any] = {}
        bar.set_description_str(f"epoch {min(done + 1, epochs)}/{epochs}", refresh=False)

    def step(self, loss: float, accuracy: float) -> None:
        self.bar.set_postfix_str(figures({"loss": loss, "accuracy": accuracy, **self.validation}), refresh=False)
        self.bar.update()

    def epoch(self, record: dict[str, Any]) -> None:
        following = min(record["epoch"] + 1, self.epochs)
        self.bar.set_description_str(f"epoch {following}/{self.epochs}", refresh=False)
        self.validation = {key: value for key, value in record.items() if key.startswith("val_")}
        self.bar.set_postfix_str(figures(record))
