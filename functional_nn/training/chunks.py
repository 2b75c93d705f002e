"""Into how many chunks to cut a batch: it follows from the model's work and the shapes, never from the workers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from functional_nn.anatomy import couples_examples, leaf_layers, multiply_adds
from functional_nn.layer import Layer, Params, Shape

__all__ = ["MOST_PREDICTED", "chunk_size", "training_chunk_size"]

# In multiply-adds of a forward pass, by measurement; threads lose to the interpreter's lock what is gained below.
ENTRY_WORK = 50  # an output's entry: what elementwise passes over it cost
CHUNKED_WORK = 100_000  # an example, from which chunks pay: a perceptron has fewer
LEAST_WORK, LEAST_CHUNK = 64_000_000, 48  # of half a batch, from which two chunks beat one
MOST_WORK, MOST_CHUNK = 2_000_000_000, 64  # of a chunk: beyond it the caches overflow
MOST_PREDICTED = 128  # examples of a chunk that keeps nothing for a backward pass


def chunk_size(model: Layer, params: Params, n: int, input_shape: Shape, most_chunk: int = MOST_CHUNK) -> int:
    """Return how many examples of a batch of `n` to take at a time: it follows from these arguments alone."""
    if n <= 1:
        return 1
    work = _work(model, input_shape, _shapes(params))
    if work < CHUNKED_WORK:
        return n
    least, most = min(LEAST_CHUNK, 1 + LEAST_WORK // work), max(1, min(most_chunk, MOST_WORK // work))
    chunks = 2 if n >= 2 * least else 1
    while n > chunks * most:
        chunks *= 2  # a power of two shares out evenly among 2, 4 or 8 threads
    return -(-n // chunks)


def training_chunk_size(model: Layer, params: Params, n: int, input_shape: Shape) -> int:
    """Return `chunk_size`, or the whole batch where the examples of a batch depend on each other."""
    return max(n, 1) if couples_examples(model) else chunk_size(model, params, n, input_shape)


@lru_cache(maxsize=64)  # asked for at every prediction
def _work(model: Layer, input_shape: Shape, shapes: tuple[Any, ...]) -> int:
    """Return the multiply-adds of an example, elementwise passes included, under parameters of these shapes."""
    params, leaves = _stand_in(shapes), leaf_layers(model, input_shape)
    return sum(ENTRY_WORK * math.prod(leaf.output_shape) + multiply_adds(leaf, params) for leaf in leaves)


def _shapes(entry: Any) -> tuple[Any, ...]:
    """Return an array's shape, or a dict's ((name, shape or shapes), ...), to look up; of what is neither, ()."""
    if type(entry) is dict or isinstance(entry, Mapping):
        return tuple([(name, _shapes(below)) for name, below in entry.items()])
    return getattr(entry, "shape", ())


def _stand_in(shapes: tuple[Any, ...]) -> Any:
    """Return an array of this shape that takes no memory, or a dict of them."""
    if shapes and isinstance(shapes[0], tuple):
        return {name: _stand_in(below) for name, below in shapes}
    return np.broadcast_to(np.float32(0.0), shapes)
