"""Serial composition: each layer on the output of the one before."""

from __future__ import annotations

from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.compose.parts import Part, fold, named_parts
from functional_nn.layer import Layer, Params, Pullback, Shape
from functional_nn.value import constructor

__all__ = ["serial"]


@constructor
def serial(*unnamed: Layer, **parts: Layer) -> Layer:
    """Compose layers by name, each on the output of the one before: `serial(c1=conv2d(6, 5), a1=sigmoid)`.

    Parameters: {"c1": {...}, ...}, an entry for each part that has parameters. Raises `TypeError` for a part that is no
    layer or has no name. With `wrt_x=False` the pullback ends at the first part with parameters.

    >>> model = fnn.serial(hidden=layers.dense(8), a=layers.relu, output=layers.dense(3))
    >>> params = model.init(np.random.default_rng(0), (4,))
    >>> params["hidden"]["w"].shape, params["output"]["w"].shape
    ((4, 8), (8, 3))
    >>> y, pullback = model.vjp(params, np.ones((5, 4), np.float32))
    >>> dparams, dx = pullback(np.ones_like(y))
    >>> dparams.keys(), dx.shape
    (dict_keys(['hidden', 'output']), (5, 4))
    """
    if unnamed:
        raise TypeError(f"serial: give every layer a name, such as serial(l1={unnamed[0]!r}, ...)")
    steps = named_parts("serial", parts)
    running = _running_order(steps)

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        params = {}
        for part in steps:
            params[part.name] = part.init(rng, input_shape)
            input_shape = part.output_shape(input_shape)
        return {name: entry for name, entry in params.items() if entry}

    def output_shape(input_shape: Shape) -> Shape:
        for part in steps:
            input_shape = part.output_shape(input_shape)
        return input_shape

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        for _, part in running:
            x = part.apply(params, x)
        return x

    def vjp(
        params: Params, x: np.ndarray, *, key: keys.Key | None = None, wrt_x: bool = True
    ) -> tuple[np.ndarray, Pullback]:
        pullbacks: list[tuple[Part, Pullback]] = []
        needed = wrt_x
        for i, part in running:
            x, part_pullback = part.vjp(params, x, fold(key, i), needed)
            needed = needed or bool(params.get(part.name))
            if needed:
                pullbacks.append((part, part_pullback))

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            dparams: Params = {}
            dx: Any = dy
            for part, part_pullback in reversed(pullbacks):
                dparams[part.name], dx = part.pull(part_pullback, dx)
            return {name: dparams.get(name, {}) for name in params}, dx if wrt_x else None

        return x, pullback

    return Layer("serial", init=init, output_shape=output_shape, apply=apply, vjp=vjp, parts=steps, combine=serial)


def _running_order(steps: tuple[Part, ...]) -> tuple[tuple[int, Part], ...]:
    """Return the parts with their positions; an activation that never falls runs after a max pool that follows it.

    The largest of f(x) is f of the largest x, and a pool leaves fewer entries to compute f of.
    """
    order = list(enumerate(steps))
    for i in range(len(order) - 1):
        if order[i][1].layer.monotone and order[i + 1][1].layer.takes_maxima:
            order[i], order[i + 1] = order[i + 1], order[i]
    return tuple(order)
