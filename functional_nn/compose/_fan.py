"""Layers that give their input to every part: `residual` adds the outputs up, `branch` joins them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from functional_nn import keys
from functional_nn.compose._parts import NOTHING, Parts, check_entries, checked_parts, fold, within
from functional_nn.layer import Layer, Params, Pullback, Shape, ShapeError, configured


def residual(body: Layer, shortcut: Layer | None = None) -> Layer:
    """Return the layer y = body(x) + shortcut(x), or body(x) + x without a shortcut (He et al. 2016, eq. 1 and 2).

    Parameters: {"body": ..., "shortcut": ...}. Raises `ValueError` where the two shapes differ.
    """
    parts = {"body": body} if shortcut is None else {"body": body, "shortcut": shortcut}
    return configured(
        "residual",
        {},
        init=branch_init,
        output_shape=residual_output_shape,
        apply=residual_apply,
        vjp=residual_vjp,
        parts=checked_parts("residual", parts),
    )


def residual_output_shape(input_shape: Shape, *, parts: Parts, name: str) -> Shape:
    """Return the body's output shape; raises `ShapeError` where the shortcut's is another."""
    shapes = _fan_shapes(input_shape, parts, name)
    shortcut = shapes[1] if len(shapes) > 1 else input_shape
    if shortcut != shapes[0]:
        raise ShapeError(
            name, f"the body gives {shapes[0]}, the shortcut {shortcut}: give a shortcut= layer to the same shape"
        )
    return shortcut


def residual_apply(params: Params, x: np.ndarray, *, parts: Parts, name: str) -> np.ndarray:
    """Return body(x) + shortcut(x)."""
    return _sum(name, x, _fan_apply(params, x, parts, name))


def residual_vjp(
    params: Params,
    x: np.ndarray,
    *,
    parts: Parts,
    name: str,
    key: keys.Key | None = None,
    wrt_x: bool = True,
) -> tuple[np.ndarray, Pullback]:
    """Return body(x) + shortcut(x) and the pullback, which gives dy to both."""
    ys, fan_pullback = _fan_vjp(params, x, parts, name, key, wrt_x)

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        dparams, dx = fan_pullback([dy] * len(parts))
        return dparams, dx + dy if dx is not None and len(parts) == 1 else dx

    return _sum(name, x, ys), pullback


def branch(**parts: Layer) -> Layer:
    """Return the layer that gives x to each part and joins their outputs along the last axis (Szegedy et al. 2015).

    Parameters: {name: ..., ...}. Raises `ValueError` where the outputs differ in any other axis.
    """
    if not parts:
        raise ValueError("branch: expected at least one part, got none")
    return configured(
        "branch",
        {},
        init=branch_init,
        output_shape=branch_output_shape,
        apply=branch_apply,
        vjp=branch_vjp,
        parts=checked_parts("branch", parts),
    )


def branch_init(rng: np.random.Generator, input_shape: Shape, *, parts: Parts, name: str) -> Params:
    """Return the parameters of the parts that have any, all drawn for the same input shape."""
    params = {}
    with within(name) as at:
        for at.part, part in parts:
            params[at.part] = part.init(rng, input_shape)
    return {part_name: entry for part_name, entry in params.items() if entry}


def branch_output_shape(input_shape: Shape, *, parts: Parts, name: str) -> Shape:
    """Return the parts' common shape with their last axes added up; raises `ShapeError` where they do not fit."""
    shapes = _fan_shapes(input_shape, parts, name)
    if any(shape[:-1] != shapes[0][:-1] for shape in shapes):
        raise ShapeError(name, f"the parts give {shapes}, which can be joined only if all but the last axis agree")
    return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))


def branch_apply(params: Params, x: np.ndarray, *, parts: Parts, name: str) -> np.ndarray:
    """Return the parts' outputs joined along the last axis."""
    return _join(name, _fan_apply(params, x, parts, name))


def branch_vjp(
    params: Params,
    x: np.ndarray,
    *,
    parts: Parts,
    name: str,
    key: keys.Key | None = None,
    wrt_x: bool = True,
) -> tuple[np.ndarray, Pullback]:
    """Return the joined outputs and the pullback, which gives each part its share of dy."""
    ys, fan_pullback = _fan_vjp(params, x, parts, name, key, wrt_x)
    ends = np.cumsum([y.shape[-1] for y in ys])

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        return fan_pullback(np.split(dy, ends[:-1], axis=-1))

    return _join(name, ys), pullback


def _fan_shapes(input_shape: Shape, parts: Parts, name: str) -> list[Shape]:
    shapes = []
    with within(name) as at:
        for at.part, part in parts:
            shapes.append(part.output_shape(input_shape))
    return shapes


def _fan_apply(params: Params, x: np.ndarray, parts: Parts, name: str) -> list[np.ndarray]:
    check_entries(name, params, parts)
    ys = []
    with within(name) as at:
        for at.part, part in parts:
            ys.append(part.apply(params.get(at.part, NOTHING), x))
    return ys


def _fan_vjp(
    params: Params, x: np.ndarray, parts: Parts, name: str, key: keys.Key | None, wrt_x: bool
) -> tuple[list[np.ndarray], Callable[[list[np.ndarray]], tuple[Params, np.ndarray | None]]]:
    """Give x to every part: return their outputs, and the pullback of one cotangent a part."""
    check_entries(name, params, parts)
    ys, pullbacks = [], []
    with within(name) as at:
        for i, (at.part, part) in enumerate(parts):
            y, part_pullback = part.vjp(params.get(at.part, NOTHING), x, key=fold(key, i), wrt_x=wrt_x)
            ys.append(y)
            pullbacks.append((at.part, part_pullback))

    def pullback(dys: list[np.ndarray]) -> tuple[Params, np.ndarray | None]:
        dparams: Params = {}
        dx: np.ndarray | None = None
        with within(name) as at:
            for (at.part, part_pullback), dy in zip(pullbacks, dys, strict=True):
                dparams[at.part], part_dx = part_pullback(dy)
                dx = part_dx if dx is None else dx + part_dx
        return {entry: dparams[entry] for entry in params}, dx

    return ys, pullback


def _sum(name: str, x: np.ndarray, ys: list[np.ndarray]) -> np.ndarray:
    a, b = ys if len(ys) == 2 else (ys[0], x)
    if a.shape != b.shape:
        raise ShapeError(name, f"the body gives {a.shape}, the shortcut {b.shape}: give a shortcut= that fits")
    return a + b


def _join(name: str, ys: list[np.ndarray]) -> np.ndarray:
    if any(y.shape[:-1] != ys[0].shape[:-1] for y in ys):
        raise ShapeError(name, f"the parts give {[y.shape for y in ys]}: all but the last axis must agree")
    return np.concatenate(ys, axis=-1)
