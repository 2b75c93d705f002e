"""Into how many chunks to cut a batch: it follows from the model's work and the shapes, never from the workers."""

from __future__ import annotations

import math
from functools import lru_cache

from functional_nn.anatomy import Leaf, couples_examples, leaf_layers, multiply_adds
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
    weighted, elementwise = _leaves(model, input_shape)
    work = elementwise + sum(multiply_adds(leaf, params) for leaf in weighted)
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
def _leaves(model: Layer, input_shape: Shape) -> tuple[tuple[Leaf, ...], int]:
    """Return the leaves that have parameters, and the work of the elementwise passes over all outputs."""
    leaves = leaf_layers(model, input_shape)
    weighted = tuple(leaf for leaf in leaves if leaf.layer.parameters or leaf.layer.fixed)
    return weighted, sum(ENTRY_WORK * math.prod(leaf.output_shape) for leaf in leaves)
