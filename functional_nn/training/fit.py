"""Training: a pure function of the parameters, the data and a seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys, tree
from functional_nn.blas import one_blas_thread
from functional_nn.data.batching import batches
from functional_nn.layer import Layer, Params
from functional_nn.loss import Loss
from functional_nn.optim import Transform, apply_updates
from functional_nn.training.batch_statistics import statistics
from functional_nn.training.checks import check_run, describe_divergence
from functional_nn.training.evaluation import as_it_is, count_hits, evaluate
from functional_nn.training.grad import BatchTransform, GradFunction, ValueAndGrad, data_parallel
from functional_nn.training.progress import Progress, figures, progress_of

__all__ = ["DivergenceError", "FitResult", "fit"]

Data = tuple[np.ndarray, np.ndarray]
EXPLODED = 1e10  # a loss that many times the first one has diverged


class FitResult(NamedTuple):
    """What training gives: the parameters, the optimizer's state, and a record (a dict) an epoch."""

    params: Params
    state: Any
    history: list[dict[str, Any]]

    def __repr__(self) -> str:
        epochs = "1 epoch" if len(self.history) == 1 else f"{len(self.history)} epochs"
        last = "; the last: " + figures(self.history[-1]) if self.history else ""
        return (
            f"FitResult(\n  params: {tree.describe(self.params)}\n  state: {tree.describe(self.state)}\n"
            f"  history: {epochs}{last}\n)"
        )


class DivergenceError(ArithmeticError):
    """The loss or a parameter is no longer finite; `result` is the `FitResult` of what was learned before."""

    def __init__(self, message: str, result: FitResult) -> None:
        super().__init__(message, result)
        self.result = result

    def __str__(self) -> str:
        return str(self.args[0])


def fit(
    model: Layer,
    params: Params,
    data: Data,
    *,
    loss: Loss,
    optimizer: Transform,
    epochs: int,
    batch_size: int,
    seed: keys.Key,
    validation: Data | None = None,
    transform: BatchTransform | None = None,
    workers: int | None = None,
    chunk: int | None = None,
    progress: bool = True,
    callback: Callable[[FitResult], bool | None] | None = None,
) -> FitResult:
    """Train for `epochs` passes over `data = (x, targets)`, in batches drawn anew from `seed` for each epoch.

    The result follows from the arguments alone, bit for bit, whatever `workers` is (None: all cores).
    `transform(x, key)` makes each batch's input, so that images may stay uint8; validation calls it with key=None.
    `history` has a dict an epoch: "epoch" (from 1), "loss" and "accuracy" (means over the epoch's own training
    passes), "val_loss" and "val_accuracy" (None without `validation`), "seconds" (of training, without validation).
    An accuracy is nan under a loss that has no notion of it. A model with batch norm is validated under the
    `statistics` of the data; `params` stay without them. `chunk` is that of `data_parallel`.
    `callback(result so far)` runs after every epoch, and ends training where it returns True.

    Raises `DivergenceError` where the loss or a parameter is no longer finite, or the loss is 1e10 times the first one.
    Before any training, raises `ValueError` or `TypeError` for what does not fit the model and the loss.
    """
    transform = transform or as_it_is
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows ends in a DivergenceError
        check_run(
            model,
            params,
            data,
            validation,
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=min(batch_size, chunk or batch_size),
            transform=transform,
        )
        step = data_parallel(ValueAndGrad(model, loss, outputs=True, transform=transform), workers, chunk)
        settings = _Settings(data, loss, optimizer, batch_size, transform)
        result = FitResult(params, optimizer.init(params), [])
        with progress_of(epochs, -(-len(data[0]) // batch_size), shown=progress) as shown:
            for epoch in range(1, epochs + 1):
                with one_blas_thread():
                    result = _epoch(result, step, settings, keys.fold(seed, epoch), shown)
                if validation is not None:
                    known = statistics(
                        model, result.params, data[0], batch_size=batch_size, transform=transform, chunk=chunk
                    )
                    scores = evaluate(model, known, *validation, loss=loss, transform=transform, workers=workers)
                    result.history[-1].update({f"val_{name}": score for name, score in scores.items()})
                shown.epoch(result.history[-1])
                if callback is not None and callback(result):
                    break
    return result


class _Settings(NamedTuple):
    """What does not change from epoch to epoch."""

    data: Data
    loss: Loss
    optimizer: Transform
    batch_size: int
    transform: BatchTransform


def _epoch(start: FitResult, step: GradFunction, settings: _Settings, key: keys.Key, shown: Progress) -> FitResult:
    """Run one epoch; return its result, with a new record at the end of the history."""
    result = good = start  # good: the last parameters that gave a finite loss
    epoch, began = len(start.history) + 1, time.perf_counter()
    expected = max(1.0, abs(start.history[0]["loss"])) if start.history else 0.0
    seen, weight, total, hits = 0, 0.0, 0.0, 0.0
    for i, (x, targets) in enumerate(batches(*settings.data, settings.batch_size, key)):
        (value, outputs), grads = step(result.params, x, targets, key=keys.fold(key, i))
        expected = expected or max(1.0, abs(value))
        if not abs(value) < EXPLODED * expected:  # not finite, too
            raise _diverged(f"epoch {epoch}, step {i + 1}: the loss is {value}", result, grads, good, settings)
        good = result
        updates, state = settings.optimizer.update(grads, result.state, result.params)
        result = FitResult(apply_updates(result.params, updates), state, start.history)
        batch_weight = settings.loss.weight(targets)
        seen, weight, total = seen + len(x), weight + batch_weight, total + batch_weight * value
        hits += count_hits(settings.loss, outputs, targets)
        shown.step(total / weight, hits / seen)
    if not _is_finite(result.params):
        raise _diverged(f"epoch {epoch}, after its last step", result, grads, good, settings)
    record = {
        "epoch": epoch,
        "loss": total / weight,
        "accuracy": hits / seen,
        "val_loss": None,
        "val_accuracy": None,
        "seconds": time.perf_counter() - began,
    }
    return result._replace(history=[*start.history, record])


def _diverged(where: str, result: FitResult, grads: Params, good: FitResult, settings: _Settings) -> DivergenceError:
    message = describe_divergence(where, result.params, grads, settings.data, settings.transform)
    return DivergenceError(message, good)


def _is_finite(params: Params) -> bool:
    return all(np.isfinite(leaf).all() for leaf in tree.leaves(params))
