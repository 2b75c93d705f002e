"""Examples with their weights, and the scale that standardizes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from functional_nn import data
from functional_nn.extras import needs_extra
from functional_nn.layer import Shape

with needs_extra("sklearn", "functional_nn.interop.sklearn"):
    from sklearn.utils.validation import check_array

__all__ = ["Examples", "Scale", "checked_weights", "kept", "shown_batch"]

Weights = np.ndarray | None


class Examples(NamedTuple):
    """Inputs (n, ...), what to learn of them (n, ...), and weights (n,), None where all count alike."""

    x: np.ndarray
    y: np.ndarray
    weights: Weights

    def at(self, rows: np.ndarray) -> Examples:
        """Return the examples of these rows."""
        return Examples(self.x[rows], self.y[rows], None if self.weights is None else self.weights[rows])


@dataclass(frozen=True)
class Scale:
    """The transform (x - mean) / std by the last axis, computed in float64 and given in `dtype`."""

    mean: np.ndarray
    std: np.ndarray
    dtype: Any

    def __call__(self, x: np.ndarray, key: object = None) -> np.ndarray:
        """Return x (n, ..., k) standardized."""
        return ((x - self.mean) / self.std).astype(self.dtype, order="C", copy=False)

    def undone(self, y: np.ndarray) -> np.ndarray:
        """Return what `y` (n, k) is the standardized form of, float64."""
        return np.asarray(y * self.std + self.mean)

    @classmethod
    def of(cls, x: np.ndarray, weights: Weights, dtype: Any, wanted: bool) -> Scale:
        """Return the scale that gives x zero mean and unit variance or, where that is not wanted, changes nothing."""
        if not wanted:
            return cls(np.zeros(1, dtype), np.ones(1, dtype), dtype)
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large is refused
            call = data.standardize(x, weights).call
        assert call is not None
        mean, std = (np.asarray(call.arguments[name]) for name in ("mean", "std"))
        return cls(mean, np.where(std > 0.0, std, 1.0), dtype)


def kept(examples: Examples) -> Examples:
    """Return the examples whose weight is not 0, with no weights where all are equal."""
    x, y, weights = examples
    if weights is None:
        return examples
    if not weights.any():
        raise ValueError("all weights are zero: no example is left to learn from")
    if not weights.all():
        counts = weights > 0.0
        x, y, weights = x[counts], y[counts], weights[counts]
    return Examples(x, y, None if (weights == weights[0]).all() else weights)


def shown_batch(shape: Shape) -> str:
    """Return the shape of a batch as it prints in an error: "(n, 8, 8, 1)"."""
    return str(("n", *shape)).replace("'", "")


def checked_weights(sample_weight: Any, n: int) -> np.ndarray:
    """Return the weights (n,), float64; raise `ValueError` unless they are numbers that are not negative."""
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
    if weights.shape != (n,):
        raise ValueError(f"sample_weight has shape {weights.shape}, expected ({n},), one weight an example")
    if (weights < 0.0).any():
        raise ValueError(f"sample_weight holds {weights.min()}, expected numbers that are not negative")
    return np.asarray(weights)
