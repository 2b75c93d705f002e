"""How much work a model is: its leaves with their shapes, its multiply-adds, and the chunks that follow."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.layer import Layer, Params, Shape, with_parts

__all__ = ["Leaf", "Path", "chunk_size", "leaf_layers", "leaf_params", "multiply_adds", "replace_leaves"]

Path = tuple[str, ...]

# In multiply-adds of a forward pass, by measurement; threads lose to the interpreter's lock what is gained below.
ENTRY_WORK = 50  # an output's entry: what elementwise passes over it cost
CHUNKED_WORK = 100_000  # an example, from which chunks pay: a perceptron has fewer
LEAST_WORK, LEAST_CHUNK = 64_000_000, 48  # of half a batch, from which two chunks beat one
MOST_WORK, MOST_CHUNK = 2_000_000_000, 64  # of a chunk: beyond it the caches overflow
MOST_PREDICTED = 128  # examples of a chunk that keeps nothing for a backward pass


class Leaf(NamedTuple):
    """A layer without parts within a model: its path, and its input's and output's shapes without the batch."""

    path: Path
    layer: Layer
    input_shape: Shape
    output_shape: Shape


@lru_cache(maxsize=64)  # asked for at every prediction
def leaf_layers(model: Layer, input_shape: Shape) -> tuple[Leaf, ...]:
    """Return the model's leaves in the order in which an input passes them.

    Their shapes are read by asking the model for its output shape with leaves that note what they are asked.
    """
    leaves: list[Leaf] = []
    replace_leaves(model, partial(_noting, leaves=leaves)).output_shape(input_shape)
    return tuple(leaves)


def leaf_params(leaf: Leaf, params: Params) -> Params:
    """Return the leaf's own entry of the model's parameters, together with what `bind` fixed of it."""
    entry = params
    for name in leaf.path:
        entry = entry.get(name, {})
    return {**(leaf.layer.config or {}).get("fixed", {}), **entry}


def multiply_adds(leaf: Leaf, params: Params) -> int:
    """Return the multiply-adds of a leaf's forward pass for one example: its weights times its output's positions.

    Weights are the parameters of two axes and more.
    """
    weights = [w for w in tree.leaves(leaf_params(leaf, params)) if np.ndim(w) > 1]
    return tree.size(weights) * math.prod(leaf.output_shape[:-1])


def chunk_size(model: Layer, params: Params, x_shape: Shape, most_chunk: int = MOST_CHUNK) -> int:
    """Return how many examples of a batch of shape `x_shape` to take at a time: it follows from these alone."""
    n, *input_shape = x_shape
    if n <= 1:
        return 1
    leaves = leaf_layers(model, tuple(input_shape))
    work = sum(multiply_adds(leaf, params) + ENTRY_WORK * math.prod(leaf.output_shape) for leaf in leaves)
    if work < CHUNKED_WORK:
        return n
    least, most = min(LEAST_CHUNK, 1 + LEAST_WORK // work), max(1, min(most_chunk, MOST_WORK // work))
    chunks = 2 if n >= 2 * least else 1
    while n > chunks * most:
        chunks *= 2  # a power of two shares out evenly among 2, 4 or 8 threads
    return -(-n // chunks)


def replace_leaves(model: Layer, f: Callable[[Path, Layer], Layer], path: Path = ()) -> Layer:
    """Return the model with every layer without parts replaced by f(path, layer)."""
    if not model.parts:
        return f(path, model)
    parts = tuple((name, replace_leaves(part, f, (*path, name))) for name, part in model.parts)
    return replace(model, parts=parts, **with_parts(model, parts))


def _noting(path: Path, layer: Layer, leaves: list[Leaf]) -> Layer:
    return replace(layer, output_shape=partial(_note, layer=layer, path=path, leaves=leaves))


def _note(input_shape: Shape, *, layer: Layer, path: Path, leaves: list[Leaf]) -> Shape:
    shape = layer.output_shape(input_shape)
    leaves.append(Leaf(path, layer, input_shape, shape))
    return shape
