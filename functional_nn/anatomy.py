"""Looking into a model: its leaves with their shapes, parameters and work, and what a training pass keeps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.compose.bind import recombined
from functional_nn.compose.tie import filled
from functional_nn.layer import Layer, Params, Shape

__all__ = [
    "LayerFacts",
    "Leaf",
    "Path",
    "couples_examples",
    "layer_facts",
    "leaf_layers",
    "leaf_params",
    "multiply_adds",
    "replace_leaves",
    "summary",
]

Path = tuple[str, ...]


class Leaf(NamedTuple):
    """A layer without parts within a model: its path, its input's and output's shapes without the batch, the model."""

    path: Path
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    model: Layer


@lru_cache(maxsize=64)  # asked for at every prediction
def leaf_layers(model: Layer, input_shape: Shape) -> tuple[Leaf, ...]:
    """Return the model's leaves in the order in which an input passes them.

    Their shapes are read by asking the model for its output shape with leaves that note what they are asked.
    """
    leaves: list[Leaf] = []
    replace_leaves(model, partial(_noting, model=model, leaves=leaves)).output_shape(input_shape)
    return tuple(leaves)


def leaf_params(leaf: Leaf, params: Params) -> Params:
    """Return the leaf's own entry of the model's parameters, with what `bind` fixed of it and what `tie` shares."""
    entry: Any = params
    layer = leaf.model
    for name in leaf.path:
        entry = filled(dict(entry), layer.ties).get(name) if isinstance(entry, Mapping) else None
        layer = dict(layer.parts)[name]
    own = entry if isinstance(entry, Mapping) else {}  # the layers refuse what is no dict
    return {**leaf.layer.fixed, **own}


def multiply_adds(leaf: Leaf, params: Params) -> int:
    """Return the multiply-adds of a leaf's forward pass for one example: its weights times its output's positions.

    Weights are the parameters of two axes and more. Those of a layer that scatters meet its input's positions.
    """
    weights = [w for w in tree.leaves(leaf_params(leaf, params)) if np.ndim(w) > 1]
    shape = leaf.input_shape if leaf.layer.scatters else leaf.output_shape
    return tree.size(weights) * math.prod(shape[:-1])


def couples_examples(model: Layer) -> bool:
    """Return whether in training an example's output depends on the others of its batch, as under batch norm."""
    return model.couples_examples or any(couples_examples(part) for _, part in model.parts)


def replace_leaves(model: Layer, f: Callable[[Path, Layer], Layer], path: Path = ()) -> Layer:
    """Return the model with every layer without parts replaced by f(path, layer)."""
    if not model.parts:
        return f(path, model)
    return recombined(model, {name: replace_leaves(part, f, (*path, name)) for name, part in model.parts})


def _noting(path: Path, layer: Layer, model: Layer, leaves: list[Leaf]) -> Layer:
    """Return the leaf as one that notes the shapes it is asked for."""

    def output_shape(input_shape: Shape) -> Shape:
        shape = layer.functions.output_shape(input_shape)
        leaves.append(Leaf(path, layer, input_shape, shape, model))
        return shape

    return layer.replace(output_shape=output_shape)


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

    A row: the path, the layer, its output's shape, its parameters (those that `bind` fixed and `tie` shares too), the
    multiply-adds of a forward pass of one example, and the bytes that the training pass keeps of it for the pullback,
    in float32 and besides the parameters; an array that two neighbours keep counts for both. The last row has the
    sums, but for parameters that layers share: they count once. Raises `ShapeError` where the shape does not fit.
    """
    facts = layer_facts(model, input_shape)
    totals = [_parameters(model, input_shape), *(sum(row[i] for row in facts) for i in (4, 5))]  # type: ignore[misc]
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


def _parameters(model: Layer, input_shape: Shape) -> int:
    held = tree.size(model.init(np.random.default_rng(0), input_shape))
    return held + sum(tree.size(leaf.layer.fixed) for leaf in leaf_layers(model, input_shape))


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
        kept = sum(buffers.values()) - sum(buffers.get(id(_owner(entry)), 0) for entry in tree.leaves(own))
        counts = (tree.size(own), multiply_adds(leaf, params), kept)
        facts.append(LayerFacts(".".join(leaf.path), repr(leaf.layer), leaf.output_shape, *counts))
    return facts


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
