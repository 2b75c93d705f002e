"""Losses: values made of two pure functions, the mean over the batch and its derivative.

softmax_cross_entropy: -sum_k t_k log softmax(z)_k, derivative (softmax(z) - t) / n (Bridle 1990).
mean_squared_error: mean over the outputs of (y - t)^2, derivative 2 (y - t) / (n * outputs).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from functional_nn.layer import FLOATS

__all__ = ["Loss", "labels_hit", "mean_squared_error", "softmax", "softmax_cross_entropy"]

LossPullback = Callable[[float], np.ndarray]


@dataclass(frozen=True)
class Loss:
    """A loss as a value.

    - `apply(outputs, targets) -> float`: the mean over the batch.
    - `vjp(outputs, targets) -> (value, pullback)`; `pullback(1.0)` is the derivative by the outputs.
    - `hits(outputs, targets)`: a bool array (n,), which outputs are right, from which `fit` and `evaluate`
      compute the accuracy; None where the loss is not one of classification.
    """

    name: str
    apply: Callable[[np.ndarray, np.ndarray], float]
    vjp: Callable[[np.ndarray, np.ndarray], tuple[float, LossPullback]]
    hits: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None

    def __repr__(self) -> str:
        return self.name


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return exp(z_k) / sum_j exp(z_j) along the last axis; the maximum is subtracted first, so nothing overflows."""
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    exps /= exps.sum(axis=-1, keepdims=True)
    return exps


def labels_hit(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return for each row (n,) whether the largest output is the label, or the largest target where rows are given."""
    labels = targets if targets.ndim == 1 else targets.argmax(axis=-1)
    return np.asarray(outputs.argmax(axis=-1) == labels)


def _cross_entropy_vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
    name, n = "softmax_cross_entropy", len(outputs)
    _check_outputs(name, outputs)
    labels = _as_labels(name, outputs, targets)
    at = None if labels is None else (np.arange(n), labels)
    rows = _as_rows(name, outputs, targets) if at is None else None
    shifted = outputs - np.maximum.reduce(outputs, axis=-1, keepdims=True)
    exps = np.exp(shifted)
    total = np.add.reduce(exps, axis=-1, keepdims=True)
    log_total = np.log(total)
    # log softmax: of the labels alone where there are labels
    terms = shifted[at] - log_total[:, 0] if rows is None else rows * (shifted - log_total)
    value = -float(np.add.reduce(terms, axis=None, dtype=np.float64)) / n

    def pullback(dvalue: float) -> np.ndarray:
        scale = float(dvalue) / n
        if rows is None:
            doutputs = exps * (scale / total)
            doutputs[at] -= scale
            return doutputs
        doutputs = exps * (rows.sum(axis=-1, keepdims=True) / total)
        doutputs -= rows  # sum_k t_k softmax(z) - t: rows of t need not sum to one
        doutputs *= scale
        return doutputs

    return value, pullback


def _squared_error_vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
    _check_outputs("mean_squared_error", outputs)
    error = outputs - _as_rows("mean_squared_error", outputs, targets)

    def pullback(dvalue: float) -> np.ndarray:
        return error * (2.0 * float(dvalue) / error.size)

    return float(np.square(error).mean(dtype=np.float64)), pullback


def _check_outputs(loss: str, outputs: np.ndarray) -> None:
    if outputs.dtype not in FLOATS:
        raise TypeError(f"{loss}: outputs are {outputs.dtype}, expected float32 or float64")
    if outputs.size == 0:
        raise ValueError(f"{loss}: outputs of shape {outputs.shape} are empty: the mean over no examples is undefined")


def _as_labels(loss: str, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray | None:
    """Return the targets as labels, None where they are rows; raise where they are bad labels."""
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        return None
    if outputs.ndim != 2 or len(targets) != len(outputs):
        raise ValueError(f"{loss}: {len(targets)} labels for outputs of shape {outputs.shape}, expected (n, classes)")
    classes = outputs.shape[1]
    if np.maximum.reduce(targets.astype(np.uint64)) >= classes:  # a negative label turns into a huge one
        i = np.flatnonzero((targets < 0) | (targets >= classes))[0]
        raise ValueError(f"{loss}: label {targets[i]} at index {i} is outside 0 .. {classes - 1}")
    return targets


def _as_rows(loss: str, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the targets in the outputs' dtype; raise unless they have the outputs' shape."""
    if targets.shape != outputs.shape or targets.dtype.kind not in "iuf":
        labels = "" if loss == "mean_squared_error" else "one-dimensional integer labels or "
        raise ValueError(
            f"{loss}: targets are {targets.dtype} of shape {targets.shape}, expected {labels}"
            f"numbers of the outputs' shape {outputs.shape}"
        )
    return targets.astype(outputs.dtype, copy=False)


def _cross_entropy(outputs: np.ndarray, targets: np.ndarray) -> float:
    return _cross_entropy_vjp(outputs, targets)[0]


def _squared_error(outputs: np.ndarray, targets: np.ndarray) -> float:
    return _squared_error_vjp(outputs, targets)[0]


softmax_cross_entropy = Loss("softmax_cross_entropy", _cross_entropy, _cross_entropy_vjp, labels_hit)
mean_squared_error = Loss("mean_squared_error", _squared_error, _squared_error_vjp)
