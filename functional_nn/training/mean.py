"""The means over a batch: its loss and gradient, put together from chunks that run side by side."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from functional_nn import keys, tree
from functional_nn.layer import Params, Shape
from functional_nn.parallel import Ranks, in_order
from functional_nn.parallel.binary_tree import TreeSum, own_leaves, sum_over_ranks
from functional_nn.parallel.flat import compact, row_major
from functional_nn.training.evaluation import count_hits
from functional_nn.training.grad import GradFunction, ValueAndGrad

__all__ = ["Batch", "Cut", "Mean", "Part", "mean_over"]

Part = tuple[np.ndarray, np.ndarray]  # x and targets of some examples


@dataclass(frozen=True)
class Batch:
    """A batch: which examples of x and targets it has; a chunk of them is read where and when it is needed."""

    x: np.ndarray
    targets: np.ndarray
    order: np.ndarray | None = None  # the examples' indices, (n,); None: all of them, as they stand

    @property
    def shape(self) -> Shape:
        """The shape of the batch's x."""
        return self.x.shape if self.order is None else (len(self.order), *self.x.shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def part(self, start: int, stop: int) -> Part:
        """Return x and targets of the examples from start to stop, without gaps in memory, as every rank has them.

        What is not cut stays as it is.
        """
        if self.order is None and start == 0 and stop >= len(self):
            return self.x, self.targets
        if self.order is None:
            return compact(self.x[start:stop]), compact(self.targets[start:stop])
        chosen = self.order[start:stop]  # of which NumPy chooses the order in memory: not the same for a copy of x
        return row_major(self.x[chosen]), row_major(self.targets[chosen])


class Cut(NamedTuple):
    """A batch of n examples, cut into chunks; the key of chunk i is this one folded with i."""

    n: int
    chunk: int
    key: keys.Key | None

    @property
    def chunks(self) -> int:
        """The number of chunks."""
        return max(1, -(-self.n // self.chunk))

    def key_of(self, chunk: int) -> keys.Key | None:
        """Return the key of a chunk."""
        return None if self.key is None else keys.fold(self.key, chunk)


class Mean(NamedTuple):
    """The means over a batch: its loss, its gradient, how many outputs are right, and the weight of its targets.

    While chunks are added up, these are sums, in which each chunk counts for its share: its weight by that of a chunk
    of full size. Most shares are 1, and their means are added as they are.
    """

    value: float
    grads: Params
    hits: float
    weight: float
    share: float = 1.0
    pieces: float = 0.0  # how many arrays of outputs belong to it

    def plus(self, other: Mean) -> Mean:
        """Return the sum."""
        sums = [a + b for a, b in zip(self.head(), other.head(), strict=True)]
        return Mean.of(sums, tree.map_arrays(np.add, self.grads, other.grads))

    def weighed(self, share: float) -> Mean:
        """Return a chunk's mean as a sum that counts for a share."""
        grads = self.grads if share == 1.0 else tree.map_arrays(lambda g: share * g, self.grads)
        return self._replace(value=share * self.value, grads=grads, share=share)

    def divided(self) -> Mean:
        """Return a sum as the mean that it stands for.

        Its arrays are in row-major order, as in messages: another order may change the last bits of a product.
        """
        scale = 1.0 / self.share
        grads = tree.map_arrays(lambda g: np.multiply(scale, g, order="C"), self.grads)
        return self._replace(value=scale * self.value, grads=grads, share=1.0)

    def head(self) -> tuple[float, ...]:
        """Return all but the gradient."""
        return self.value, self.hits, self.weight, self.share, self.pieces

    @staticmethod
    def of(head: list[float], grads: Params) -> Mean:
        """Return the mean of this head and gradient."""
        value, hits, weight, share, pieces = head
        return Mean(value, grads, hits, weight, share, pieces)


def mean_over(
    grad_fn: GradFunction,
    params: Params,
    part: Callable[[int], Part],
    cut: Cut,
    ranks: Ranks,
    workers: int | None = None,
    outputs: list[np.ndarray] | None = None,
) -> Mean:
    """Return the means over the batch, whose chunk i is `part(i)`: each rank computes its own chunks.

    All ranks compute the only chunk of a batch: the others would have to wait for the one that did. The outputs, where
    grad_fn gives them, go to the list in order; where there is no list, the right ones are counted.
    """
    keep = outputs is not None
    if cut.chunks == 1:
        mean, piece = _of_chunk(grad_fn, params, part(0), cut.key_of(0), keep=keep)
        if outputs is not None and piece is not None:
            outputs.append(piece)
        return mean
    own = own_leaves(cut.chunks, ranks.rank, ranks.size)
    total: TreeSum[Mean] = TreeSum(Mean.plus)
    pieces: list[np.ndarray] = []

    def task(i: int) -> tuple[Mean, np.ndarray | None]:
        mean, piece = _of_chunk(grad_fn, params, part(own[i]), cut.key_of(own[i]), keep=keep)
        return mean.weighed(mean.weight / cut.chunk), piece

    def take(i: int, result: tuple[Mean, np.ndarray | None]) -> None:
        total.put(result[0])
        if result[1] is not None:
            pieces.append(result[1])

    in_order(task, len(own), workers or ranks.threads, take)
    whole = _over_ranks(ranks, total.result(), cut.chunks, params)
    if outputs is not None and whole.pieces:
        outputs += [piece for theirs in ranks.gather(pieces) for piece in theirs]
    return whole


def _of_chunk(
    grad_fn: GradFunction, params: Params, part: Part, key: keys.Key | None, *, keep: bool
) -> tuple[Mean, np.ndarray | None]:
    """Return the means over a chunk, and its outputs where grad_fn gives them and they are to be kept."""
    x, targets = part
    value, grads = grad_fn(params, x, targets, key=key)
    value, outputs = value if isinstance(value, tuple) else (value, None)
    loss, hits = grad_fn.loss if isinstance(grad_fn, ValueAndGrad) else None, math.nan
    if loss is not None and outputs is not None and not keep:
        hits, outputs = count_hits(loss, outputs, targets), None
    weight = float(len(targets) if loss is None else loss.weight(targets))
    return Mean(float(value), grads, hits, weight, pieces=0.0 if outputs is None else 1.0), outputs


def _over_ranks(ranks: Ranks, own: Mean | None, chunks: int, params: Params) -> Mean:
    """Return the mean that all ranks' sums stand for; own is None where the rank has no chunk."""
    if ranks.size == 1:
        assert own is not None
        return own.divided()
    flat = ranks.flat(params)
    try:
        arrays = None if own is None else [np.array(own.head()), *flat.pack(own.grads)]
    except TypeError as error:
        what = "data_parallel: with comm, grad_fn's gradients must have the names, shapes and dtypes of params"
        raise TypeError(f"{what}: {error}") from error
    head, *vectors = sum_over_ranks(ranks, arrays, chunks, [((5,), np.dtype(np.float64), None), *flat.layout])
    whole = Mean.of(head.tolist(), {})
    grads = flat.placed([(1.0 / whole.share) * vector for vector in vectors])  # all arrays of a dtype at once
    return whole.divided()._replace(grads=grads)
