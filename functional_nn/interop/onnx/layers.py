"""The exporters of `functional_nn.layers` but for norms: each adds what its layer computes to the graph.

Images are (n, channels, height, width) in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from functional_nn import layers
from functional_nn.arguments import as_margins, as_pair
from functional_nn.interop.onnx.graph import Exporter, Graph, Place

__all__ = ["EXPORTERS"]


def _number(graph: Graph, value: float) -> str:
    return graph.constant(np.float32(value))


def _operator(name: str) -> Callable[[Graph, Place], str]:
    return lambda graph, at: graph.node(name, at.x)


def _scaled_tanh(graph: Graph, at: Place) -> str:
    t = graph.node("Tanh", graph.node("Mul", at.x, _number(graph, 2.0 / 3.0)))
    return graph.node("Mul", t, _number(graph, 1.7159))


def _leaky_relu(graph: Graph, at: Place) -> str:
    return graph.node("LeakyRelu", at.x, alpha=at.arguments["slope"])


def _silu(graph: Graph, at: Place) -> str:
    return graph.node("Mul", at.x, graph.node("Sigmoid", at.x))


def _gelu(graph: Graph, at: Place) -> str:
    """x s(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3), with x held within +-10 before it is cubed, as the layer does."""
    held = graph.node("Clip", at.x, _number(graph, -10.0), _number(graph, 10.0))
    square = graph.node("Mul", held, held)
    slope = graph.node("Mul", square, _number(graph, 2.0 * 0.044715 * math.sqrt(2.0 / math.pi)))
    slope = graph.node("Add", slope, _number(graph, 2.0 * math.sqrt(2.0 / math.pi)))
    return graph.node("Mul", at.x, graph.node("Sigmoid", graph.node("Mul", slope, held)))


def _softplus(graph: Graph, at: Place) -> str:
    """max(x, 0) + log(1 + exp(-|x|)): the operator Softplus may overflow."""
    decay = graph.node("Exp", graph.node("Neg", graph.node("Abs", at.x)))
    rest = graph.node("Log", graph.node("Add", decay, _number(graph, 1.0)))
    return graph.node("Add", graph.node("Relu", at.x), rest)


def _asinh_unit(graph: Graph, at: Place) -> str:
    fifth = graph.node("Mul", graph.node("Asinh", at.x), _number(graph, 0.2))
    return graph.node("Add", fifth, _number(graph, 0.5))


def _dropout(graph: Graph, at: Place) -> str:
    return at.x


def _dense(graph: Graph, at: Place) -> str:
    return graph.node("Gemm", at.x, graph.constant(at.params["w"], "w"), graph.constant(at.params["b"], "b"))


def _embedding(graph: Graph, at: Place) -> str:
    numbers = graph.channels_last(at.x, at.input_shape)
    rows = graph.node("Gather", graph.constant(at.params["w"], "w"), numbers)
    return graph.channels_first(rows, at.output_shape)


def _pads(padding: Any) -> list[int]:
    (top, bottom), (left, right) = as_margins(padding)
    return [top, left, bottom, right]


def _conv2d(graph: Graph, at: Place) -> str:
    dilations = as_pair(at.arguments["dilation"])
    return _convolution(graph, at, "Conv", (3, 2, 0, 1), dilations=dilations, group=at.arguments["groups"])


def _conv2d_transpose(graph: Graph, at: Place) -> str:
    return _convolution(graph, at, "ConvTranspose", (2, 3, 0, 1))


def _convolution(graph: Graph, at: Place, operator: str, axes: tuple[int, ...], **attributes: Any) -> str:
    w = at.params["w"]
    strides, pads = as_pair(at.arguments["stride"]), _pads(at.arguments["padding"])
    attributes |= {"kernel_shape": w.shape[:2], "strides": strides, "pads": pads}
    constants = graph.constant(w.transpose(axes), "w"), graph.constant(at.params["b"], "b")
    return graph.node(operator, at.x, *constants, **attributes)


def _pool(operator: str) -> Callable[[Graph, Place], str]:
    def exporter(graph: Graph, at: Place) -> str:
        window, stride = at.arguments["window"], at.arguments["stride"]
        strides = as_pair(window if stride is None else stride)
        return graph.node(operator, at.x, kernel_shape=as_pair(window), strides=strides)

    return exporter


def _global_avg_pool(graph: Graph, at: Place) -> str:
    return graph.node("ReduceMean", at.x, axes=[2, 3], keepdims=0)


def _zero_pad(graph: Graph, at: Place) -> str:
    top, left, bottom, right = _pads(at.arguments["padding"])
    return graph.node("Pad", at.x, graph.constant(np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)))


def _upsample(graph: Graph, at: Place) -> str:
    scales = graph.constant(np.array([1.0, 1.0, *as_pair(at.arguments["factor"])], np.float32))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.node("Resize", at.x, "", scales, **how)


def _reshaped(graph: Graph, at: Place) -> str:
    """A 0 in the new shape stands for the batch axis, as it is."""
    x = graph.channels_last(at.x, at.input_shape)
    y = graph.node("Reshape", x, graph.constant(np.array([0, *at.output_shape], np.int64)))
    return graph.channels_first(y, at.output_shape)


EXPORTERS: dict[Any, Exporter] = {
    layers.asinh_unit: _asinh_unit,
    layers.avg_pool: _pool("AveragePool"),
    layers.conv2d: _conv2d,
    layers.conv2d_transpose: _conv2d_transpose,
    layers.dense: _dense,
    layers.dropout: _dropout,
    layers.embedding: _embedding,
    layers.flatten: _reshaped,
    layers.gelu: _gelu,
    layers.global_avg_pool: _global_avg_pool,
    layers.leaky_relu: _leaky_relu,
    layers.max_pool: _pool("MaxPool"),
    layers.relu: _operator("Relu"),
    layers.reshape: _reshaped,
    layers.scaled_tanh: _scaled_tanh,
    layers.sigmoid: _operator("Sigmoid"),
    layers.silu: _silu,
    layers.softplus: _softplus,
    layers.tanh: _operator("Tanh"),
    layers.upsample: _upsample,
    layers.zero_pad: _zero_pad,
}
