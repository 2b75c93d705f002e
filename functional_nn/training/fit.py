"""Training, evaluation and prediction: pure functions of parameters, data and a seed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys, tree
from functional_nn.data.batching import batches
from functional_nn.layer import Layer, Params
from functional_nn.loss import Loss
from functional_nn.optim import Transform, apply_updates
from functional_nn.training.batch_statistics import statistics
from functional_nn.training.blas import one_blas_thread
from functional_nn.training.chunks import MOST_PREDICTED, chunk_size
from functional_nn.training.grad import BatchTransform, GradFunction, ValueAndGrad, data_parallel
from functional_nn.training.parallel import in_order, keep_freed_memory
from functional_nn.training.progress import Progress, figures, progress_of

__all__ = ["DivergenceError", "FitResult", "evaluate", "fit", "predict"]

Data = tuple[np.ndarray, np.ndarray]
PREDICTED_AT_ONCE = 1024


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

    Raises `DivergenceError` where the loss or a parameter is no longer finite, and, before any training,
    `ValueError` or `TypeError` for data, targets or parameters that do not fit the model and the loss.
    """
    settings = _Settings(data, loss, optimizer, batch_size, transform)
    _check(model, params, validation, epochs, settings)
    step = data_parallel(ValueAndGrad(model, loss, outputs=True, transform=transform or _as_it_is), workers, chunk)
    result = FitResult(params, optimizer.init(params), [])
    with progress_of(epochs, -(-len(data[0]) // batch_size), shown=progress) as shown:
        for epoch in range(1, epochs + 1):
            # what overflows ends in a DivergenceError
            with np.errstate(over="ignore", invalid="ignore"), one_blas_thread():
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


def predict(
    model: Layer,
    params: Params,
    x: np.ndarray,
    *,
    transform: BatchTransform | None = None,
    workers: int | None = None,
) -> np.ndarray:
    """Return the model's outputs (n, ...) for x (n, ...), computed chunk by chunk on `workers` threads."""
    keep_freed_memory()
    with one_blas_thread():
        return _predicted(model, params, x, transform or _as_it_is, workers)


def _predicted(model: Layer, params: Params, x: np.ndarray, prepare: BatchTransform, workers: int | None) -> np.ndarray:
    input_shape = prepare(x[:1], None).shape[1:]
    chunk = min(chunk_size(model, params, len(x), input_shape, MOST_PREDICTED), PREDICTED_AT_ONCE)
    if len(x) <= chunk:
        return model.apply(params, prepare(x, None))
    pieces: list[np.ndarray] = []
    in_order(
        lambda i: model.apply(params, prepare(x[i * chunk : (i + 1) * chunk], None)),
        -(-len(x) // chunk),
        workers,
        lambda _, piece: pieces.append(piece),
    )
    return np.concatenate(pieces)


def evaluate(
    model: Layer,
    params: Params,
    x: np.ndarray,
    targets: np.ndarray,
    *,
    loss: Loss,
    transform: BatchTransform | None = None,
    workers: int | None = None,
) -> dict[str, float]:
    """Return {"loss": the mean over all examples, "accuracy": the share of right ones, or nan}."""
    outputs = predict(model, params, x, transform=transform, workers=workers)
    hits = _hits(loss, outputs, targets)
    return {"loss": loss.apply(outputs, targets), "accuracy": hits / len(x)}


class _Settings(NamedTuple):
    """What does not change from epoch to epoch."""

    data: Data
    loss: Loss
    optimizer: Transform
    batch_size: int
    transform: BatchTransform | None


def _epoch(start: FitResult, step: GradFunction, settings: _Settings, key: keys.Key, shown: Progress) -> FitResult:
    """Run one epoch; return its result, with a new record at the end of the history."""
    result = good = start  # good: the last parameters that gave a finite loss
    epoch, began = len(start.history) + 1, time.perf_counter()
    seen, weight, total, hits = 0, 0.0, 0.0, 0.0
    for i, (x, targets) in enumerate(batches(*settings.data, settings.batch_size, key)):
        (value, outputs), grads = step(result.params, x, targets, key=keys.fold(key, i))
        if not math.isfinite(value):
            raise _divergence(f"epoch {epoch}, step {i + 1}: the loss is {value}", result.params, grads, good)
        good = result
        updates, state = settings.optimizer.update(grads, result.state, result.params)
        result = FitResult(apply_updates(result.params, updates), state, start.history)
        batch_weight = settings.loss.weight(targets)
        seen, weight, total = seen + len(x), weight + batch_weight, total + batch_weight * value
        hits += _hits(settings.loss, outputs, targets)
        shown.step(total / weight, hits / seen)
    if _first_not_finite(result.params):
        raise _divergence(f"epoch {epoch}, after its last step", result.params, grads, good)
    record = {
        "epoch": epoch,
        "loss": total / weight,
        "accuracy": hits / seen,
        "val_loss": None,
        "val_accuracy": None,
        "seconds": time.perf_counter() - began,
    }
    return result._replace(history=[*start.history, record])


def _divergence(where: str, params: Params, grads: Params, good: FitResult) -> DivergenceError:
    if path := _first_not_finite(params):
        what = f"parameter {path} is not finite"
    elif path := _first_not_finite(grads):
        what = f"the gradient of {path} is not finite"
    else:
        what = "all parameters and gradients are finite"
    return DivergenceError(
        f"{where}; {what}. Try a smaller learning rate, or optim.clip_by_global_norm; "
        "what was learned before is this error's .result",
        good,
    )


def _check(model: Layer, params: Params, validation: Data | None, epochs: int, settings: _Settings) -> None:
    """Run one example through the model, and all targets through the loss, before any work is lost."""
    for name, value in (("epochs", epochs), ("batch_size", settings.batch_size)):
        if value < 1:
            raise ValueError(f"fit: {name} is {value}, expected at least 1")
    transform = settings.transform or _as_it_is
    for name, split in (("data", settings.data), ("validation", validation)):
        if split is None:
            continue
        x, targets = split
        if len(x) != len(targets) or len(x) == 0:
            raise ValueError(
                f"fit: {name} has {len(x)} inputs and {len(targets)} targets, expected as many, at least one"
            )
        outputs, _ = model.vjp(params, transform(x[:1], None), key=0, wrt_x=False)
        settings.loss.apply(np.zeros((len(x), *outputs.shape[1:]), outputs.dtype), targets)


def _as_it_is(x: np.ndarray, key: keys.Key | None) -> np.ndarray:
    return x


def _hits(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> float:
    return math.nan if loss.hits is None else float(loss.hits(outputs, targets).sum())


def _first_not_finite(params: Params) -> str | None:
    return next((path for path, leaf in tree.items(params) if not np.isfinite(leaf).all()), None)
