"""The graph in the making, and the places of layers in it: what exporters are given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from functional_nn.anatomy.leaves import numbered
from functional_nn.errors import StructureError
from functional_nn.extras import needs_extra
from functional_nn.interop.tables import find
from functional_nn.layer import Layer, Params, Shape

with needs_extra("onnx", "functional_nn.interop.onnx"):
    from onnx import NodeProto, TensorProto, helper, numpy_helper

__all__ = ["Exporter", "Graph", "Place", "axis_of_channels", "per_channel"]

Path = tuple[str, ...]
TO_FIRST, TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


class Place(NamedTuple):
    """A layer within the model: what its exporter needs to know.

    - `x`: the name of its input in the graph. Images are (n, channels, height, width) there, all else is as here.
    - `layer`, and the `arguments` of its constructor's call by name.
    - `params`: all its parameters, bound and tied ones too: float32 arrays.
    - `input_shape` and `output_shape`: those of the layer, without the batch axis, images (height, width, channels).

    Of a transform, `layer` is the transform, and `example` a batch as it takes it.

    >>> def export_dense(graph, at):  # at.arguments["units"], at.input_shape and at.output_shape are at hand too
    ...     product = graph.node("MatMul", at.x, graph.constant(at.params["w"]))
    ...     return graph.node("Add", product, graph.constant(at.params["b"]))
    """

    x: str
    layer: Any
    arguments: dict[str, Any]
    params: Params
    input_shape: Shape
    output_shape: Shape
    example: np.ndarray | None = None


Exporter = Callable[["Graph", Place], str]


class Graph:
    """The nodes and constants of an ONNX graph; an exporter adds its own and returns the name of the layer's output.

    >>> from functional_nn.interop.onnx import export
    >>> def export_cube(graph, at):
    ...     return graph.node("Pow", at.x, graph.constant(np.float32(3.0)))
    >>> cube = fnn.Layer("cube", vjp=lambda params, x, *, key=None, wrt_x=True: (x**3, lambda dy: ({}, 3 * x**2 * dy)))
    >>> export("cube.onnx", cube, {}, (2,), exporters={cube: export_cube})

    Operators are those of opset 17.
    """

    def __init__(self, exporters: Mapping[Any, Exporter]) -> None:
        self._exporters = exporters
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}
        self._by_content: dict[bytes, str] = {}
        self._names: set[str] = set()
        self._reversed: dict[str, str] = {}  # an image in the one order of axes, by its name in the other
        self._path: Path = ()

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = self._new_name(operator)
        self._nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def constant(self, array: Any, name: str = "constant") -> str:
        """Return the name of a constant in the array's dtype; equal arrays are kept once."""
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        content = hashlib.blake2b(array.tobytes() + repr((array.dtype.str, array.shape)).encode()).digest()
        if content not in self._by_content:
            self._by_content[content] = self._new_name(name)
            constant = numpy_helper.from_array(array, self._by_content[content])
            self._constants[constant.name] = constant
        return self._by_content[content]

    def channels_last(self, x: str, shape: Shape) -> str:
        """Return the name of `x` with its axes as they are here: images (n, height, width, channels)."""
        return self._transposed(x, TO_LAST) if len(shape) == 3 else x

    def channels_first(self, x: str, shape: Shape) -> str:
        """Return the name of `x`, whose axes are as they are here, as exporters take and return it."""
        return self._transposed(x, TO_FIRST) if len(shape) == 3 else x

    def part(self, at: Place, name: str, x: str, input_shape: Shape) -> str:
        """Export a part of a combinator on its input `x` and return the name of its output."""
        with self._below(name):
            return self.layer(dict(at.layer.parts)[name], at.params.get(name, {}), x, input_shape)

    def layer(self, layer: Layer, params: Params, x: str, input_shape: Shape) -> str:
        """Export a layer on its input and return the name of its output."""
        found = find(self._exporters, layer)
        if found is None:
            raise StructureError(_unknown("layer", layer), self._path)
        output_shape = layer.output_shape(input_shape)
        return _named(layer, found.entry(self, Place(x, layer, found.arguments, params, input_shape, output_shape)))

    def transform(self, transform: Any, x: str, example: np.ndarray) -> tuple[str, np.ndarray]:
        """Export a transform of batches, and return the name of its output and what it makes of the example."""
        found = find(self._exporters, transform)
        if found is None:
            raise TypeError(f"export: {_unknown('transform', transform)}")
        y = transform(example, None)
        place = Place(x, transform, found.arguments, {}, example.shape[1:], y.shape[1:], example)
        return _named(transform, found.entry(self, place)), y

    def finished(self, output: str, name: str) -> tuple[list[NodeProto], list[TensorProto]]:
        """Return the nodes and constants that the output needs, with the output under this name."""
        self._nodes.append(helper.make_node("Identity", [output], [name], name=name))
        needed, kept = {name}, []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        if len(kept) > 1 and kept[1].output[0] == output:  # the last node gives the output itself
            kept[1].output[0] = name
            del kept[0]
        return kept[::-1], [constant for constant in self._constants.values() if constant.name in needed]

    def _transposed(self, x: str, axes: tuple[int, ...]) -> str:
        if x not in self._reversed:
            y = self.node("Transpose", x, perm=axes)
            self._reversed.update({x: y, y: x})
        return self._reversed[x]

    def _new_name(self, name: str) -> str:
        name = numbered(".".join((*self._path, name)), self._names)
        self._names.add(name)
        return name

    @contextmanager
    def _below(self, part: str) -> Iterator[None]:
        self._path = (*self._path, part)
        yield
        self._path = self._path[:-1]


def axis_of_channels(shape: Shape) -> int:
    """Return the axis of the channels in the graph, the batch counted: 1 of images, the last of all else."""
    return 1 if len(shape) == 3 else len(shape)


def per_channel(values: np.ndarray, shape: Shape) -> np.ndarray:
    """Return one number a channel so that it broadcasts over such examples in the graph."""
    return values[:, np.newaxis, np.newaxis] if len(shape) == 3 else values


def _named(value: Any, output: Any) -> str:
    if not isinstance(output, str):
        raise TypeError(f"export: the exporter of {value!r} returned {output!r}, expected its output's name, a str")
    return output


def _unknown(kind: str, value: Any) -> str:
    name = getattr(value, "__name__", None) or repr(value)
    example = "def f(graph, at): return graph.node('Abs', at.x)"
    return (
        f"there is no exporter for the {kind} {name}: write one, such as {example}, and give "
        f"export(..., exporters={{{_key(value)}: f}}); docs/how-to/onnx.md shows how"
    )


def _key(value: Any) -> str:
    call = getattr(value, "call", None)
    return str(call.name if call is not None else getattr(value, "__name__", None) or getattr(value, "name", value))
