"""Value and gradient of a batch in chunks side by side, on threads, processes and machines."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys, tree
from functional_nn.arguments import array, count, optional
from functional_nn.blas import one_blas_thread
from functional_nn.layer import Params, Shape
from functional_nn.parallel import ALONE, Comm, Processes, ProcessRanks, Ranks, check_comm, in_order, together
from functional_nn.parallel.binary_tree import TreeSum, own_leaves, sum_over_ranks
from functional_nn.parallel.flat import Flat
from functional_nn.parallel.ranks import Arrays, Layout
from functional_nn.training.chunks import training_chunk_size
from functional_nn.training.evaluation import count_hits
from functional_nn.training.grad import GradFunction, ValueAndGrad

__all__ = ["Batch", "DataParallel", "Mean", "data_parallel", "in_row_major_order"]

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
        """Return x and targets of the examples from start to stop."""
        chosen = slice(start, stop) if self.order is None else self.order[start:stop]
        return self.x[chosen], self.targets[chosen]


class Mean(NamedTuple):
    """The means over a batch: its loss, its gradient, how many outputs are right, and the weight of its targets."""

    value: float
    grads: Params
    hits: float
    weight: float


@dataclass(frozen=True)
class DataParallel:
    """See `data_parallel`."""

    grad_fn: GradFunction
    workers: int | None = None
    chunk: int | None = None
    comm: Comm = None
    _chosen: dict[Shape, int] = field(default_factory=dict, init=False, repr=False, compare=False)
    _flats: list[Flat] = field(default_factory=list, init=False, repr=False, compare=False)  # the last one

    def __post_init__(self) -> None:
        """Raise `ValueError` for a chunk or a number of workers below 1, or no way to choose the chunk."""
        for name, value in (("workers", self.workers), ("chunk", self.chunk)):
            optional(count)("data_parallel", name, value)
        check_comm("data_parallel", self.comm)
        if not callable(self.grad_fn):
            raise TypeError(
                f"data_parallel: grad_fn is {self.grad_fn!r}, expected a function as value_and_grad returns it"
            )
        if self.chunk is None and not isinstance(self.grad_fn, ValueAndGrad):
            raise ValueError("data_parallel: grad_fn shows no model to choose chunks by; give chunk=")

    def __call__(
        self, params: Params, x: np.ndarray, targets: np.ndarray, *, key: keys.Key | None = None
    ) -> tuple[Any, Params]:
        """Return what `grad_fn` returns for the whole batch."""
        for name, given in (("x", x), ("targets", targets)):
            if array("data_parallel", name, given).ndim == 0:
                raise ValueError(f"data_parallel: {name} is a single number, expected a batch (n, ...)")
        if len(targets) != len(x):
            raise ValueError(f"data_parallel: x has {len(x)} examples, targets {len(targets)}")
        outputs: list[np.ndarray] = []
        batch = Batch(x, targets)
        if isinstance(self.comm, Processes):
            mean = self._on_processes(self.comm, params, batch, key, outputs)
        else:
            with together(self.comm, _serve) as ranks:
                mean = self.mean(params, batch, key, ranks, outputs)
        return ((mean.value, np.concatenate(outputs)) if outputs else mean.value), mean.grads

    def mean(
        self,
        params: Params,
        batch: Batch,
        key: keys.Key | None,
        ranks: Ranks = ALONE,
        outputs: list[np.ndarray] | None = None,
    ) -> Mean:
        """Return the means over the batch, on every rank. The outputs, where there are some, go to the list.

        Where no list is given, the right outputs are counted.
        """
        n, chunk = len(batch), self._chunk(params, batch)
        with one_blas_thread():
            return _mean(
                self, params, lambda i: batch.part(i * chunk, (i + 1) * chunk), Cut(n, chunk, key), ranks, outputs
            )

    def flat(self, like: Params) -> Flat:
        """Return the vectors in which gradients of this tree are added up."""
        if not self._flats or not self._flats[0].fits(like):
            self._flats[:] = [Flat(like)]
        return self._flats[0]

    def _chunk(self, params: Params, batch: Batch) -> int:
        chunk = self.chunk or self._chosen.get(batch.shape)
        if chunk is None:
            assert isinstance(self.grad_fn, ValueAndGrad)  # as __post_init__ made sure
            shape = self.grad_fn.input_shape(batch.part(0, 1)[0])
            chunk = training_chunk_size(self.grad_fn.model, params, len(batch), shape)
            self._chosen[batch.shape] = chunk
        return chunk

    def _on_processes(
        self, comm: Processes, params: Params, batch: Batch, key: keys.Key | None, outputs: list[np.ndarray]
    ) -> Mean:
        """Send the others the parameters and their parts of the batch, and return the means over all of it."""
        cut, leaves = Cut(len(batch), self._chunk(params, batch), key), tree.items(params)
        if cut.chunks == 1:
            return self.mean(params, batch, key, ALONE, outputs)
        key_of_session = (self, [path for path, _ in leaves])
        with comm.session(key_of_session, lambda: (_serve, replace(self, comm=None), params)) as ranks:
            for rank in range(1, comm.size):
                own = own_leaves(cut.chunks, rank, comm.size)
                part = batch.part(own.start * cut.chunk, own.stop * cut.chunk)
                comm.request(rank, (cut, np.geterr()), [*(leaf for _, leaf in leaves), *part])
            return self.mean(params, batch, key, ranks, outputs)


def data_parallel(
    grad_fn: GradFunction, workers: int | None = None, chunk: int | None = None, comm: Comm = None
) -> DataParallel:
    """Return a function with the signature and result of `grad_fn`, which runs it on chunks of the batch.

    The chunks run on `workers` threads (all cores where None). Each one's mean counts for the loss's weight of its
    targets (their number, where `grad_fn` is a function of your own), and the sum runs along a binary tree over the
    chunks. Where `chunk` is None it is chosen from the model's work and the shapes, never from `workers` or `comm`, so
    the result is the same bit for bit for every number of workers and ranks. A model whose examples depend on each
    other, as under batch norm, runs whole unless `chunk` says otherwise. The key is folded with the number of the chunk
    (for one chunk too).

    `comm` is what `with fnn.processes(n) as comm` gives, or an mpi4py communicator, all ranks of which make the same
    calls. The ranks share out the chunks, and each gets the whole result. `workers` are then those of each rank (its
    share of the cores where None).

    >>> loss_and_grad = fnn.value_and_grad(layers.dense(1), losses.mean_squared_error)
    >>> params, x = {"w": np.array([[2.0]]), "b": np.array([0.0])}, np.arange(256.0)[:, np.newaxis]
    >>> one, two = (fnn.data_parallel(loss_and_grad, workers, chunk=64)(params, x, x) for workers in (1, 2))
    >>> one[0] == two[0], np.array_equal(one[1]["w"], two[1]["w"])
    (True, True)
    """
    return DataParallel(grad_fn, workers, chunk, comm)


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


def _serve(ranks: ProcessRanks, step: DataParallel, params: Params) -> None:
    """Compute this rank's part of batch after batch, under parameters of the tree of `params`."""
    _, unflatten = tree.flatten(params)
    for (cut, errors), (*leaves, x, targets) in ranks.requests():
        first = own_leaves(cut.chunks, ranks.rank, ranks.size).start

        def part(i: int, batch: Batch = Batch(x, targets), chunk: int = cut.chunk, first: int = first) -> Part:
            return batch.part((i - first) * chunk, (i - first + 1) * chunk)

        with np.errstate(**errors), one_blas_thread():
            _mean(step, unflatten(leaves), part, cut, ranks, [])


