"""Serial composition: each layer on the output of the one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.compose._parts import NOTHING, Parts, check_entries, checked_parts, fold, within
from functional_nn.layer import Layer, Params, Pullback, Shape, configured


def serial(**parts: Layer) -> Layer:
    """Compose layers by name, each on the output of the one before: `serial(c1=conv2d(6, 5), a1=sigmoid)`.

    Parameters: {"c1": {...}, ...}. Raises `TypeError` for a part that is no layer.
    """
    return sequence("serial", {}, parts)


def sequence(name: str, config: Mapping[str, Any], parts: Mapping[str, Layer]) -> Layer:
    """Return the serial composition of `parts` under a name and a configuration of its own: a model."""
    return configured(
        name,
        config,
        init=serial_init,
        output_shape=serial_output_shape,
        apply=serial_apply,
        vjp=serial_vjp,
        parts=checked_parts(name, parts),
    )


def serial_init(rng: np.random.Generator, input_shape: Shape, *, parts: Parts, name: str) -> Params:
    """Return the parameters of the parts that have any, drawn in the order of the parts."""
    params = {}
    with within(name) as at:
        for at.part, part in parts:
            params[at.part] = part.init(rng, input_shape)
            input_shape = part.output_shape(input_shape)
    return {part_name: entry for part_name, entry in params.items() if entry}


def serial_output_shape(input_shape: Shape, *, parts: Parts, name: str) -> Shape:
    """Return the last part's output shape."""
    with within(name) as at:
        for at.part, part in parts:
            input_shape = part.output_shape(input_shape)
    return input_shape


def serial_apply(params: Params, x: np.ndarray, *, parts: Parts, name: str) -> np.ndarray:
    """Return the last part's output."""
    check_entries(name, params, parts)
    with within(name) as at:
        for at.part, part in parts:
            x = part.apply(params.get(at.part, NOTHING), x)
    return x


def serial_vjp(
    params: Params,
    x: np.ndarray,
    *,
    parts: Parts,
    name: str,
    key: keys.Key | None = None,
    wrt_x: bool = True,
) -> tuple[np.ndarray, Pullback]:
    """Return the last part's output and the pullback through all parts.

    With `wrt_x=False` it ends at the first part with parameters, and nothing is kept for the parts before it.
    """
    check_entries(name, params, parts)
    pullbacks: list[tuple[str, Pullback]] = []
    needed = wrt_x
    with within(name) as at:
        for i, (at.part, part) in enumerate(parts):
            part_params = params.get(at.part, NOTHING)
            x, part_pullback = part.vjp(part_params, x, key=fold(key, i), wrt_x=needed)
            needed = needed or bool(part_params)
            if needed:
                pullbacks.append((at.part, part_pullback))

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        dparams: Params = {}
        dx: Any = dy
        with within(name) as at:
            for at.part, part_pullback in reversed(pullbacks):
                dparams[at.part], dx = part_pullback(dx)
        return {entry: dparams.get(entry, {}) for entry in params}, dx if wrt_x else None

    return x, pullback
