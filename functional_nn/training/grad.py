"""Value and gradient of a loss over a model, on the whole batch or in chunks side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from functional_nn import keys, tree
from functional_nn.arguments import array, count, flag, optional
from functional_nn.blas import one_blas_thread
from functional_nn.compose.parts import check_layer
from functional_nn.layer import Layer, Params, Shape
from functional_nn.loss import Loss, check_loss
from functional_nn.training.chunks import training_chunk_size
from functional_nn.training.parallel import in_order

__all__ = ["DataParallel", "GradFunction", "ValueAndGrad", "data_parallel", "value_and_grad"]

BatchTransform = Callable[[np.ndarray, keys.Key | None], np.ndarray]


class GradFunction(Protocol):
    """`grad_fn(params, x, targets, *, key=None) -> (value, grads)`, or ((value, outputs), grads)."""

    def __call__(  # noqa: D102
        self, params: Params, x: np.ndarray, targets: np.ndarray, *, key: keys.Key | None = None
    ) -> tuple[Any, Params]: ...


@dataclass(frozen=True)
class ValueAndGrad:
    """See `value_and_grad`.

    With a `transform`, x are raw inputs and `transform(x, key)` makes the model's: its key is folded with 1, the
    model's with 0.
    """

    model: Layer
    loss: Loss
    outputs: bool = False
    transform: BatchTransform | None = None

    def __call__(
        self, params: Params, x: np.ndarray, targets: np.ndarray, *, key: keys.Key | None = None
    ) -> tuple[Any, Params]:
        """Return (value, grads), or ((value, outputs), grads): the mean over the batch and its gradient."""
        with one_blas_thread():
            if self.transform is not None:
                x = self.transform(x, None if key is None else keys.fold(key, 1))
                key = None if key is None else keys.fold(key, 0)
            outputs, model_pullback = self.model.vjp(params, x, key=key, wrt_x=False)
            value, loss_pullback = self.loss.vjp(outputs, targets)
            grads, _ = model_pullback(loss_pullback(1.0))
        return ((value, outputs) if self.outputs else value), grads

    def input_shape(self, x: np.ndarray) -> Shape:
        """Return the shape of the model's input for raw inputs x, without the batch axis."""
        return (x if self.transform is None else self.transform(x[:1], None)).shape[1:]


def value_and_grad(model: Layer, loss: Loss, outputs: bool = False) -> ValueAndGrad:
    """Return the function (params, x, targets, *, key=None) -> (value, grads), the mean loss and its gradient.

    With `outputs`, it returns ((value, outputs), grads). `grads` has exactly the tree of `params`. Raises `TypeError`
    for what is no layer or no loss.

    >>> loss_and_grad = fnn.value_and_grad(layers.dense(1), losses.mean_squared_error)
    >>> params = {"w": np.array([[2.0]]), "b": np.array([0.0])}
    >>> loss_and_grad(params, np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]]))  # errors 1 and 4
    (8.5, {'w': array([[13.]]), 'b': array([5.])})
    """
    check_layer("value_and_grad: model", model)
    check_loss("value_and_grad", loss)
    return ValueAndGrad(model, loss, flag("value_and_grad", "outputs", outputs))


@dataclass(frozen=True)
class DataParallel:
    """See `data_parallel`."""

    grad_fn: GradFunction
    workers: int | None = None
    chunk: int | None = None
    _chosen: dict[Shape, int] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise `ValueError` for a chunk or a number of workers below 1, or no way to choose the chunk."""
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
        for name, batch in (("x", x), ("targets", targets)):
            if array("data_parallel", name, batch).ndim == 0:
                raise ValueError(f"data_parallel: {name} is a single number, expected a batch (n, ...)")
        if len(targets) != len(x):
            raise ValueError(f"data_parallel: x has {len(x)} examples, targets {len(targets)}")
        with one_blas_thread():
            return self._in_chunks(params, x, targets, key)

    def _in_chunks(
        self, params: Params, x: np.ndarray, targets: np.ndarray, key: keys.Key | None
    ) -> tuple[Any, Params]:
        n = len(x)
        chunk = self.chunk or self._chosen.get(x.shape) or self._choose(params, x)

        def task(i: int) -> tuple[Any, Params]:
            part = slice(i * chunk, (i + 1) * chunk)
            return self.grad_fn(params, x[part], targets[part], key=None if key is None else keys.fold(key, i))

        if n <= chunk:
            return task(0)
        weigh = self.grad_fn.loss.weight if isinstance(self.grad_fn, ValueAndGrad) else len
        mean = _Mean(weigh(targets[:chunk]))
        in_order(
            task,
            -(-n // chunk),
            self.workers,
            lambda i, result: mean.add(result, weigh(targets[i * chunk : (i + 1) * chunk])),
        )
        return mean.result()

    def _choose(self, params: Params, x: np.ndarray) -> int:
        assert isinstance(self.grad_fn, ValueAndGrad)  # as __post_init__ made sure
        chunk = training_chunk_size(self.grad_fn.model, params, len(x), self.grad_fn.input_shape(x))
        self._chosen[x.shape] = chunk
        return chunk


def data_parallel(grad_fn: GradFunction, workers: int | None = None, chunk: int | None = None) -> DataParallel:
    """Return a function with the signature and result of `grad_fn`, which runs it on chunks of the batch.

    The chunks run on `workers` threads (all cores where None). Each one's mean counts for the loss's weight of its
    targets (their number, where `grad_fn` is a function of your own), and the sum runs in the order of the chunks.
    Where `chunk` is None it is chosen from the model's work and the shapes, never from `workers`, so the result is the
    same bit for bit for every number of workers. A model whose examples depend on each other, as under batch norm, runs
    whole unless `chunk` says otherwise. The key is folded with the number of the chunk (for one chunk too).

    >>> loss_and_grad = fnn.value_and_grad(layers.dense(1), losses.mean_squared_error)
    >>> params, x = {"w": np.array([[2.0]]), "b": np.array([0.0])}, np.arange(256.0)[:, np.newaxis]
    >>> one, two = (fnn.data_parallel(loss_and_grad, workers, chunk=64)(params, x, x) for workers in (1, 2))
    >>> one[0] == two[0], np.array_equal(one[1]["w"], two[1]["w"])
    (True, True)
    """
    return DataParallel(grad_fn, workers, chunk)


class _Mean:
    """The mean of values, gradients and outputs that come in chunks, in order, each with its weight.

    Sums count in units of the first chunk's weight, so that chunks as heavy are added as they are; they are scaled
    once, at the end.
    """

    def __init__(self, unit: float) -> None:
        self.unit, self.shares, self.value = unit, 0.0, 0.0
        self.grads: Params | None = None
        self.outputs: list[np.ndarray] = []

    def add(self, result: tuple[Any, Params], weight: float) -> None:
        value, grads = result
        share = weight / self.unit
        if isinstance(value, tuple):
            value, outputs = value
            self.outputs.append(outputs)
        self.shares += share
        self.value += share * value
        weighed = grads if share == 1.0 else tree.map_arrays(lambda g: share * g, grads)
        self.grads = weighed if self.grads is None else tree.map_arrays(np.add, self.grads, weighed)

    def result(self) -> tuple[Any, Params]:
        scale = 1.0 / self.shares
        value, grads = scale * self.value, tree.map_arrays(lambda g: scale * g, self.grads)
        return ((value, np.concatenate(self.outputs)) if self.outputs else value), grads
