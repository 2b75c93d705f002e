"""Transformations around others: chains, some of the leaves, several gradients at once, and averages of parameters."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.arguments import count, fraction
from functional_nn.optim.transforms import State, Transform, Tree, expect_state, times_plus, transformation
from functional_nn.value import constructor

__all__ = ["accumulate", "chain", "masked", "parameter_average"]


def _transformations(constructor: str, name: str, value: tuple[Any, ...]) -> tuple[Transform, ...]:
    return tuple(transformation(constructor, f"{name}[{i}]", item) for i, item in enumerate(value))


@constructor(transforms=_transformations)
def chain(*transforms: Transform) -> Transform:
    """Return the transformation that applies these in order; its state is the tuple of theirs.

    >>> optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1))
    chain(clip_by_global_norm(1.0), sgd(0.1))
    """

    def init(params: Tree) -> tuple[State, ...]:
        return tuple(transform.init(params) for transform in transforms)

    def update(grads: Tree, state: tuple[State, ...], params: Tree) -> tuple[Tree, tuple[State, ...]]:
        if type(state) is not tuple or len(state) != len(transforms):
            number = f"a tuple of {len(state)}" if type(state) is tuple else f"a {type(state).__name__}"
            raise ValueError(
                f"chain: the state is {number}, expected a tuple of {len(transforms)}, one for each transformation: "
                "pass the state that this optimizer's init or update returned"
            )
        states = []
        for transform, old in zip(transforms, state, strict=True):
            grads, new = transform.update(grads, old, params)
            states.append(new)
        return grads, tuple(states)

    return Transform(init, update)


def _patterns(constructor: str, name: str, value: Any) -> tuple[str, ...]:
    patterns = (value,) if isinstance(value, str) else value
    if not isinstance(patterns, tuple | list) or not patterns or not all(isinstance(p, str) for p in patterns):
        raise ValueError(f'{constructor}: {name} is {value!r}, expected patterns of paths, such as "*.w", at least one')
    return tuple(patterns)


@constructor(transform=transformation, paths=_patterns)
def masked(transform: Transform, paths: str | tuple[str, ...]) -> Transform:
    """Return the transformation that `transform` is for the leaves at these paths; the others pass as they are.

    `paths` are one or several patterns as a shell's: "*.w" are all weights, "c1.*" is the part c1; no decay on biases
    is `masked(add_decayed_weights(1e-4), "*.w")`. `init` raises `ValueError` for a pattern that matches nothing.

    >>> transform = optim.masked(optim.add_decayed_weights(0.1), "*.w")
    >>> grads, params = ({"c1": {"w": np.ones(1), "b": np.ones(1)}} for _ in range(2))
    >>> transform.update(grads, transform.init(params), params)[0]
    {'c1': {'b': array([1.]), 'w': array([1.1])}}
    """

    def matching(params: Tree) -> dict[str, Any]:
        return {path: leaf for path, leaf in tree.items(params) if any(fnmatchcase(path, p) for p in paths)}

    def init(params: Tree) -> State:
        known = [path for path, _ in tree.items(params)]
        for pattern in paths:
            if not any(fnmatchcase(path, pattern) for path in known):
                raise ValueError(f"masked: {pattern!r} matches none of the parameters, which are {', '.join(known)}")
        return transform.init(matching(params))

    def update(grads: Tree, state: State, params: Tree) -> tuple[Tree, State]:
        updates, state = transform.update(matching(grads), state, matching(params))
        _, unflatten = tree.flatten(grads)
        return unflatten([updates.get(path, leaf) for path, leaf in tree.items(grads)]), state

    return Transform(init, update)


class AccumulateState(NamedTuple):
    """How many gradients `mean` is of, and the state of the transformation that gets it."""

    seen: int
    mean: Tree
    inner: State


@constructor(transform=transformation, steps=count)
def accumulate(transform: Transform, steps: int) -> Transform:
    """Return the transformation that gives `transform` the mean of every `steps` gradients, and updates of 0 between.

    So `steps` batches train as one that is `steps` times as large. Schedules within count the updates that are made.
    Raises `ValueError` for steps below 1.

    >>> transform = optim.accumulate(optim.sgd(1.0), steps=2)
    >>> params = {"w": np.array([0.0])}
    >>> first, state = transform.update({"w": np.array([1.0])}, transform.init(params), params)
    >>> second, state = transform.update({"w": np.array([3.0])}, state, params)
    >>> first["w"], second["w"]
    (array([0.]), array([-2.]))
    """

    def init(params: Tree) -> AccumulateState:
        return AccumulateState(0, tree.zeros_like(params), transform.init(params))

    def update(grads: Tree, state: AccumulateState, params: Tree) -> tuple[Tree, AccumulateState]:
        expect_state("accumulate", state, AccumulateState)
        seen = state.seen + 1
        mean = tree.map_arrays(lambda m, g: m + (g - m) * (1.0 / seen), state.mean, grads)
        if seen < steps:
            return tree.zeros_like(grads), AccumulateState(seen, mean, state.inner)
        updates, inner = transform.update(mean, state.inner, params)
        return updates, AccumulateState(0, tree.zeros_like(mean), inner)

    return Transform(init, update)


class AverageState(NamedTuple):
    """The moving average of the parameters: a tree like them, to predict with."""

    average: Tree


@constructor(decay=fraction)
def parameter_average(decay: float) -> Transform:
    """Return the transformation that passes updates on and keeps the average a <- decay a + (1 - decay) p.

    It stands last in a chain, so that p are the parameters after the update; a begins as the first ones. The average
    is `result.state[-1].average` (Polyak and Juditsky 1992; Tarvainen and Valpola 2017, eq. 2).
    Raises `ValueError` for a decay outside [0, 1).

    >>> transform = optim.chain(optim.sgd(1.0), optim.parameter_average(0.5))
    >>> params = {"w": np.array([0.0])}
    >>> updates, state = transform.update({"w": np.array([-4.0])}, transform.init(params), params)
    >>> optim.apply_updates(params, updates), state[-1].average
    ({'w': array([4.])}, {'w': array([2.])})
    """

    def init(params: Tree) -> AverageState:
        return AverageState(tree.map_arrays(np.copy, params))

    def update(grads: Tree, state: AverageState, params: Tree) -> tuple[Tree, AverageState]:
        expect_state("parameter_average", state, AverageState)
        after = tree.map_arrays(np.add, params, grads)
        average = tree.map_arrays(lambda a, p: times_plus(decay, a, (1.0 - decay) * p), state.average, after)
        return grads, AverageState(average)

    return Transform(init, update)
