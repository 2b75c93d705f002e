"""`export`: a model, or a trained network, to an ONNX file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import functional_nn
from functional_nn import tree
from functional_nn.anatomy import input_dtype
from functional_nn.errors import LayerError, StructureError, as_shape
from functional_nn.extras import needs_extra
from functional_nn.files import replaced
from functional_nn.interop.onnx import combinators, layers, lenet1998, norms, transforms
from functional_nn.interop.onnx.graph import Exporter, Graph
from functional_nn.interop.tables import keyed, whole
from functional_nn.layer import Layer, Params, Shape, ShapeError
from functional_nn.trained import Trained

with needs_extra("onnx", "functional_nn.interop.onnx"):
    from onnx import ModelProto, TensorProto, checker, helper

__all__ = ["EXPORTERS", "export"]

OPSET, IR_VERSION = 17, 8
EXPORTERS: dict[Any, Exporter] = keyed(
    {
        **layers.EXPORTERS,
        **norms.EXPORTERS,
        **lenet1998.EXPORTERS,
        **combinators.EXPORTERS,
        **transforms.EXPORTERS,
    }
)
NO_EXPORTERS: dict[Any, Exporter] = {}
TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "uint8": TensorProto.UINT8}


def export(
    path: str | Path,
    model: Layer | Trained,
    params: Params | None = None,
    input_shape: Shape | None = None,
    *,
    exporters: Mapping[Any, Exporter] = NO_EXPORTERS,
) -> None:
    """Write the model as an ONNX file of opset 17: inference in float32, for batches of any size.

    >>> from functional_nn.interop.onnx import export
    >>> model = models.lenet5()
    >>> params = model.init(np.random.default_rng(0), (32, 32, 1))
    >>> export("lenet5.onnx", model, params, (32, 32, 1))
    >>> export("trained.onnx", fnn.Trained(model, params, (32, 32, 1)))

    Of a model the input is `x`, float32 (n, *input_shape), images (n, height, width, channels), or int64 where it takes
    whole numbers. Of a `Trained` of images it is `images`, uint8, and its transform is in the file; of a `Trained` of
    other inputs, or without a transform, it is `x`. The output is `y`, images (n, height, width, channels). The names
    of classes stand in the metadata, "classes", as a JSON list.

    `exporters` are those of layers and transforms of your own, {constructor or value: f}, f(graph, at) -> the name of
    the output; see `Graph` and `Place`. The file is checked by onnx's checker and replaced as a whole. Raises
    `TypeError` for a layer without exporter and for float64 parameters, and what the model raises for parameters that
    do not fit it.
    """
    table = {**EXPORTERS, **_checked(exporters)}
    if isinstance(model, Trained):
        if params is not None or input_shape is not None:
            raise TypeError("export: a Trained has its own parameters and shape: give export(path, trained)")
        proto = _of_trained(model, Graph(table))
    elif isinstance(model, Layer):
        if params is None or input_shape is None:
            raise TypeError("export: expected export(path, model, params, input_shape) or export(path, trained)")
        proto = _of_model(model, params, as_shape(input_shape), Graph(table))
    else:
        raise TypeError(f"export: model is a {type(model).__name__}, expected a Layer or a Trained")
    checker.check_model(proto, full_check=True)
    content = proto.SerializeToString(deterministic=True)
    with replaced(path) as stream:
        stream.write(content)


def _checked(exporters: Mapping[Any, Exporter]) -> dict[Any, Exporter]:
    if not isinstance(exporters, Mapping) or not all(map(callable, exporters.values())):
        raise TypeError(f"export: exporters is {exporters!r}, expected a dict {{my_layer: function of (graph, at)}}")
    return keyed(exporters)


def _of_model(model: Layer, params: Params, shape: Shape, graph: Graph) -> ModelProto:
    _check(model, params, shape)
    dtype = input_dtype(model, params, shape)
    y = _add_model(graph, model, params, graph.channels_first("x", shape), shape)
    return _proto(graph, ("x", str(dtype), shape), y, model.output_shape(shape))


def _of_trained(trained: Trained, graph: Graph) -> ModelProto:
    shape, transform = trained.input_shape, trained.transform
    if transform is None:
        proto = _of_model(trained.model, trained.params, shape, graph)
    else:
        name, dtype = ("images", "uint8") if len(shape) == 3 else ("x", "float32")
        x, example = graph.transform(transform, graph.channels_first(name, shape), np.zeros((1, *shape), dtype))
        if example.dtype != np.float32:
            raise TypeError(f"export: {transform!r} gives {example.dtype} for {dtype}, expected float32")
        _check(trained.model, trained.params, example.shape[1:])
        y = _add_model(graph, trained.model, trained.params, x, example.shape[1:])
        proto = _proto(graph, (name, dtype, shape), y, trained.model.output_shape(example.shape[1:]))
    if trained.classes:
        helper.set_model_props(proto, {"classes": json.dumps(trained.classes, ensure_ascii=False)})
    return proto


def _check(model: Layer, params: Params, shape: Shape) -> None:
    """Raise unless the parameters are float32, the sizes fixed, and the model runs with them."""
    if 0 in shape:
        raise ShapeError(f"input is {shape}: there is nothing to compute", (), model.name)
    for path, array in tree.items(params):
        if getattr(array, "dtype", np.float32) == np.float64:
            remedy = "ONNX files are written in float32: give tree.cast(params, np.float32)"
            raise StructureError(f"is float64; {remedy}", tuple(path.split(".")), model.name)
    x = np.zeros((0, *shape), input_dtype(model, params, shape))
    if x.dtype == np.float64:
        raise StructureError("its bound parameters are float64: bind tree.cast(fixed, np.float32)", (), model.name)
    model.apply(params, x)


def _add_model(graph: Graph, model: Layer, params: Params, x: str, shape: Shape) -> str:
    try:
        y = graph.layer(model, whole(model, params), x, shape)
    except LayerError as error:
        error.leave(layer=model.name)
        raise
    return graph.channels_last(y, model.output_shape(shape))


def _proto(graph: Graph, x: tuple[str, str, Shape], y: str, output_shape: Shape) -> ModelProto:
    name, dtype, shape = x
    nodes, constants = graph.finished(y, "y")
    inputs = [helper.make_tensor_value_info(name, TYPES[dtype], ["n", *shape])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", *output_shape])]
    return helper.make_model(
        helper.make_graph(nodes, "functional_nn", inputs, outputs, constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="functional_nn",
        producer_version=functional_nn.__version__,
    )
