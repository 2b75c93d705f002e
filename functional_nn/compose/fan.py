"""Layers that give their input to every part: `residual` adds the outputs up, `branch` joins them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from functional_nn import keys
from functional_nn.arguments import ARRAYS
from functional_nn.compose.parts import Part, fold, named_parts
from functional_nn.errors import unfit_cotangent
from functional_nn.layer import Layer, Params, Pullback, Shape, ShapeError
from functional_nn.value import constructor

__all__ = ["branch", "residual"]

FanPullback = Callable[[list[np.ndarray]], tuple[Params, np.ndarray | None]]


@constructor
def residual(body: Layer, shortcut: Layer | None = None) -> Layer:
    """Return the layer y = body(x) + shortcut(x), or body(x) + x without a shortcut (He et al. 2016, eq. 1 and 2).

    Parameters: {"body": ..., "shortcut": ...}. Raises `ValueError` where the two shapes differ.

    >>> layer = fnn.residual(layers.relu)
    >>> layer.apply({}, np.array([[-1.0, 2.0]]))  # relu(x) + x
    array([[-1.,  4.]])
    """
    parts = named_parts("residual", {"body": body} if shortcut is None else {"body": body, "shortcut": shortcut})

    def output_shape(input_shape: Shape) -> Shape:
        shapes = [part.output_shape(input_shape) for part in parts]
        return _equal_shapes(shapes[0], shapes[1] if shortcut else input_shape)

    def add(x: np.ndarray, ys: list[np.ndarray]) -> np.ndarray:
        other = ys[1] if shortcut else x
        _equal_shapes(ys[0].shape, other.shape)
        return ys[0] + other

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        return add(x, [part.apply(params, x) for part in parts])

    def vjp(
        params: Params, x: np.ndarray, *, key: keys.Key | None = None, wrt_x: bool = True
    ) -> tuple[np.ndarray, Pullback]:
        ys, fan_pullback = _fan_vjp(parts, params, x, key, wrt_x)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            dparams, dx = fan_pullback([dy] * len(parts))
            return dparams, dx if dx is None or shortcut else dx + dy

        return add(x, ys), pullback

    init = _fan_init(parts)
    return Layer("residual", init=init, output_shape=output_shape, apply=apply, vjp=vjp, parts=parts, combine=residual)


@constructor
def branch(**parts: Layer) -> Layer:
    """Return the layer that gives x to each part and joins their outputs along the last axis (Szegedy et al. 2015).

    Parameters: {name: ..., ...}. Raises `ValueError` where the outputs differ in any other axis.

    >>> layer = fnn.branch(up=layers.relu, same=layers.leaky_relu(1.0))
    >>> layer.apply({}, np.array([[-1.0, 2.0]]))
    array([[ 0.,  2., -1.,  2.]])
    """
    branches = named_parts("branch", parts)
    if not branches:
        raise ValueError("branch: expected at least one part, got none")

    def output_shape(input_shape: Shape) -> Shape:
        shapes = [part.output_shape(input_shape) for part in branches]
        _check_joinable(shapes)
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def join(ys: list[np.ndarray]) -> np.ndarray:
        _check_joinable([y.shape for y in ys])
        return np.concatenate(ys, axis=-1)

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        return join([part.apply(params, x) for part in branches])

    def vjp(
        params: Params, x: np.ndarray, *, key: keys.Key | None = None, wrt_x: bool = True
    ) -> tuple[np.ndarray, Pullback]:
        ys, fan_pullback = _fan_vjp(branches, params, x, key, wrt_x)
        ends = np.cumsum([y.shape[-1] for y in ys])
        y = join(ys)
        shape, dtype = y.shape, y.dtype

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            if type(dy) not in ARRAYS or dy.shape != shape:
                raise unfit_cotangent(dy, shape, dtype)
            return fan_pullback(np.split(dy, ends[:-1], axis=-1))

        return y, pullback

    init = _fan_init(branches)
    return Layer("branch", init=init, output_shape=output_shape, apply=apply, vjp=vjp, parts=branches, combine=branch)


def _fan_init(parts: tuple[Part, ...]) -> Callable[[np.random.Generator, Shape], Params]:
    """Return the init of parts that all get the same input."""

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        params = {part.name: part.init(rng, input_shape) for part in parts}
        return {name: entry for name, entry in params.items() if entry}

    return init


def _fan_vjp(
    parts: tuple[Part, ...], params: Params, x: np.ndarray, key: keys.Key | None, wrt_x: bool
) -> tuple[list[np.ndarray], FanPullback]:
    """Give x to every part: return their outputs, and the pullback of one cotangent a part."""
    ys, pullbacks = [], []
    for i, part in enumerate(parts):
        y, part_pullback = part.vjp(params, x, fold(key, i), wrt_x)
        ys.append(y)
        pullbacks.append(part_pullback)

    def pullback(dys: list[np.ndarray]) -> tuple[Params, np.ndarray | None]:
        dparams: Params = {}
        dx: np.ndarray | None = None
        for part, part_pullback, dy in zip(parts, pullbacks, dys, strict=True):
            dparams[part.name], part_dx = part.pull(part_pullback, dy)
            dx = part_dx if dx is None or part_dx is None else dx + part_dx
        return {name: dparams[name] for name in params}, dx

    return ys, pullback


def _equal_shapes(body: Shape, shortcut: Shape) -> Shape:
    if body != shortcut:
        raise ShapeError(f"the body gives {body}, the shortcut {shortcut}: give a shortcut= layer to the same shape")
    return body


def _check_joinable(shapes: list[Shape]) -> None:
    if any(shape[:-1] != shapes[0][:-1] for shape in shapes):
        raise ShapeError(f"the parts give {shapes}, which can be joined only if all but the last axis agree")
