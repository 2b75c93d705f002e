"""What training gives."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from functional_nn import tree
from functional_nn.layer import Params
from functional_nn.parallel.flat import row_major

__all__ = ["FitResult", "figures", "in_row_major_order"]


class FitResult(NamedTuple):
    """What training gives: the parameters, the optimizer's state, and a record (a dict) an epoch.

    >>> fnn.FitResult({"w": np.zeros((2, 3))}, (), [{"epoch": 1, "loss": 0.7, "val_loss": 0.8}])
    FitResult(
      params: 6 numbers in 1 leaf: w
      state: nothing
      history: 1 epoch; the last: loss 0.7 | val 0.8
    )
    """

    params: Params
    state: Any
    history: list[dict[str, Any]]

    def __repr__(self) -> str:
        epochs = "1 epoch" if len(self.history) == 1 else f"{len(self.history)} epochs"
        last = "; the last: " + figures(self.history[-1]) if self.history else ""
        return (
            f"FitResult(\n  params: {tree.describe(self.params)}\n  state: {tree.describe(self.state)}\n"
            f"  history: {epochs}{last}\n)"
        )


def in_row_major_order(result: FitResult) -> FitResult:
    """Return the result with its arrays in the order in which files and messages give them back."""
    return FitResult(tree.map(row_major, result.params), tree.map(row_major, result.state), result.history)


def figures(record: dict[str, Any]) -> str:
    """Return the losses and accuracies of an epoch's record as one line: those that it has and that are numbers."""
    numbers = {key: x for key, x in record.items() if isinstance(x, float) and not math.isnan(x)}
    groups = (("loss", "loss"), ("accuracy", "acc")), (("val_loss", "val"), ("val_accuracy", "acc"))
    lines = (", ".join(f"{name} {numbers[key]:.4g}" for key, name in group if key in numbers) for group in groups)
    return " | ".join(filter(None, lines))
