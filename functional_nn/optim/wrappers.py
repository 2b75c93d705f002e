"""Transformations around others: some of the leaves, several gradients at once, and averages of the parameters."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.optim.transforms import State, Transform, Tree, check_fraction, times_plus

__all__ = ["accumulate", "masked", "parameter_average"]


class AccumulateState(NamedTuple):
    """How many gradients `mean` is of, and the state of the transformation that gets it."""

    seen: int
    mean: Tree
    inner: State


class AverageState(NamedTuple):
    """The moving average of the parameters: a tree like them, to predict with."""

    average: Tree


def masked(transform: Transform, paths: str | tuple[str, ...]) -> Transform:
    """Return the transformation that `transform` is for the leaves at these paths; the others pass as they are.

    `paths` are one or several patterns as a shell's: "*.w" are all weights, "c1.*" is the part c1; no decay on biases
    is `masked(add_decayed_weights(1e-4), "*.w")`. `init` raises `ValueError` for a pattern that matches nothing.
    """
    patterns = (paths,) if isinstance(paths, str) else tuple(paths)
    if not patterns:
        raise ValueError('masked: expected at least one pattern of paths, such as "*.w"')
    return Transform(
        partial(_masked_init, transform=transform, patterns=patterns),
        partial(_masked_update, transform=transform, patterns=patterns),
    )


def accumulate(transform: Transform, steps: int) -> Transform:
    """Return the transformation that gives `transform` the mean of every `steps` gradients, and updates of 0 between.

    So `steps` batches train as one that is `steps` times as large. Schedules within count the updates that are made.
    Raises `ValueError` for steps below 1.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"accumulate: steps is {steps!r}, expected an int of at least 1")
    return Transform(
        partial(_accumulate_init, transform=transform),
        partial(_accumulate_update, transform=transform, steps=int(steps)),
    )


def parameter_average(decay: float) -> Transform:
    """Return the transformation that passes updates on and keeps the average a <- decay a + (1 - decay) p.

    It stands last in a chain, so that p are the parameters after the update; a begins as the first ones. The average
    is `result.state[-1].average` (Polyak and Juditsky 1992; Tarvainen and Valpola 2017, eq. 2).
    Raises `ValueError` for a decay outside [0, 1).
    """
    check_fraction("parameter_average", "decay", decay)
    return Transform(_average_init, partial(_average_update, decay=decay))


def _chosen(params: Tree, patterns: tuple[str, ...]) -> dict[str, Any]:
    return {path: leaf for path, leaf in tree.items(params) if any(fnmatchcase(path, p) for p in patterns)}


def _masked_init(params: Tree, *, transform: Transform, patterns: tuple[str, ...]) -> State:
    paths = [path for path, _ in tree.items(params)]
    for pattern in patterns:
        if not any(fnmatchcase(path, pattern) for path in paths):
            raise ValueError(f"masked: {pattern!r} matches none of the parameters, which are {', '.join(paths)}")
    return transform.init(_chosen(params, patterns))


def _masked_update(
    grads: Tree, state: State, params: Tree, *, transform: Transform, patterns: tuple[str, ...]
) -> tuple[Tree, State]:
    chosen, state = transform.update(_chosen(grads, patterns), state, _chosen(params, patterns))
    _, unflatten = tree.flatten(grads)
    return unflatten([chosen.get(path, leaf) for path, leaf in tree.items(grads)]), state


def _accumulate_init(params: Tree, *, transform: Transform) -> AccumulateState:
    return AccumulateState(0, tree.zeros_like(params), transform.init(params))


def _accumulate_update(
    grads: Tree, state: AccumulateState, params: Tree, *, transform: Transform, steps: int
) -> tuple[Tree, AccumulateState]:
    seen = state.seen + 1
    mean = tree.map(lambda m, g: m + (g - m) * (1.0 / seen), state.mean, grads)
    if seen < steps:
        return tree.zeros_like(grads), AccumulateState(seen, mean, state.inner)
    updates, inner = transform.update(mean, state.inner, params)
    return updates, AccumulateState(0, tree.zeros_like(mean), inner)


def _average_init(params: Tree) -> AverageState:
    return AverageState(tree.map(np.copy, params))


def _average_update(grads: Tree, state: AverageState, params: Tree, *, decay: float) -> tuple[Tree, AverageState]:
    after = tree.map(np.add, params, grads)
    return grads, AverageState(tree.map(lambda a, p: times_plus(decay, a, (1.0 - decay) * p), state.average, after))
