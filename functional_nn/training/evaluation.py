"""Prediction and evaluation, chunk by chunk."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from functional_nn import keys, tree
from functional_nn.arguments import array, count, optional
from functional_nn.blas import one_blas_thread
from functional_nn.compose.parts import check_layer
from functional_nn.content import show
from functional_nn.layer import Layer, Params
from functional_nn.loss import Loss, check_loss
from functional_nn.parallel import Comm, Ranks, check_comm, check_same_call, in_order, own_share, together
from functional_nn.parallel.flat import compact, row_major
from functional_nn.saving.description import summed
from functional_nn.training.chunks import MOST_PREDICTED, chunk_size
from functional_nn.training.grad import BatchTransform

__all__ = [
    "as_transform",
    "check_batch",
    "check_same_data",
    "count_hits",
    "evaluate",
    "predict",
    "predicted",
    "scored",
]

PREDICTED_AT_ONCE = 1024


def predict(
    model: Layer,
    params: Params,
    x: np.ndarray,
    *,
    transform: BatchTransform | None = None,
    workers: int | None = None,
    comm: Comm = None,
) -> np.ndarray:
    """Return the model's outputs (n, ...) for x (n, ...), computed chunk by chunk on `workers` threads.

    `transform(x, None)` makes a chunk's input. `comm`, as for `data_parallel`, shares the chunks out: every rank gets
    all outputs. Raises `TypeError` for an x that is no array.

    >>> params = {"w": np.array([[2.0]]), "b": np.array([0.5])}
    >>> fnn.predict(layers.dense(1), params, np.array([[1.0], [3.0]]))
    array([[2.5],
           [6.5]])
    """
    check_comm("predict", comm)
    check_layer("predict: model", model)
    check_batch("predict", "x", x)
    workers = optional(count)("predict", "workers", workers)
    prepare = as_transform("predict", transform)
    with together(comm, _predicted_beside, model, params, x, prepare, workers) as ranks:
        return predicted(model, params, x, prepare, workers, ranks)


def evaluate(
    model: Layer,
    params: Params,
    x: np.ndarray,
    targets: np.ndarray,
    *,
    loss: Loss,
    transform: BatchTransform | None = None,
    workers: int | None = None,
    comm: Comm = None,
) -> dict[str, float]:
    """Return {"loss": the mean over all examples, "accuracy": the share of right ones, or nan}.

    The other arguments are those of `predict`. Raises `TypeError` for what is no array or no loss, `ValueError` for
    lengths that differ.

    >>> params = {"w": np.array([[1.0, -1.0]]), "b": np.zeros(2)}
    >>> x, labels = np.array([[50.0], [-50.0], [-50.0], [-50.0]]), np.array([0, 1, 1, 0])
    >>> fnn.evaluate(layers.dense(2), params, x, labels, loss=losses.softmax_cross_entropy)
    {'loss': 25.0, 'accuracy': 0.75}
    """
    check_comm("evaluate", comm)
    check_loss("evaluate", loss)
    if len(check_batch("evaluate", "x", x)) != len(check_batch("evaluate", "targets", targets)):
        raise ValueError(f"evaluate: {len(x)} inputs and {len(targets)} targets, expected as many")
    outputs = predict(model, params, x, transform=transform, workers=workers, comm=comm)
    return scored(loss, outputs, targets)


def scored(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Return what `evaluate` returns of these outputs."""
    return {"loss": loss.apply(outputs, targets), "accuracy": count_hits(loss, outputs, targets) / len(outputs)}


def count_hits(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> float:
    """Return how many outputs are right, nan under a loss that has no notion of it."""
    return math.nan if loss.hits is None else float(loss.hits(outputs, targets).sum())


def check_batch(function: str, name: str, x: Any) -> np.ndarray:
    """Return x; raise `TypeError` unless it is an array, `ValueError` where it has no batch axis."""
    if array(function, name, x).ndim == 0:
        raise ValueError(f"{function}: {name} is a single number, expected a batch (n, ...)")
    return x


def as_transform(function: str, transform: Any) -> BatchTransform:
    """Return the transform, which leaves a batch as it is where none is given; raise `TypeError` for another kind."""
    if transform is not None and not callable(transform):
        raise TypeError(f"{function}: transform is {transform!r}, expected a function (x, key) -> x")
    return as_it_is if transform is None else transform


def as_it_is(x: np.ndarray, key: keys.Key | None) -> np.ndarray:
    """Return x: the transform where none is given."""
    return x


def predicted(
    model: Layer, params: Params, x: np.ndarray, prepare: BatchTransform, workers: int | None, ranks: Ranks
) -> np.ndarray:
    """Return the outputs for all of x on every rank, each of which computes the chunks of its part."""
    with one_blas_thread():
        if ranks.size == 1:
            return _joined(_own_pieces(model, params, x, prepare, workers, ranks))
        check_same_data(ranks, "predict", params, x)
        everyones = ranks.agreed(lambda: _own_pieces(model, params, x, prepare, workers, ranks))
    return _joined([piece for theirs in everyones for piece in theirs])


def check_same_data(ranks: Ranks, function: str, params: Params, x: np.ndarray, **more: Any) -> None:
    """Raise `ValueError` on all ranks where one was given other params, an x of another shape or other `more`."""
    if ranks.size > 1:
        check_same_call(ranks, function, {"params": summed(params, "params")["array"], "x": show(x)} | more)


def _joined(pieces: list[np.ndarray]) -> np.ndarray:
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _own_pieces(
    model: Layer, params: Params, x: np.ndarray, prepare: BatchTransform, workers: int | None, ranks: Ranks
) -> list[np.ndarray]:
    """Return the outputs of the chunks of this rank's part; the first rank computes the only chunk."""
    chunk = _chunk(model, params, x, prepare)
    if len(x) <= chunk:
        return [model.apply(params, prepare(x, None))] if ranks.rank == 0 else []
    own, pieces = own_share(-(-len(x) // chunk), ranks), []
    params = tree.map(row_major, params)  # as every rank has them, and each part

    def task(i: int) -> np.ndarray:
        part = compact(x[own[i] * chunk : (own[i] + 1) * chunk])
        return model.apply(params, prepare(part, None))

    in_order(task, len(own), workers or ranks.threads, lambda _, piece: pieces.append(piece))
    return pieces


def _chunk(model: Layer, params: Params, x: np.ndarray, prepare: BatchTransform) -> int:
    input_shape = check_batch("predict", "what transform returns", prepare(x[:1], None)).shape[1:]
    return min(chunk_size(model, params, len(x), input_shape, MOST_PREDICTED), PREDICTED_AT_ONCE)


def _predicted_beside(
    ranks: Ranks, model: Layer, params: Params, x: np.ndarray, prepare: BatchTransform, workers: int | None
) -> None:
    predicted(model, params, x, prepare, workers, ranks)
