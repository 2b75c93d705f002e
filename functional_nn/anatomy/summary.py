"""A table of a model's layers: their shapes, parameters and work, and what a training pass keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.anatomy.leaves import leaf_layers, leaf_params, multiply_adds
from functional_nn.layer import Layer, Shape

__all__ = ["LayerFacts", "layer_facts", "summary"]


class LayerFacts(NamedTuple):
    """One layer of a model: what it is, and its figures for one example."""

    path: str
    layer: str
    output_shape: Shape
    parameters: int
    multiply_adds: int
    kept_bytes: int


def summary(model: Layer, input_shape: Shape) -> None:
    """Print a table of the model's layers for inputs of `input_shape` (without the batch axis).

    A row: the path, the layer, its output's shape, its parameters (those that `bind` fixed too), the multiply-adds of
    a forward pass of one example, and the bytes that the training pass keeps of it for the pullback, in float32 and
    besides the parameters; an array that two neighbours keep counts for both. Raises `ShapeError` where the shape
    does not fit.
    """
    facts = layer_facts(model, input_shape)
    totals = [sum(row[i] for row in facts) for i in (3, 4, 5)]  # type: ignore[misc]
    rows = [["path", "layer", "output", "parameters", "multiply-adds", "bytes kept"]]
    rows += [[f.path, f.layer, str(f.output_shape), *(f"{count:,}" for count in f[3:])] for f in facts]
    rows += [["", model.name, "", *(f"{total:,}" for total in totals)]]
    widths = [max(len(row[i]) for row in rows) for i in range(6)]
    for i, row in enumerate(rows):
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:3], widths[:3], strict=True))
        right = "  ".join(cell.rjust(width) for cell, width in zip(row[3:], widths[3:], strict=True))
        if i in (1, len(rows) - 1):
            print("-" * (sum(widths) + 2 * 5))
        print(f"{left}  {right}".rstrip())


def layer_facts(model: Layer, input_shape: Shape) -> list[LayerFacts]:
    """Return the rows of `summary`, in the order in which an input passes the layers."""
    params = model.init(np.random.default_rng(0), input_shape)
    facts = []
    for leaf in leaf_layers(model, input_shape):
        own = leaf_params(leaf, params)
        x = np.zeros((1, *leaf.input_shape), np.int64 if leaf.layer.integer_input else np.float32)
        entry = {name: array for name, array in own.items() if name in leaf.layer.parameters}
        _, pullback = leaf.layer.vjp(entry, x, key=0, wrt_x=not leaf.layer.integer_input)
        buffers = {id(buffer): buffer.nbytes for buffer in _buffers(pullback, set())}
        kept = sum(buffers.values()) - sum(buffers.get(id(entry), 0) for entry in tree.leaves(own))
        counts = (tree.size(own), multiply_adds(leaf, params), kept)
        facts.append(LayerFacts(".".join(leaf.path), repr(leaf.layer), leaf.output_shape, *counts))
    return facts


def _buffers(thing: Any, visited: set[int]) -> Iterator[np.ndarray]:
    """Yield the arrays that own the memory which a function, through what it closes over, keeps alive."""
    if id(thing) in visited:
        return
    visited.add(id(thing))
    if isinstance(thing, np.ndarray):
        while isinstance(thing.base, np.ndarray):
            thing = thing.base
        yield thing
    elif isinstance(thing, dict):
        yield from (found for child in thing.values() for found in _buffers(child, visited))
    elif isinstance(thing, list | tuple):
        yield from (found for child in thing for found in _buffers(child, visited))
    elif isinstance(thing, partial):
        yield from _buffers((thing.func, thing.args, thing.keywords), visited)
    elif isinstance(thing, Callable) and getattr(thing, "__closure__", None):  # type: ignore[arg-type]
        yield from (found for cell in thing.__closure__ for found in _buffers(cell.cell_contents, visited))
