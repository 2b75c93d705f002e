"""The exporters of the layers of LeNet-5 of 1998."""

from __future__ import annotations

from typing import Any

import numpy as np

from functional_nn.interop.onnx.graph import Exporter, Graph, Place, per_channel
from functional_nn.models.lenet1998.layers import codes, connected_conv, connections, radial_basis, subsampling

__all__ = ["EXPORTERS"]


def _subsampling(graph: Graph, at: Place) -> str:
    """Four times each window's mean times w, plus b."""
    means = graph.node("AveragePool", at.x, kernel_shape=[2, 2], strides=[2, 2])
    w, b = (per_channel(values, at.input_shape) for values in (4.0 * at.params["w"], at.params["b"]))
    return graph.node("Add", graph.node("Mul", means, graph.constant(w, "w")), graph.constant(b, "b"))


def _connected_conv(graph: Graph, at: Place) -> str:
    """A convolution of all maps, with zeros where nothing connects."""
    from_map, to_map = connections()
    w = np.zeros((16, 6, 5, 5), np.float32)
    w[to_map, from_map] = at.params["w"].transpose(2, 0, 1)
    return graph.node("Conv", at.x, graph.constant(w, "w"), graph.constant(at.params["b"], "b"), kernel_shape=[5, 5])


def _radial_basis(graph: Graph, at: Place) -> str:
    rows = graph.node("Unsqueeze", at.x, graph.constant(np.array([1], np.int64)))
    away = graph.node("Sub", rows, graph.constant(codes().astype(np.float32), "codes"))
    axes = graph.constant(np.array([2], np.int64))
    return graph.node("ReduceSum", graph.node("Mul", away, away), axes, keepdims=0)


EXPORTERS: dict[Any, Exporter] = {
    connected_conv: _connected_conv,
    radial_basis: _radial_basis,
    subsampling: _subsampling,
}
