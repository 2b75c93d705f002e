"""Partial application of a model to some of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.layer import Layer, Params, Pullback, Shape, StructureError, configured, with_parts


def bind(model: Layer, fixed: Mapping[str, Any]) -> Layer:
    """Partial application: return `model` with the parts' parameters in `fixed` fixed, gone from its tree.

    `bind(model, {"c1": {...}})` has no entry c1 to train and spends no backward on it when it stands in front;
    `fixed` may reach into nested parts, and leave out any part. Raises `TypeError` for a part that `model` lacks.
    """
    config = {"model": model, "fixed": dict(fixed)}
    if not model.parts:
        return configured(
            "bind", config, init=bound_init, output_shape=bound_output_shape, apply=bound_apply, vjp=bound_vjp
        )
    known = [part_name for part_name, _ in model.parts]
    for unknown in sorted(fixed.keys() - set(known)):
        raise StructureError(model.name, f"bind: no such part; expected some of {', '.join(known)}", (unknown,))
    parts = tuple((name, bind(part, fixed[name]) if name in fixed else part) for name, part in model.parts)
    return Layer("bind", config=config, parts=parts, **with_parts(model, parts))


def bound_init(rng: np.random.Generator, input_shape: Shape, *, model: Layer, fixed: Params) -> Params:
    """Return what is left to train of the model's parameters: the draws are those of the whole model."""
    return {entry: value for entry, value in model.init(rng, input_shape).items() if entry not in fixed}


def bound_output_shape(input_shape: Shape, *, model: Layer) -> Shape:
    """Return the model's output shape."""
    return model.output_shape(input_shape)


def bound_apply(params: Params, x: np.ndarray, *, model: Layer, fixed: Params) -> np.ndarray:
    """Return the model's output with the fixed parameters put back."""
    return model.apply(_filled(model, params, fixed), x)


def bound_vjp(
    params: Params,
    x: np.ndarray,
    *,
    model: Layer,
    fixed: Params,
    key: keys.Key | None = None,
    wrt_x: bool = True,
) -> tuple[np.ndarray, Pullback]:
    """Return the model's output and the pullback, whose dparams leave the fixed entries out."""
    y, model_pullback = model.vjp(_filled(model, params, fixed), x, key=key, wrt_x=wrt_x)

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        dparams, dx = model_pullback(dy)
        return {entry: dparams[entry] for entry in params}, dx

    return y, pullback


def _filled(model: Layer, params: Params, fixed: Params) -> Params:
    both = sorted(params.keys() & fixed.keys())
    if both:
        raise StructureError(model.name, "bound already: leave it out of the parameters", (both[0],))
    return {**fixed, **params}
