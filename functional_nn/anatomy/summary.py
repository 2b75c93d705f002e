"""A table of a model's layers: their shapes, parameters and work, and what a training pass keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.anatomy.leaves import Leaf, dotted, leaf_layers, leaf_params, matching, multiply_adds
from functional_nn.anatomy.table import table
from functional_nn.arguments import count
from functional_nn.compose.parts import check_layer
from functional_nn.errors import as_shape
from functional_nn.layer import Layer, Params, Shape

__all__ = ["LayerFacts", "layer_facts", "summary"]


class LayerFacts(NamedTuple):
    """One layer of a model: what it is, and its figures for one example."""

    path: str
    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    kept_bytes: int


HEAD = ("path", "layer", "output", "parameters", "multiply-adds", "bytes kept")


def summary(model: Layer, input_shape: Shape, depth: int | None = None, filter: str | None = None) -> None:
    """Print a table of the model's layers for inputs of `input_shape` (without the batch axis).

    A row: the path, the layer, its output's shape, its parameters (those that `bind` fixed too), the multiply-adds of
    a forward pass of one example, and the bytes that the training pass keeps of it for the pullback, in float32 and
    besides the parameters; an array that two neighbours keep counts for both. The last line adds them up, but for
    parameters that layers share by `tie`: they count once.

    With a `depth`, parts that are deeper count for the combinator that is so deep: `depth=1` gives a row for each part
    of the model itself. With a `filter`, only the rows are shown whose path matches this shell pattern, such as
    `block1.*` or `*.c?`; a line more adds up those shown. Raises `ShapeError` where the shape does not fit, and
    `ValueError` for a depth below 1 and a filter that no path matches.

    >>> model = fnn.serial(c1=layers.conv2d(6, 5), a1=layers.tanh, flat=layers.flatten(), output=layers.dense(10))
    >>> fnn.summary(model, (32, 32, 1))
    path    layer         output       parameters  multiply-adds  bytes kept
    ------------------------------------------------------------------------
    c1      conv2d(6, 5)  (28, 28, 6)         156        117,600      17,920
    a1      tanh          (28, 28, 6)           0              0      18,816
    flat    flatten()     (4704,)               0              0           0
    output  dense(10)     (10,)            47,050         47,040      18,816
    ------------------------------------------------------------------------
            serial                         47,206        164,640      55,552
    """
    rows = layer_facts(model, input_shape, depth)
    totals = [_total(model.name, rows, _parameters(model, as_shape(input_shape)))]
    if filter is not None:
        shown = matching("summary", filter, rows, lambda row: row.path)
        totals, rows = [_total("these", shown, sum(row.parameters for row in shown)), *totals], shown
    print(table(HEAD, [_cells(row) for row in rows], totals, left=3))


def layer_facts(model: Layer, input_shape: Shape, depth: int | None = None) -> list[LayerFacts]:
    """Return the rows of `summary`, in the order in which an input passes the layers; raises as it does."""
    if depth is not None:
        count("summary", "depth", depth)
    check_layer("summary: model", model)
    input_shape = as_shape(input_shape)
    params = model.init(np.random.default_rng(0), input_shape)
    figures = [(leaf.path, _figures(leaf, params)) for leaf in leaf_layers(model, input_shape)]
    facts = []
    for row in leaf_layers(model, input_shape, depth):
        own = [numbers for path, numbers in figures if path[: len(row.path)] == row.path]
        name = row.layer.name if row.layer.parts else repr(row.layer)
        sums = [sum(column) for column in zip(*own, strict=True)] or [0, 0, 0]
        facts.append(LayerFacts(dotted(model, row.path), name, row.output_shape, *sums))
    return facts


def _figures(leaf: Leaf, params: Params) -> tuple[int, int, int]:
    """Return a leaf's numbers of parameters, multiply-adds and bytes kept."""
    own = {name: np.asarray(array, np.float32) for name, array in leaf_params(leaf, params).items()}
    x = np.zeros((1, *leaf.input_shape), np.int64 if leaf.layer.integer_input else np.float32)
    entry = {name: array for name, array in own.items() if name in leaf.layer.parameters}
    layer = leaf.layer.replace(fixed={name: own[name] for name in leaf.layer.fixed})
    _, pullback = layer.vjp(entry, x, key=0, wrt_x=not layer.integer_input)
    buffers = {id(buffer): buffer.nbytes for buffer in _buffers(pullback, set())}
    kept = sum(buffers.values()) - sum(buffers.get(id(_owner(entry)), 0) for entry in tree.leaves(own))
    return tree.size(own), multiply_adds(leaf, params), kept


def _parameters(model: Layer, input_shape: Shape) -> int:
    held = tree.size(model.init(np.random.default_rng(0), input_shape))
    return held + sum(tree.size(leaf.layer.fixed) for leaf in leaf_layers(model, input_shape))


def _total(name: str, rows: Sequence[LayerFacts], parameters: int) -> list[str]:
    sums = (parameters, sum(row.multiply_adds for row in rows), sum(row.kept_bytes for row in rows))
    return ["", name, "", *(f"{number:,}" for number in sums)]


def _cells(row: LayerFacts) -> list[str]:
    return [row.path, row.layer, str(row.output_shape), *(f"{figure:,}" for figure in row[3:])]


def _buffers(thing: Any, visited: set[int]) -> Iterator[np.ndarray]:
    """Yield the arrays that own the memory which a function, through what it closes over, keeps alive."""
    if id(thing) in visited:
        return
    visited.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield _owner(thing)
    elif isinstance(thing, dict):
        yield from (found for child in thing.values() for found in _buffers(child, visited))
    elif isinstance(thing, list | tuple):
        yield from (found for child in thing for found in _buffers(child, visited))
    elif isinstance(thing, partial):
        yield from _buffers((thing.func, thing.args, thing.keywords), visited)
    elif isinstance(thing, Callable) and getattr(thing, "__closure__", None):  # type: ignore[arg-type]
        yield from (found for cell in thing.__closure__ for found in _buffers(cell.cell_contents, visited))


def _owner(array: np.ndarray) -> np.ndarray:
    """Return the array that owns the memory of this one."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
