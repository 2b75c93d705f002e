"""The Loss, a value made of pure functions, and the checks of outputs and targets that losses share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functional_nn.arguments import ARRAYS, not_an_array
from functional_nn.dtypes import FLOATS
from functional_nn.value import Value

__all__ = ["Loss", "LossPullback", "LossVjp", "as_labels", "as_rows", "check_labels", "check_loss"]

LossPullback = Callable[[float], np.ndarray]
LossVjp = Callable[[np.ndarray, np.ndarray], tuple[float, LossPullback]]


class Loss(Value):
    """A loss as a value.

    - `apply(outputs, targets) -> float`: the mean over the batch; that of `vjp` where it is not given.
    - `vjp(outputs, targets) -> (value, pullback)`; `pullback(1.0)` is the derivative by the outputs.
    - `hits(outputs, targets)`: a bool array (n,), which outputs are right, from which `fit` and `evaluate`
      compute the accuracy; None where the loss is not one of classification.
    - `weight(targets)`: what a batch's mean counts for among others', the number of its examples unless they weigh
      differently: `data_parallel` and `fit` put the means of chunks and batches together by it.
    - `scores(outputs) -> (n, classes)`: probabilities; None where the loss has no such notion.
    - `each(outputs, targets) -> (n,)`: the losses of the examples, one by one; `apply` of every single one where it is
      not given, which is slow.

    Whatever the loss, `apply` and `vjp` raise `TypeError` for outputs that are no float32 or float64 array and for
    targets that are no array, and `ValueError` for an empty batch.

    >>> def vjp(outputs, targets):
    ...     error = outputs - targets
    ...     return float(np.abs(error).mean()), lambda dvalue: dvalue * np.sign(error) / error.size
    >>> mean_absolute_error = fnn.losses.Loss("mean_absolute_error", vjp=vjp)
    >>> mean_absolute_error.apply(np.array([[1.0], [5.0]]), np.array([[0.0], [2.0]]))
    2.0
    """

    name: str
    hits: Callable[[np.ndarray, np.ndarray], np.ndarray] | None
    weight: Callable[[np.ndarray], float]
    scores: Callable[[np.ndarray], np.ndarray] | None
    _apply: Callable[[np.ndarray, np.ndarray], float] | None
    _each: Callable[[np.ndarray, np.ndarray], np.ndarray] | None
    _vjp: LossVjp

    def __init__(
        self,
        name: str,
        *,
        vjp: LossVjp,
        apply: Callable[[np.ndarray, np.ndarray], float] | None = None,
        hits: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
        weight: Callable[[np.ndarray], float] = len,
        scores: Callable[[np.ndarray], np.ndarray] | None = None,
        each: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    ) -> None:
        self.__dict__.update(name=name, hits=hits, weight=weight, scores=scores, _apply=apply, _each=each, _vjp=vjp)

    def __call__(self, *args: object, **kwargs: object) -> None:
        """Raise `TypeError`: a loss is a value, not a function."""
        use = f"{self.name}.apply(outputs, targets) for its value; as an argument write it without parentheses"
        raise TypeError(f"{self.name} is a loss and cannot be called: {use}")

    def replace(self, **changes: Any) -> Loss:
        """Return a loss of the same functions but for `changes`, named as those of `Loss(...)`."""
        facts = {"name": self.name, "hits": self.hits, "weight": self.weight, "scores": self.scores}
        return Loss(**{**facts, "vjp": self._vjp, "apply": self._apply, "each": self._each, **changes})

    def apply(self, outputs: np.ndarray, targets: np.ndarray) -> float:
        """Return the mean over the batch."""
        self._check(outputs, targets)
        return self._vjp(outputs, targets)[0] if self._apply is None else self._apply(outputs, targets)

    def vjp(self, outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        """Return the mean over the batch, and the pullback."""
        self._check(outputs, targets)
        return self._vjp(outputs, targets)

    def each(self, outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return the losses of the examples (n,), float64: the mean of each one alone."""
        self._check(outputs, targets)
        if self._each is not None:
            return np.asarray(self._each(outputs, targets), np.float64)
        return np.array([self.apply(outputs[i : i + 1], targets[i : i + 1]) for i in range(len(outputs))])

    def _check(self, outputs: Any, targets: Any) -> None:
        for what, array in (("outputs", outputs), ("targets", targets)):
            if type(array) not in ARRAYS:
                raise TypeError(f"{self.name}: {what} are {not_an_array(array)}")
            if array.ndim == 0:
                raise ValueError(f"{self.name}: {what} are a single number, expected a batch (n, ...)")
        if outputs.dtype not in FLOATS:
            raise TypeError(f"{self.name}: outputs are {outputs.dtype}, expected float32 or float64")
        if outputs.size == 0:
            shape = outputs.shape
            raise ValueError(f"{self.name}: outputs of shape {shape} are empty: the mean over no examples is undefined")


def check_loss(function: str, loss: object) -> None:
    """Raise `TypeError` unless `loss` is a Loss."""
    if not isinstance(loss, Loss):
        hint = ": call it to make one" if callable(loss) else ", such as losses.softmax_cross_entropy"
        raise TypeError(f"{function}: loss is {loss!r}, expected a Loss{hint}")


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