def _mean(
    step: DataParallel,
    params: Params,
    part: Callable[[int], Part],
    cut: Cut,
    ranks: Ranks,
    outputs: list[np.ndarray] | None,
) -> Mean:
    """Return the means over the batch, whose chunk i is `part(i)`: each rank computes its own chunks.

    All ranks compute the only chunk of a batch: the others would have to wait for the one that did.
    """
    if cut.chunks == 1:
        mean, piece = _of_chunk(step, params, part(0), cut.key_of(0), counted=outputs is None)
        if outputs is not None and piece is not None:
            outputs.append(piece)
        return mean._replace(grads=tree.map(in_row_major_order, mean.grads))
    own = own_leaves(cut.chunks, ranks.rank, ranks.size)
    flats = [] if ranks.size == 1 else [step.flat(params)]  # all ranks' are alike, also where one has no chunk
    total: TreeSum[Arrays] = TreeSum(_added)
    pieces: list[np.ndarray] = []

    def task(i: int) -> tuple[Arrays, np.ndarray | None]:
        mean, piece = _of_chunk(step, params, part(own[i]), cut.key_of(own[i]), counted=outputs is None)
        if not flats:
            flats.append(step.flat(mean.grads))
        return _as_sum(mean, flats[0], mean.weight / cut.chunk, 0.0 if outputs is None or piece is None else 1.0), piece

    def take(i: int, result: tuple[Arrays, np.ndarray | None]) -> None:
        total.put(result[0])
        if result[1] is not None:
            pieces.append(result[1])

    in_order(task, len(own), step.workers or ranks.threads, take)
    layout: Layout = [((len(HEAD),), np.dtype(np.float64), None), *flats[0].layout]
    head, *vectors = sum_over_ranks(ranks, total.result(), cut.chunks, layout)
    value, hits, weight, share, count = head.tolist()
    if outputs is not None and count:
        outputs += [piece for theirs in ranks.gather(pieces) for piece in theirs]
    return Mean(value * (1.0 / share), flats[0].placed(_scaled(vectors, 1.0 / share)), hits, weight)


HEAD = ("value", "hits", "weight", "share", "pieces of outputs")


def _of_chunk(
    step: DataParallel, params: Params, part: Part, key: keys.Key | None, *, counted: bool
) -> tuple[Mean, np.ndarray | None]:
    """Return the means over a chunk, and its outputs where grad_fn gives them; the right ones are counted on demand."""
    x, targets = part
    value, grads = step.grad_fn(params, x, targets, key=key)
    value, outputs = value if isinstance(value, tuple) else (value, None)
    loss = step.grad_fn.loss if isinstance(step.grad_fn, ValueAndGrad) else None
    weight = float(len(targets) if loss is None else loss.weight(targets))
    hits = math.nan if loss is None or outputs is None or not counted else count_hits(loss, outputs, targets)
    return Mean(float(value), grads, hits, weight), outputs


def _as_sum(mean: Mean, flat: Flat, share: float, pieces: float) -> Arrays:
    """Return a chunk's mean as it is added up: a head and the gradient's vectors, which count for its share.

    A share is the chunk's weight by that of a chunk of full size: most are 1, and their means are added as they are.
    """
    head = np.array([share * mean.value, mean.hits, mean.weight, share, pieces])
    return [head, *_scaled(flat.pack(mean.grads), share)]


def _added(left: Arrays, right: Arrays) -> Arrays:
    return [a + b for a, b in zip(left, right, strict=True)]


def _scaled(vectors: Arrays, factor: float) -> Arrays:
    return vectors if factor == 1.0 else [factor * vector for vector in vectors]


def in_row_major_order(leaf: Any) -> Any:
    """Return an array as files and messages give it back: the order in memory may change the last bits of a product."""
    return np.asarray(leaf, order="C") if isinstance(leaf, np.ndarray) else leaf
