"""A loss under weights of the examples: sum of s l over sum of s, s the weights and l the losses of the examples."""

from __future__ import annotations

from typing import Any

import numpy as np

from functional_nn.arguments import array
from functional_nn.loss import Loss, LossPullback, check_loss
from functional_nn.value import constructor

__all__ = ["weighted", "weighted_targets"]

FIELDS = ("target", "weight")


def weighted_targets(targets: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the targets (n, ...) and weights (n,) as one structured array (n,), the targets of a `weighted` loss.

    Its fields are "target" and "weight". Raises `TypeError` for what is no array, `ValueError` unless there is one
    weight a target, a finite number above 0: leave examples of weight 0 out.

    >>> losses.weighted_targets(np.array([0, 2]), np.array([1.0, 0.5]))["weight"]
    array([1. , 0.5])
    """
    for name, value in (("targets", targets), ("weights", weights)):
        array("weighted_targets", name, value)
    if weights.ndim != 1 or targets.shape[:1] != weights.shape or weights.dtype.kind not in "iuf":
        given = f"{weights.dtype} of shape {weights.shape}, the targets have shape {targets.shape}"
        raise ValueError(f"weighted_targets: the weights are {given}, expected numbers (n,), one a target")
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights > 0)))
    if bad.size:
        remedy = "expected finite numbers above 0; leave examples of weight 0 out"
        raise ValueError(f"weighted_targets: weight {bad[0]} is {weights[bad[0]]}, {remedy}")
    both = np.empty(len(targets), np.dtype(list(_fields(targets)), align=True))
    both["target"], both["weight"] = targets, weights
    return both


def _fields(targets: np.ndarray) -> tuple[tuple[str, Any, tuple[int, ...]], tuple[str, Any, tuple[int, ...]]]:
    return ("target", targets.dtype, targets.shape[1:]), ("weight", np.dtype(np.float64), ())


def _mean_of_examples(constructor: str, name: str, value: Any) -> Loss:
    check_loss(constructor, value)
    if value.weight is not len:
        remedy = "it weighs examples already: multiply its weights into theirs, and give the loss without them"
        raise ValueError(f"{constructor}: {name} is {value!r}; {remedy}")
    return value


@constructor(loss=_mean_of_examples)
def weighted(loss: Loss) -> Loss:
    """Return the loss sum of s l / sum of s: l are the `each` of `loss`, a plain mean over examples, s their weights.

    Its targets are what `weighted_targets(targets, weights)` makes; chunks and batches count for the sum of their
    weights. A whole-numbered weight does what as many copies of the example do. Raises `ValueError` for a loss that
    weighs its examples itself, and for targets without weights.

    >>> outputs, targets, weights = np.array([[1.0], [5.0]]), np.array([[0.0], [2.0]]), np.array([3.0, 1.0])
    >>> loss = losses.weighted(losses.mean_squared_error)
    >>> loss.apply(outputs, losses.weighted_targets(targets, weights))  # (3 * 1 + 1 * 9) / 4
    3.0
    """

    def weight(both: np.ndarray) -> float:
        return float(_parted(both)[1].sum())

    def apply(outputs: np.ndarray, both: np.ndarray) -> float:
        targets, weights = _parted(both)
        return float((weights * loss.each(outputs, targets)).sum() / weights.sum())

    def vjp(outputs: np.ndarray, both: np.ndarray) -> tuple[float, LossPullback]:
        targets, weights = _parted(both)
        _, mean_pullback = loss.vjp(outputs, targets)
        shares = (weights * (len(weights) / weights.sum())).astype(outputs.dtype)  # of 1, where all weigh the same

        def pullback(dvalue: float) -> np.ndarray:
            doutputs = mean_pullback(dvalue)
            return doutputs * shares.reshape(-1, *[1] * (doutputs.ndim - 1))

        return apply(outputs, both), pullback

    def hits(outputs: np.ndarray, both: np.ndarray) -> np.ndarray:
        assert loss.hits is not None
        return loss.hits(outputs, _parted(both)[0])

    told = None if loss.hits is None else hits
    return Loss("weighted", vjp=vjp, apply=apply, hits=told, weight=weight, scores=loss.scores)


def _parted(both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if both.dtype.names != FIELDS:
        given = f"{both.dtype} of shape {both.shape}"
        raise ValueError(f"weighted: targets are {given}, expected those of weighted_targets(targets, weights)")
    return both["target"], both["weight"]
