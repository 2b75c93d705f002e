"""The exporters of the transforms of `functional_nn.data`, as they are in prediction: those that draw do nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from functional_nn import data
from functional_nn.data.transforms import scale_and_shift
from functional_nn.extras import needs_extra
from functional_nn.interop.onnx.graph import Exporter, Graph, Place, per_channel

with needs_extra("onnx", "functional_nn.interop.onnx"):
    from onnx import TensorProto

__all__ = ["EXPORTERS"]


def _chain(graph: Graph, at: Place) -> str:
    x: str = at.x
    example: Any = at.example
    for transform in at.arguments["transforms"]:
        x, example = graph.transform(transform, x, example)
    return x


def _standardize_by(graph: Graph, at: Place) -> str:
    """x scale + shift in float32; (x - mean) scale in float64 where float32 would lose the digits."""
    mean, (scale, shift, is_far) = at.arguments["mean"], scale_and_shift(**at.arguments)
    dtype = np.float64 if is_far else np.float32

    def constant(values: Any, name: str) -> str:
        return graph.constant(per_channel(np.asarray(values, dtype), at.input_shape), name)

    if not is_far:
        x = graph.node("Cast", at.x, to=TensorProto.FLOAT)
        return graph.node("Add", graph.node("Mul", x, constant(scale, "scale")), constant(shift, "shift"))
    away = graph.node("Sub", graph.node("Cast", at.x, to=TensorProto.DOUBLE), constant(mean, "mean"))
    return graph.node("Cast", graph.node("Mul", away, constant(scale, "scale")), to=TensorProto.FLOAT)


def _nothing(graph: Graph, at: Place) -> str:
    return at.x


EXPORTERS: dict[Any, Exporter] = {
    data.chain: _chain,
    data.random_flip: _nothing,
    data.random_shift: _nothing,
    data.standardize_by: _standardize_by,
}
