"""The exporters of combinators, whose parts stand in the graph under their paths."""

from __future__ import annotations

from typing import Any

from functional_nn.compose import branch, residual, serial
from functional_nn.interop.onnx.graph import Exporter, Graph, Place, axis_of_channels

__all__ = ["EXPORTERS"]


def _serial(graph: Graph, at: Place) -> str:
    x, shape = at.x, at.input_shape
    for name, part in at.layer.parts:
        x = graph.part(at, name, x, shape)
        shape = part.output_shape(shape)
    return x


def _residual(graph: Graph, at: Place) -> str:
    body, *shortcut = [graph.part(at, name, at.x, at.input_shape) for name, _ in at.layer.parts]
    return graph.node("Add", body, *(shortcut or [at.x]))


def _branch(graph: Graph, at: Place) -> str:
    outputs = [graph.part(at, name, at.x, at.input_shape) for name, _ in at.layer.parts]
    return graph.node("Concat", *outputs, axis=axis_of_channels(at.output_shape))


EXPORTERS: dict[Any, Exporter] = {branch: _branch, residual: _residual, serial: _serial}
