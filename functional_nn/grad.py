"""Value and gradient of a loss over a model, on the whole batch or in chunks side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from functional_nn import keys, tree
from functional_nn.layer import Layer, Params, Shape
from functional_nn.losses import Loss
from functional_nn.parallel import in_order, keep_freed_memory
from functional_nn.work import chunk_size

__all__ = ["DataParallel", "GradFunction", "ValueAndGrad", "data_parallel", "value_and_grad"]

GradFunction = Callable[..., tuple[Any, Params]]


@dataclass(frozen=True)
class ValueAndGrad:
    """See `value_and_grad`."""

    model: Layer
    loss: Loss
    outputs: bool = False

    def __call__(
        self, params: Params, x: np.ndarray, targets: np.ndarray, *, key: keys.Key | None = None
    ) -> tuple[Any, Params]:
        """Return (value, grads), or ((value, outputs), grads): the mean over the batch and its gradient."""
        outputs, model_pullback = self.model.vjp(params, x, key=key, wrt_x=False)
        value, loss_pullback = self.loss.vjp(outputs, targets)
        grads, _ = model_pullback(loss_pullback(1.0))
        return ((value, outputs) if self.outputs else value), grads


def value_and_grad(model: Layer, loss: Loss, outputs: bool = False) -> ValueAndGrad:
    """Return the function (params, x, targets, *, key=None) -> (value, grads), the mean loss and its gradient.

    With `outputs`, it returns ((value, outputs), grads). `grads` has exactly the tree of `params`.
    """
    return ValueAndGrad(model, loss, outputs)


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
            if value is not None and value < 1:
                raise ValueError(f"data_parallel: {name} is {value}, expected at least 1 or None")
        if self.chunk is None and not hasattr(self.grad_fn, "model"):
            raise ValueError("data_parallel: grad_fn shows no model to choose chunks by; give chunk=")

    def __call__(
        self, params: Params, x: np.ndarray, targets: np.ndarray, *, key: keys.Key | None = None
    ) -> tuple[Any, Params]:
        """Return what `grad_fn` returns for the whole batch."""
        n = len(x)
        if len(targets) != n:
            raise ValueError(f"data_parallel: x has {n} examples, targets {len(targets)}")
        keep_freed_memory()
        chunk = self.chunk or self._chosen.get(x.shape) or self._choose(params, x.shape)

        def task(i: int) -> tuple[Any, Params]:
            part = slice(i * chunk, (i + 1) * chunk)
            return self.grad_fn(params, x[part], targets[part], key=None if key is None else keys.fold(key, i))

        if n <= chunk:
            return task(0)
        weigh = getattr(getattr(self.grad_fn, "loss", None), "weight", len)
        mean = _Mean(weigh(targets[:chunk]))
        in_order(
            task,
            -(-n // chunk),
            self.workers,
            lambda i, result: mean.add(result, weigh(targets[i * chunk : (i + 1) * chunk])),
        )
        return mean.result()

    def _choose(self, params: Params, x_shape: Shape) -> int:
        model: Layer = self.grad_fn.model  # type: ignore[attr-defined]
        self._chosen[x_shape] = chunk_size(model, params, x_shape)
        return self._chosen[x_shape]


def data_parallel(grad_fn: GradFunction, workers: int | None = None, chunk: int | None = None) -> DataParallel:
    """Return a function with the signature and result of `grad_fn`, which runs it on chunks of the batch.

    The chunks run on `workers` threads (all cores where None); each one's mean is weighed by `grad_fn.loss.weight`, its
    number of examples where there is none, and the sum runs in the order of the chunks. `chunk` is chosen from the
    model's work and the shapes where None, never from `workers`, so the result is the same bit for bit for every number
    of workers. The key is folded with the number of the chunk (for one chunk too).
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
        weighed = grads if share == 1.0 else tree.map(lambda g: share * g, grads)
        self.grads = weighed if self.grads is None else tree.map(np.add, self.grads, weighed)

    def result(self) -> tuple[Any, Params]:
        scale = 1.0 / self.shares
        value, grads = scale * self.value, tree.map(lambda g: scale * g, self.grads)
        return ((value, np.concatenate(self.outputs)) if self.outputs else value), grads
