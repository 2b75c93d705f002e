"""The training set's statistics for batch norm's inference (Ioffe and Szegedy 2015, algorithm 2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.anatomy import Path, replace_leaves
from functional_nn.arguments import count, optional
from functional_nn.blas import one_blas_thread
from functional_nn.compose.parts import check_layer
from functional_nn.layer import Layer, Params
from functional_nn.parallel import Comm, Ranks, check_comm, own_share, together
from functional_nn.parallel.flat import compact, row_major
from functional_nn.training.evaluation import as_transform, check_batch, check_same_data
from functional_nn.training.grad import BatchTransform

__all__ = ["needs_statistics", "statistics", "with_statistics"]


class Moments(NamedTuple):
    """The mean (c,) and the variance (c,) of each channel over so many vectors."""

    vectors: int
    dtype: np.dtype[Any]
    mean: np.ndarray
    variance: np.ndarray


def statistics(
    model: Layer,
    params: Params,
    x: np.ndarray,
    *,
    batch_size: int = 128,
    transform: BatchTransform | None = None,
    chunk: int | None = None,
    comm: Comm = None,
) -> Params:
    """Return params with each batch norm's `mean` and `var` over the training data x (n, ...), in a new tree.

    The data pass in batches of `batch_size`, each normalized by its own statistics as in training; where training cuts
    its batches into chunks of `chunk`, so does this. mean = E[batch means], var = E[batch variances] m / (m - 1), m the
    vectors that a batch's variance is over, both weighed by m. `transform(x, None)` prepares a batch, as for
    `evaluate`; `comm`, as for `data_parallel`, shares the batches out. A model that needs no statistics gets its own
    params back. Raises `ValueError` for an empty x or a batch_size below 2 of vectors, whose variance is unknown.

    >>> model = fnn.serial(n=layers.batch_norm(), f=layers.dense(1))
    >>> params = model.init(np.random.default_rng(0), (2,))
    >>> x = np.array([[0.0, 1.0], [2.0, 1.0]], np.float32)
    >>> known = fnn.statistics(model, params, x)
    >>> known["n"]["mean"].tolist(), known["n"]["var"].tolist()
    ([1.0, 1.0], [2.0, 0.0])
    """
    check_comm("statistics", comm)
    check_layer("statistics: model", model)
    step = min(
        count("statistics", "batch_size", batch_size), optional(count)("statistics", "chunk", chunk) or batch_size
    )
    if len(check_batch("statistics", "x", x)) == 0:
        raise ValueError("statistics: x has 0 examples, expected at least one")
    prepare = as_transform("statistics", transform)
    if not needs_statistics(model):
        return params
    with together(comm, _statistics_beside, model, params, x, step, prepare) as ranks:
        return with_statistics(model, params, x, step, prepare, ranks)


def with_statistics(
    model: Layer, params: Params, x: np.ndarray, step: int, prepare: BatchTransform, ranks: Ranks
) -> Params:
    """Return params with the statistics of x, in batches of `step`, on every rank: each passes its part of them."""
    moments: dict[Path, list[Moments]] = {}
    given, params = params, tree.map(row_major, params)

    def noting(path: Path, leaf: Layer) -> Layer:
        if not leaf.moments:
            return leaf
        nonlocal params
        params = _changed(params, path, lambda entry: _without(entry, leaf.moments))
        return _noting(leaf, moments.setdefault(path, []))

    model = replace_leaves(model, noting)

    def noted() -> dict[Path, list[Moments]]:
        for i in own_share(-(-len(x) // step), ranks):
            model.apply(params, prepare(compact(x[i * step : (i + 1) * step]), None))
        return moments

    with one_blas_thread():
        check_same_data(ranks, "statistics", given, x, batch_size=step)
        everyones = ranks.agreed(noted)
    for path in moments:
        batches = [batch for theirs in everyones for batch in theirs[path]]
        params = _changed(params, path, partial(_with, more=_population(batches)))
    return params


def _statistics_beside(
    ranks: Ranks, model: Layer, params: Params, x: np.ndarray, step: int, prepare: BatchTransform
) -> None:
    with_statistics(model, params, x, step, prepare, ranks)


def needs_statistics(model: Layer) -> bool:
    """Return whether the model has a layer whose inference needs `statistics`."""
    return bool(model.moments) or any(needs_statistics(part) for _, part in model.parts)


def _noting(leaf: Layer, moments: list[Moments]) -> Layer:
    """Return the leaf as one that, in inference, normalizes as in training and notes its batch's moments."""

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        moments.append(_moments(x))
        return leaf.functions.vjp(params, x, wrt_x=False)[0]

    return leaf.replace(apply=apply, moments=())


def _moments(x: np.ndarray) -> Moments:
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes, dtype=np.float64)
    return Moments(x.size // x.shape[-1], x.dtype, mean, np.square(x - mean).mean(axis=axes))


def _population(batches: list[Moments]) -> dict[str, Any]:
    """Return the mean and the variance of all that the batches are drawn from."""
    total = sum(batch.vectors for batch in batches)
    several = [batch for batch in batches if batch.vectors > 1]  # one vector says nothing of the variance
    if not several:
        raise ValueError("statistics: batches of one vector have no variance: give a larger batch_size")
    mean = sum((batch.vectors * batch.mean for batch in batches), 0.0) / total
    # each batch's variance times m / (m - 1), weighed by m
    parts = (batch.vectors**2 / (batch.vectors - 1) * batch.variance for batch in several)
    variance = sum(parts, 0.0) / sum(batch.vectors for batch in several)
    return {"mean": np.asarray(mean, batches[0].dtype), "var": np.asarray(variance, batches[0].dtype)}


def _changed(params: Params, path: Path, change: Callable[[Params], Params]) -> Params:
    """Return params with the entry at a path changed; nothing is written.

    What is no dict stays as it is: the layer that gets it refuses it, and knows its path.
    """
    if not isinstance(params, Mapping):
        return params
    if not path:
        return change(params)
    return {**params, path[0]: _changed(params.get(path[0], {}), path[1:], change)}


def _with(entry: Params, more: Params) -> Params:
    return {**entry, **more}


def _without(entry: Params, names: tuple[str, ...]) -> Params:
    return {name: array for name, array in entry.items() if name not in names}
