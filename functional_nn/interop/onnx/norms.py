"""The exporters of norms, of primitive operators: runtimes differ in the newer ones, and in the axes that they take."""

from __future__ import annotations

from typing import Any

import numpy as np

from functional_nn import layers
from functional_nn.interop.onnx.graph import Exporter, Graph, Place, axis_of_channels, per_channel

__all__ = ["EXPORTERS"]


def _layer_norm(graph: Graph, at: Place) -> str:
    """Normalize over the channels."""
    z = _normalized(graph, at, at.x, [axis_of_channels(at.input_shape)])
    return _scaled(graph, at, z, at.params["w"], at.params["b"])


def _group_norm(graph: Graph, at: Place) -> str:
    """Normalize over the positions and the channels of each group, which get an axis of their own."""
    groups, (*positions, channels) = at.arguments["groups"], at.input_shape
    split = [groups, channels // groups]
    is_image = len(at.input_shape) == 3
    shape = [*split, *positions] if is_image else [*positions, *split]
    axis = 1 if is_image else 1 + len(positions)  # that of the groups
    x = graph.node("Reshape", at.x, graph.constant(np.array([0, *shape], np.int64)))
    z = _normalized(graph, at, x, [i for i in range(1, 1 + len(shape)) if i != axis])
    whole = [channels, *positions] if is_image else at.input_shape
    z = graph.node("Reshape", z, graph.constant(np.array([0, *whole], np.int64)))
    return _scaled(graph, at, z, at.params["w"], at.params["b"])


def _batch_norm(graph: Graph, at: Place) -> str:
    """Scale and shift by the statistics: y = x scale + (b - mean scale), scale = w / sqrt(var + epsilon)."""
    p = at.params
    scale = p["w"] * (1.0 / np.sqrt(p["var"] + at.arguments["epsilon"]))
    return _scaled(graph, at, at.x, scale, p["b"] - p["mean"] * scale)


def _normalized(graph: Graph, at: Place, x: str, axes: list[int]) -> str:
    """(x - mean) / sqrt(variance + epsilon) over these axes."""
    away = graph.node("Sub", x, graph.node("ReduceMean", x, axes=axes, keepdims=1))
    variance = graph.node("ReduceMean", graph.node("Mul", away, away), axes=axes, keepdims=1)
    epsilon = graph.constant(np.float32(at.arguments["epsilon"]))
    return graph.node("Div", away, graph.node("Sqrt", graph.node("Add", variance, epsilon)))


def _scaled(graph: Graph, at: Place, x: str, scale: np.ndarray, shift: np.ndarray) -> str:
    scale, shift = (per_channel(values, at.input_shape) for values in (scale, shift))
    return graph.node("Add", graph.node("Mul", x, graph.constant(scale, "w")), graph.constant(shift, "b"))


EXPORTERS: dict[Any, Exporter] = {
    layers.batch_norm: _batch_norm,
    layers.group_norm: _group_norm,
    layers.layer_norm: _layer_norm,
}
