"""The leaves of a model: the layers without parts that it is made of, each with its path and shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

import numpy as np

from functional_nn import tree
from functional_nn.compose.bind import recombined
from functional_nn.compose.tie import filled
from functional_nn.dtypes import FLOATS
from functional_nn.layer import Layer, Params, Shape

__all__ = [
    "Leaf",
    "Path",
    "couples_examples",
    "dotted",
    "input_dtype",
    "leaf_layers",
    "leaf_params",
    "matching",
    "multiply_adds",
    "numbered",
    "replace_leaves",
]

Path = tuple[str, ...]
T = TypeVar("T")


class Leaf(NamedTuple):
    """A layer within a model: its path, its input's and output's shapes without the batch, and the model.

    It has no parts, or stands as deep as `leaf_layers` was asked to look.
    """

    path: Path
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    model: Layer


@lru_cache(maxsize=64)  # asked for at every prediction
def leaf_layers(model: Layer, input_shape: Shape, depth: int | None = None) -> tuple[Leaf, ...]:
    """Return the model's leaves in the order in which an input passes them.

    With a `depth`, a layer that is so many parts deep counts as a leaf, whatever its own parts. The shapes are read by
    asking the model for its output shape with leaves that note what they are asked.
    """
    leaves: list[Leaf] = []
    replace_leaves(model, partial(_noting, model=model, leaves=leaves), depth=depth).output_shape(input_shape)
    return tuple(leaves)


def leaf_params(leaf: Leaf, params: Params) -> Params:
    """Return the leaf's own entry of the model's parameters, with what `bind` fixed of it and what `tie` shares.

    An entry that is no dict counts as empty: the layer that gets it refuses it, and knows its path.
    """
    entry, layer = dict(params) if isinstance(params, Mapping) else {}, leaf.model
    for name in leaf.path:
        below = filled(entry, layer.ties).get(name)
        entry, layer = dict(below) if isinstance(below, Mapping) else {}, dict(layer.parts)[name]
    return {**leaf.layer.fixed, **entry}


def input_dtype(model: Layer, params: Params, input_shape: Shape | None) -> np.dtype[Any]:
    """Return the dtype of the inputs that a model takes under these parameters: theirs, int64 for whole numbers.

    Without parameters it is float32. Where the shape is unknown, None, bound layers and whole numbers stay unseen.
    """
    leaves = () if input_shape is None else leaf_layers(model, input_shape)
    if leaves and leaves[0].layer.integer_input:
        return np.dtype(np.int64)
    arrays = tree.leaves((params, [leaf.layer.fixed for leaf in leaves]))
    dtypes = [array.dtype for array in arrays if isinstance(array, np.ndarray) and array.dtype in FLOATS]
    return dtypes[0] if dtypes else np.dtype(np.float32)


def multiply_adds(leaf: Leaf, params: Params) -> int:
    """Return the multiply-adds of a leaf's forward pass for one example: its weights times its output's positions.

    Weights are the parameters of two axes and more. Those of a layer that scatters meet its input's positions. A layer
    of integers looks its weights up and multiplies nothing.
    """
    if leaf.layer.integer_input:
        return 0
    weights = [w for w in tree.leaves(leaf_params(leaf, params)) if np.ndim(w) > 1]
    shape = leaf.input_shape if leaf.layer.scatters else leaf.output_shape
    return tree.size(weights) * math.prod(shape[:-1])


def couples_examples(model: Layer) -> bool:
    """Return whether in training an example's output depends on the others of its batch, as under batch norm."""
    return model.couples_examples or any(couples_examples(part) for _, part in model.parts)


def replace_leaves(model: Layer, f: Callable[[Path, Layer], Layer], path: Path = (), depth: int | None = None) -> Layer:
    """Return the model with every layer without parts, or at this `depth`, replaced by f(path, layer)."""
    if not isinstance(model, Layer):
        raise TypeError(f"model is {model!r}, expected a Layer")
    if not model.parts or len(path) == depth:
        return f(path, model)
    return recombined(model, {name: replace_leaves(part, f, (*path, name), depth) for name, part in model.parts})


def dotted(model: Layer, path: Path) -> str:
    """Return the path with dots between its names; that of the model itself is the model's name."""
    return ".".join(path) or model.name


def numbered(path: str, taken: Container[str]) -> str:
    """Return the path, or path#2, path#3, ... for a layer that a pass comes to again."""
    name, times = path, 1
    while name in taken:
        times += 1
        name = f"{path}#{times}"
    return name


def matching(function: str, pattern: str, things: Sequence[T], path_of: Callable[[T], str]) -> list[T]:
    """Return the things whose path matches a shell pattern; raises `ValueError` where there is none."""
    matched = [thing for thing in things if fnmatchcase(path_of(thing), pattern)]
    if not matched:
        paths = ", ".join(map(path_of, things))
        raise ValueError(f"{function}: filter {pattern!r} matches none of the paths {paths}")
    return matched


def _noting(path: Path, layer: Layer, model: Layer, leaves: list[Leaf]) -> Layer:
    """Return the leaf as one that notes the shapes it is asked for."""

    def output_shape(input_shape: Shape) -> Shape:
        shape = layer.functions.output_shape(input_shape)
        leaves.append(Leaf(path, layer, input_shape, shape, model))
        return shape

    return layer.replace(output_shape=output_shape)
