"""Value and gradient of a batch in chunks side by side, on threads, processes and machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from functional_nn import keys, tree
from functional_nn.arguments import array, count, optional
from functional_nn.blas import one_blas_thread
from functional_nn.layer import Params, Shape
from functional_nn.parallel import (
    Comm,
    Processes,
    ProcessRanks,
    Ranks,
    check_comm,
    check_same_call,
    is_communicator,
    together,
)
from functional_nn.parallel.binary_tree import own_leaves
from functional_nn.parallel.flat import row_major
from functional_nn.training.chunks import training_chunk_size
from functional_nn.training.grad import GradFunction, ValueAndGrad
from functional_nn.training.mean import Batch, Cut, Mean, Part, mean_over

__all__ = ["DataParallel", "data_parallel"]


@dataclass(frozen=True)
class DataParallel:
    """See `data_parallel`."""

    grad_fn: GradFunction
    workers: int | None = None
    chunk: int | None = None
    comm: Comm = None
    _chosen: dict[Shape, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise `ValueError` for a chunk or a number of workers below 1, or no way to choose the chunk."""
        check_comm("data_parallel", self.comm)
        for name, value in (("workers", self.workers), ("chunk", self.chunk)):
            optional(count)("data_parallel", name, value)
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
        if isinstance(self.comm, Processes):
            self.comm.check_open()
        batch = Batch(x, targets)
        chunk = self._chunk(params, batch)
        with one_blas_thread():
            if len(x) <= chunk and not is_communicator(self.comm):  # whose ranks end together
                return self.grad_fn(params, x, targets, key=None if key is None else keys.fold(key, 0))
            outputs: list[np.ndarray] = []
            mean = self._mean(params, batch, Cut(len(x), chunk, key), outputs)
        return ((mean.value, np.concatenate(outputs)) if outputs else mean.value), mean.grads

    def mean(self, params: Params, batch: Batch, key: keys.Key | None, ranks: Ranks) -> Mean:
        """Return the means over the batch, on every rank; the right outputs are counted."""
        chunk = self._chunk(params, batch)
        return mean_over(
            self.grad_fn,
            params,
            lambda i: batch.part(i * chunk, (i + 1) * chunk),
            Cut(len(batch), chunk, key),
            ranks,
            self.workers,
        )

    def _mean(self, params: Params, batch: Batch, cut: Cut, outputs: list[np.ndarray]) -> Mean:
        if cut.chunks > 1:
            params = tree.map(row_major, params)  # as every rank has them

        def part(i: int) -> Part:
            return batch.part(i * cut.chunk, (i + 1) * cut.chunk)

        if not isinstance(self.comm, Processes):
            with together(self.comm, _serve) as ranks:
                check_same_call(ranks, "data_parallel", {"x": batch.shape, "chunk": cut.chunk, "key": cut.key})
                return mean_over(self.grad_fn, params, part, cut, ranks, self.workers, outputs)
        leaves = [array("data_parallel", f"params: {path}", leaf) for path, leaf in tree.items(params)]
        names = tree.map(lambda _: 0, params)
        with self.comm.session(_serve, self.grad_fn, names, self.workers) as ranks:
            for rank in range(1, ranks.size):
                own = own_leaves(cut.chunks, rank, ranks.size)
                part_of_rank = batch.part(own.start * cut.chunk, own.stop * cut.chunk)
                self.comm.request(rank, (cut, np.geterr()), [*leaves, *part_of_rank])
            return mean_over(self.grad_fn, params, part, cut, ranks, self.workers, outputs)

    def _chunk(self, params: Params, batch: Batch) -> int:
        chunk = self.chunk or self._chosen.get(batch.shape)
        if chunk is None:
            assert isinstance(self.grad_fn, ValueAndGrad)  # as __post_init__ made sure
            shape = self.grad_fn.input_shape(batch.part(0, 1)[0])
            chunk = training_chunk_size(self.grad_fn.model, params, len(batch), shape)
            self._chosen[batch.shape] = chunk
        return chunk


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


def _serve(ranks: ProcessRanks, grad_fn: GradFunction, names: Any, workers: int | None) -> None:
    """Compute this rank's part of batch after batch, under parameters with the nodes of the tree `names`."""
    _, unflatten = tree.flatten(names)
    for (cut, errors), (*leaves, x, targets) in ranks.requests():
        own, batch = own_leaves(cut.chunks, ranks.rank, ranks.size), Batch(x, targets)
        parts = {chunk: batch.part(i * cut.chunk, (i + 1) * cut.chunk) for i, chunk in enumerate(own)}
        with np.errstate(**errors), one_blas_thread():
            mean_over(grad_fn, unflatten(leaves), parts.__getitem__, cut, ranks, workers, [])
