"""The Loss, a value made of pure functions, and the checks of outputs and targets that all losses share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from functional_nn.layer import FLOATS

LossPullback = Callable[[float], np.ndarray]
LossVjp = Callable[..., tuple[float, LossPullback]]


@dataclass(frozen=True, eq=False)
class Loss:
    """A loss as a value.

    - `apply(outputs, targets) -> float`: the mean over the batch.
    - `vjp(outputs, targets) -> (value, pullback)`; `pullback(1.0)` is the derivative by the outputs.
    - `hits(outputs, targets)`: a bool array (n,), which outputs are right, from which `fit` and `evaluate`
      compute the accuracy; None where the loss is not one of classification.
    - `weight(targets)`: what a batch's mean counts for among others', the number of its examples unless they weigh
      differently: `data_parallel` and `fit` put the means of chunks and batches together by it.
    """

    name: str
    apply: Callable[[np.ndarray, np.ndarray], float]
    vjp: Callable[[np.ndarray, np.ndarray], tuple[float, LossPullback]]
    hits: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    weight: Callable[[np.ndarray], float] = len

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loss) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[Any, ...]:
        functions = (self.apply, self.vjp, self.hits, self.weight)
        return (self.name, *map(_identity, functions))


def _identity(value: Any) -> Any:
    """Return what a function is compared by: partials are equal where they bind equal values to one function."""
    if isinstance(value, partial):
        return value.func, tuple((name, _identity(bound)) for name, bound in value.keywords.items())
    return value


def loss_of(
    name: str,
    vjp: LossVjp,
    hits: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    weight: Callable[[np.ndarray], float] = len,
    **config: Any,
) -> Loss:
    """Return the loss of this vjp under a configuration of keywords; it prints as the call that makes it."""
    shown = ", ".join(f"{key}={value!r}" for key, value in config.items())
    bound = partial(vjp, **config) if config else vjp
    return Loss(f"{name}({shown})" if config else name, partial(_value, vjp=bound), bound, hits, weight)


def _value(outputs: np.ndarray, targets: np.ndarray, *, vjp: LossVjp) -> float:
    return vjp(outputs, targets)[0]


def check_outputs(loss: str, outputs: np.ndarray) -> None:
    """Raise unless the outputs are a batch of floats that is not empty."""
    if outputs.dtype not in FLOATS:
        raise TypeError(f"{loss}: outputs are {outputs.dtype}, expected float32 or float64")
    if outputs.size == 0:
        raise ValueError(f"{loss}: outputs of shape {outputs.shape} are empty: the mean over no examples is undefined")


def as_rows(loss: str, outputs: np.ndarray, targets: np.ndarray, alternative: str = "") -> np.ndarray:
    """Return the targets in the outputs' dtype; raise unless they have the outputs' shape."""
    if targets.shape != outputs.shape or targets.dtype.kind not in "iuf":
        raise ValueError(
            f"{loss}: targets are {targets.dtype} of shape {targets.shape}, expected {alternative}"
            f"numbers of the outputs' shape {outputs.shape}"
        )
    return targets.astype(outputs.dtype, copy=False)


def as_labels(loss: str, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the targets; raise unless they are one label for each row of the outputs (n, classes)."""
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        raise ValueError(
            f"{loss}: targets are {targets.dtype} of shape {targets.shape}, expected one-dimensional integer labels"
        )
    if outputs.ndim != 2 or len(targets) != len(outputs):
        raise ValueError(f"{loss}: {len(targets)} labels for outputs of shape {outputs.shape}, expected (n, classes)")
    check_labels(loss, targets, outputs.shape[1])
    return targets


def check_labels(loss: str, labels: np.ndarray, classes: int) -> None:
    """Raise `ValueError`, naming the first, where a label is outside 0 .. classes - 1."""
    if labels.size and np.maximum.reduce(labels.astype(np.uint64)) >= classes:  # a negative one turns into a huge one
        i = np.flatnonzero((labels < 0) | (labels >= classes))[0]
        raise ValueError(f"{loss}: label {labels[i]} at index {i} is outside 0 .. {classes - 1}")
