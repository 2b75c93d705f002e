"""The training set's statistics for batch norm's inference (Ioffe and Szegedy 2015, algorithm 2)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from functional_nn.data.transforms import Transform
from functional_nn.layer import Layer, Params
from functional_nn.layers import norm
from functional_nn.work import Path, replace_leaves

__all__ = ["has_statistics", "statistics"]


def statistics(
    model: Layer, params: Params, x: np.ndarray, *, batch_size: int = 128, transform: Transform | None = None
) -> Params:
    """Return params with `mean` and `var` added for every batch norm of the model, computed over the training data.

    x: (n, ...), the training inputs; they pass in batches of `batch_size`, each normalized by its own statistics as
    in training, and mean = E[batch means], var = E[batch variances] m / (m - 1), m the entries a batch variance is
    over, both weighed by the batches' sizes. `transform(x, None)` prepares a batch, as for `evaluate`. A model
    without batch norm gets its own params back. Raises `ValueError` for an empty x or a batch_size below 2 of
    vectors, whose variance is unknown.
    """
    if not has_statistics(model):
        return params
    if len(x) == 0 or batch_size < 1:
        raise ValueError(f"statistics: {len(x)} examples in batches of {batch_size}, expected at least one in each")
    moments: dict[Path, list[tuple[int, np.ndarray, np.ndarray]]] = {}
    noting = replace_leaves(model, partial(_noting, moments=moments))
    for start in range(0, len(x), batch_size):
        batch = x[start : start + batch_size]
        noting.apply(params, batch if transform is None else transform(batch, None))
    for path, found in moments.items():
        params = _added(params, path, _population(found))
    return params


def has_statistics(model: Layer) -> bool:
    """Return whether the model has a batch norm, whose inference needs `statistics`."""
    return model.name == "batch_norm" or any(has_statistics(part) for _, part in model.parts)


def _noting(path: Path, layer: Layer, moments: dict[Path, Any]) -> Layer:
    """Return a batch norm that normalizes as in training and notes its batch's moments; other leaves as they are."""
    if layer.name != "batch_norm":
        return layer

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        moments.setdefault(path, []).append((x.size // x.shape[-1], *norm.batch_moments(x)))
        return layer.vjp({name: params[name] for name in norm.NAMES}, x, wrt_x=False)[0]

    return replace(layer, apply=apply)


def _population(found: list[tuple[int, np.ndarray, np.ndarray]]) -> Params:
    total = sum(entries for entries, _, _ in found)
    if all(entries < 2 for entries, _, _ in found):
        raise ValueError("statistics: batches of one vector have no variance: give a larger batch_size")
    mean = sum(entries * mean for entries, mean, _ in found) / total
    # m / (m - 1) of each batch; one of a single entry says nothing of the variance
    several = [(entries, variance) for entries, _, variance in found if entries > 1]
    variance = sum(m * m / (m - 1) * variance for m, variance in several) / sum(m for m, _ in several)
    dtype = found[0][1].dtype
    return {"mean": np.asarray(mean, dtype), "var": np.asarray(variance, dtype)}


def _added(params: Params, path: Path, entries: Params) -> Params:
    """Return params with these entries added at a path; nothing is written."""
    if not path:
        return {**params, **entries}
    return {**params, path[0]: _added(params[path[0]], path[1:], entries)}
