"""Learning curves: a figure over the epochs, in training and on validation data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from functional_nn.plots.canvas import Axes, MaxNLocator, axes_of, font_scale
from functional_nn.result import FitResult

__all__ = ["learning_curves"]

History = Sequence[Mapping[str, Any]]


def learning_curves(
    histories: FitResult | History | Sequence[FitResult | History],
    what: str = "loss",
    *,
    label: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw "loss" or "accuracy" over the epochs, in training and on validation data where there is some.

    `histories` is a `FitResult`, a history, or a sequence of either, such as those of several seeds. Of several the
    lines are the means, as far as all of them go, and the bands reach from the lowest to the highest; a history that
    goes on longer has a thin line from there. `what` may be any other entry of the records too. `label` stands before
    the names of the curves, so that several calls may share the axes. Raises `ValueError` for no histories, an empty
    one, and a `what` that a record lacks or of which nothing is known, `TypeError` for what is no history.

    >>> from functional_nn import plots
    >>> history = [{"epoch": epoch, "loss": 1 / epoch, "val_loss": 1.5 / epoch} for epoch in (1, 2, 3)]
    >>> [line.get_label() for line in plots.learning_curves(history, "loss").lines]
    ['training', 'validation']
    """
    records = _records(histories)
    training = _values(records, what)
    if np.isnan(training).all():
        raise ValueError(f"learning_curves: the histories know no {what}: is the loss one of classification?")
    scale = font_scale()
    ax = axes_of("learning_curves", ax, 5.0 * scale, 3.6 * scale)
    before = f"{label}, " if label else ""
    _draw(ax, training, f"{before}training")
    validation = f"val_{what}"
    if any(record.get(validation) is not None for history in records for record in history):
        _draw(ax, _values(records, validation), f"{before}validation")
    ax.set(xlabel="epoch", ylabel=what, title=what if len(records) == 1 else f"{what}, {len(records)} runs")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.legend()
    return ax


def _records(histories: Any) -> list[History]:
    """Return the histories; raise unless each is a sequence of one record or more."""
    if isinstance(histories, FitResult) or (histories and all(isinstance(record, Mapping) for record in histories)):
        histories = [histories]
    records = [entry.history if isinstance(entry, FitResult) else entry for entry in histories]
    if not records:
        raise ValueError("learning_curves: no histories, expected at least one")
    for i, history in enumerate(records):
        if not isinstance(history, Sequence) or not all(isinstance(record, Mapping) for record in history):
            expected = "expected a FitResult or its history, a list of dicts"
            raise TypeError(f"learning_curves: histories[{i}] is {history!r:.60}, {expected}")
        if not history:
            raise ValueError(f"learning_curves: histories[{i}] has no epochs, expected one at least")
    return records


def _values(histories: list[History], what: str) -> np.ndarray:
    """Return the entries (histories, epochs), nan beyond a history's end and where a record has None."""
    values = np.full((len(histories), max(map(len, histories))), np.nan)
    for row, history in zip(values, histories, strict=True):
        for i, record in enumerate(history):
            if what not in record:
                raise ValueError(f"learning_curves: what is {what!r}, expected one of {', '.join(record)}")
            row[i] = np.nan if record[what] is None else record[what]
    return values


def _draw(ax: Axes, values: np.ndarray, label: str) -> None:
    epochs = np.arange(1, values.shape[1] + 1)
    ends = [int(np.flatnonzero(~np.isnan(row)).max(initial=-1)) + 1 for row in values]
    shared = max(1, min(ends))
    together = values[:, :shared]
    (line,) = ax.plot(epochs[:shared], together.mean(axis=0), marker="o" if shared == 1 else "", label=label)
    if len(values) > 1:
        bounds = together.min(axis=0), together.max(axis=0)
        ax.fill_between(epochs[:shared], *bounds, color=line.get_color(), alpha=0.2, linewidth=0)
    for row, end in zip(values, ends, strict=True):
        if end > shared:
            ax.plot(epochs[shared - 1 : end], row[shared - 1 : end], color=line.get_color(), linewidth=0.7)
