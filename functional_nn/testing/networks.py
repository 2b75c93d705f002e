"""Random networks of every public layer, for the strategy `networks`; a new layer needs one row in a table here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functional_nn import layers
from functional_nn.compose import branch, residual, serial
from functional_nn.layer import Layer, Params, Pullback, Shape

__all__ = ["draw_network"]

Draw = Callable[..., Any]
Row = Callable[[Draw, Any, Shape], Layer]  # (draw, hypothesis.strategies, input_shape) -> a layer that fits the shape

ACTIVATIONS = (
    layers.sigmoid,
    layers.tanh,
    layers.scaled_tanh,
    layers.silu,
    layers.gelu,
    layers.softplus,
    layers.asinh_unit,
    layers.relu,
    layers.leaky_relu(0.1),
)


def draw_network(draw: Draw, st: Any, shape: Shape, max_parts: int, nesting: int, keyed: bool) -> Layer:
    """Return a network for inputs of this shape; `st` is the module `hypothesis.strategies`."""
    parts = {}
    for i in range(draw(st.integers(1, max_parts))):
        rows = [
            *ACTIVATION_ROWS,
            *(VECTOR_ROWS if len(shape) == 1 else IMAGE_ROWS),
            *ANY_ROWS,
            *(KEYED_ROWS if keyed else ()),
        ]
        if nesting:
            rows += [_residual(max_parts, nesting, keyed), _branch(max_parts, nesting, keyed)]
        parts[f"l{i}"] = draw(st.sampled_from(rows))(draw, st, shape)
        shape = parts[f"l{i}"].output_shape(shape)
    return serial(**parts)


def shifted_by_rows(entries: int, numbers: np.ndarray) -> Layer:
    """Return the layer x (n, ..., features) -> x + w[numbers], the rows that an embedding looks up, as for positions.

    `numbers` (...) are fixed whole numbers, so that the table w is all that the embedding is differentiated by.
    """

    def table(shape: Shape) -> Layer:
        return layers.embedding(entries, shape[-1])

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        return table(input_shape).init(rng, numbers.shape)

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        return np.asarray(x + table(x.shape).apply(params, numbers[np.newaxis]))

    def vjp(params: Params, x: np.ndarray, *, key: Any = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        rows, pullback = table(x.shape).vjp(params, numbers[np.newaxis], wrt_x=False)

        def pull(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            dparams, _ = pullback(dy.sum(axis=0, keepdims=True))
            return dparams, dy.copy() if wrt_x else None

        return x + rows, pull

    return Layer("embedding", init=init, apply=apply, vjp=vjp, parameters=("w",))


def _activation(draw: Draw, st: Any, shape: Shape) -> Layer:
    layer: Layer = draw(st.sampled_from(ACTIVATIONS))
    return layer


def _dense(draw: Draw, st: Any, shape: Shape) -> Layer:
    return layers.dense(draw(st.integers(1, 6)))


def _vector_to_image(draw: Draw, st: Any, shape: Shape) -> Layer:
    side = draw(st.sampled_from([side for side in range(1, shape[0] + 1) if shape[0] % side == 0]))
    return layers.reshape((1, side, shape[0] // side))


def _conv2d(draw: Draw, st: Any, shape: Shape) -> Layer:
    padding = draw(st.integers(0, 1))
    kernel = tuple(draw(st.integers(1, min(side + 2 * padding, 3))) for side in shape[:2])
    fits = [(side + 2 * padding - 1) // max(k - 1, 1) for side, k in zip(shape[:2], kernel, strict=True)]
    dilation = tuple(draw(st.integers(1, max(1, min(most, 2)))) for most in fits)
    groups = draw(st.sampled_from(_divisors(shape[2])))
    filters = groups * draw(st.integers(1, max(1, 3 // groups)))
    stride = draw(st.integers(1, 2))
    return layers.conv2d(filters, kernel, stride=stride, padding=padding, groups=groups, dilation=dilation)


def _pool(name: str) -> Row:
    def draw_pool(draw: Draw, st: Any, shape: Shape) -> Layer:
        window = draw(st.integers(1, min(shape[0], shape[1], 3)))
        layer: Layer = getattr(layers, name)(window, stride=draw(st.integers(1, 2)))
        return layer

    return draw_pool


def _conv2d_transpose(draw: Draw, st: Any, shape: Shape) -> Layer:
    kernel, stride = draw(st.integers(1, 3)), draw(st.integers(1, _enlargement(shape)))
    return layers.conv2d_transpose(draw(st.integers(1, 3)), kernel, stride=stride)


def _upsample(draw: Draw, st: Any, shape: Shape) -> Layer:
    return layers.upsample(draw(st.integers(1, _enlargement(shape))))


def _enlargement(shape: Shape) -> int:
    """Return by how much an image may grow: several layers in a row must not make it large."""
    return 2 if max(shape[:2]) <= 4 else 1


def _zero_pad(draw: Draw, st: Any, shape: Shape) -> Layer:
    return layers.zero_pad(((draw(st.integers(0, 1)), 0), (1, draw(st.integers(0, 1)))))


def _turned(draw: Draw, st: Any, shape: Shape) -> Layer:
    return layers.reshape(tuple(draw(st.permutations(shape))))


def _group_norm(draw: Draw, st: Any, shape: Shape) -> Layer:
    return layers.group_norm(draw(st.sampled_from(_divisors(shape[-1]))))


def _embedding(draw: Draw, st: Any, shape: Shape) -> Layer:
    entries = draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return shifted_by_rows(entries, rng.integers(0, entries, shape[:-1]))


ACTIVATION_ROWS: tuple[Row, ...] = (_activation,) * 3
VECTOR_ROWS: tuple[Row, ...] = (_dense, _dense, _vector_to_image)
IMAGE_ROWS: tuple[Row, ...] = (
    _conv2d,
    _conv2d,
    _pool("max_pool"),
    _pool("avg_pool"),
    _conv2d_transpose,
    _upsample,
    _zero_pad,
    _turned,
    lambda draw, st, shape: layers.flatten(),
    lambda draw, st, shape: layers.global_avg_pool(),
)
ANY_ROWS: tuple[Row, ...] = (_group_norm, lambda draw, st, shape: layers.layer_norm(), _embedding)
KEYED_ROWS: tuple[Row, ...] = (
    lambda draw, st, shape: layers.batch_norm(),
    lambda draw, st, shape: layers.dropout(draw(st.sampled_from((0.0, 0.25, 0.5)))),
)


def _residual(max_parts: int, nesting: int, keyed: bool) -> Row:
    def draw_residual(draw: Draw, st: Any, shape: Shape) -> Layer:
        body = draw_network(draw, st, shape, max_parts, nesting - 1, keyed)
        goal = body.output_shape(shape)
        if goal == shape and draw(st.booleans()):
            return residual(body)
        shortcut = _bridge(shape, goal)
        return residual(_activation(draw, st, shape)) if shortcut is None else residual(body, shortcut)

    return draw_residual


def _branch(max_parts: int, nesting: int, keyed: bool) -> Row:
    def draw_branch(draw: Draw, st: Any, shape: Shape) -> Layer:
        left = draw_network(draw, st, shape, max_parts, nesting - 1, keyed)
        goal = left.output_shape(shape)
        right = _bridge(shape, (*goal[:-1], draw(st.integers(1, 3))))
        return branch(left=left) if right is None else branch(left=left, right=right)

    return draw_branch


def _bridge(shape: Shape, goal: Shape) -> Layer | None:
    """Return a layer that leads from one shape to another, None where a single one cannot."""
    if len(shape) == len(goal) == 1:
        return layers.dense(goal[0])
    if len(shape) == len(goal) == 3 and goal[0] <= shape[0] and goal[1] <= shape[1]:
        return layers.conv2d(goal[2], (shape[0] - goal[0] + 1, shape[1] - goal[1] + 1))
    if len(goal) == 1:
        return serial(flat=layers.flatten(), out=layers.dense(goal[0]))
    return None


def _divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]
