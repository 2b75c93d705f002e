"""Training: a pure function of the parameters, the data and a seed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from functional_nn import keys, tree
from functional_nn.blas import one_blas_thread
from functional_nn.data.batching import batches
from functional_nn.layer import Layer, Params
from functional_nn.loss import Loss
from functional_nn.optim import Transform, apply_updates
from functional_nn.result import FitResult
from functional_nn.training.batch_statistics import statistics
from functional_nn.training.checkpoint import begun, rehearse
from functional_nn.training.checks import as_callbacks, check_fit, check_run, describe_divergence
from functional_nn.training.evaluation import as_transform, count_hits, evaluate
from functional_nn.training.grad import BatchTransform, GradFunction, ValueAndGrad, data_parallel
from functional_nn.training.progress import Progress, progress_of
from functional_nn.training.run import Data, Run

__all__ = ["DivergenceError", "Interrupted", "fit"]

AnyCallback = Callable[[FitResult], bool | None]
OneOrMoreCallbacks = AnyCallback | Sequence[AnyCallback] | None
EXPLODED = 1e10  # a loss that many times the first one has diverged


class DivergenceError(ArithmeticError):
    """The loss or a parameter is no longer finite; `result` is the `FitResult` of what was learned before.

    >>> x, model = np.ones((8, 1), np.float32), layers.dense(1)
    >>> options = {"loss": losses.mean_squared_error, "epochs": 99, "batch_size": 4, "seed": 0, "progress": False}
    >>> try:
    ...     fnn.fit(model, model.init(np.random.default_rng(0), (1,)), (x, x), optimizer=optim.sgd(100.0), **options)
    ... except fnn.DivergenceError as error:
    ...     print(error.result.history[-1]["epoch"])
    1
    """

    def __init__(self, message: str, result: FitResult) -> None:
        super().__init__(message, result)
        self.result = result

    def __str__(self) -> str:
        return str(self.args[0])


class Interrupted(KeyboardInterrupt):
    """Training was interrupted, as by Ctrl-C; `result` is the `FitResult` of the epochs that had ended.

    `fit(..., resume=error.result)` goes on from there, and with a checkpoint the same call as before.

    >>> def after_two(result):
    ...     if len(result.history) == 2:
    ...         raise KeyboardInterrupt  # as Ctrl-C does
    >>> x, model = np.ones((8, 1), np.float32), layers.dense(1)
    >>> params = model.init(np.random.default_rng(0), (1,))
    >>> options = {"loss": losses.mean_squared_error, "batch_size": 4, "seed": 0, "progress": False}
    >>> try:
    ...     fnn.fit(model, params, (x, x), optimizer=optim.sgd(0.1), epochs=5, callback=after_two, **options)
    ... except fnn.Interrupted as error:
    ...     result = fnn.fit(model, None, (x, x), optimizer=optim.sgd(0.1), epochs=5, resume=error.result, **options)
    >>> [record["epoch"] for record in result.history]
    [1, 2, 3, 4, 5]
    """

    def __init__(self, result: FitResult, checkpoint: str | os.PathLike[str] | None = None) -> None:
        super().__init__(result, checkpoint)
        self.result, self.checkpoint = result, checkpoint

    def __str__(self) -> str:
        remedy = "with fit(..., resume=error.result)"
        if self.checkpoint is not None:
            remedy = f"by the same call again: its checkpoint is {os.fspath(self.checkpoint)}"
        return f"training was interrupted after {len(self.result.history)} whole epochs; go on {remedy}"


def fit(
    model: Layer,
    params: Params | None,
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
    callback: OneOrMoreCallbacks = None,
    resume: FitResult | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> FitResult:
    """Train for `epochs` passes over `data = (x, targets)`, in batches drawn anew from `seed` for each epoch.

    The result follows from the arguments alone, bit for bit, whatever `workers` is (None: all cores).
    `transform(x, key)` makes each batch's input, so that images may stay uint8; validation calls it with key=None.
    `history` has a dict an epoch: "epoch" (from 1), "loss" and "accuracy" (means over the epoch's own training
    passes), "val_loss" and "val_accuracy" (None without `validation`), "seconds" (of training, without validation).
    An accuracy is nan under a loss that has no notion of it. A model with batch norm is validated under the
    `statistics` of the data; `params` stay without them. `chunk` is that of `data_parallel`.
    `callback` is one function of the result so far, or several: all run after every epoch, in order, and training ends
    where one returns True. `resume` is a result to go on from: `params` are not used then and may be None, `epochs`
    stays the total, and the outcome is that of the uninterrupted run, bit for bit.

    `checkpoint` is a file, .npz or .safetensors, written whole after every epoch and before the callbacks; `fnn.load`
    reads it as a `FitResult`. Where it exists, training goes on from it, to the same bits, so a run that was
    interrupted or killed goes on by the same call. The file must be of this run: the same model, loss, optimizer,
    transform, data, validation, batch size, chunk and seed, and the same start (params, or resume) unless params is
    None. `epochs`, `workers`, `progress` and `callback` may be others. Then `params` is not used. The callbacks are
    asked about the file's last epoch once more, as the run may have been killed before they ended; where the file has
    `epochs` epochs or more, its result comes back at once. Functions of your own count by their names. A
    `DivergenceError` leaves the last whole epoch in the file.

    Raises `DivergenceError` where the loss or a parameter is no longer finite, or the loss is 1e10 times the first one,
    and `Interrupted`, a `KeyboardInterrupt`, on Ctrl-C; both have the `.result` of what was learned before. Before any
    training, raises `ValueError` or `TypeError` for what does not fit the model and the loss, `ValueError`, which lists
    what differs, for the checkpoint of another run, `TypeError` for a checkpoint of what no file can name (a lambda, a
    `Layer` that no constructor made), and `OSError` for one that cannot be written. Later an `OSError` ends training
    where an epoch cannot be kept, as on a full disk: the file then holds the epoch before. A run that went on without
    its file could lose all epochs from there on; this one loses one. What a callback raises has `.result` too.

    >>> x = np.array([[0.0], [1.0], [2.0], [3.0]], np.float32)
    >>> model = layers.dense(1)
    >>> params = model.init(np.random.default_rng(0), (1,))
    >>> options = {"loss": losses.mean_squared_error, "epochs": 200, "batch_size": 4, "seed": 0, "progress": False}
    >>> result = fnn.fit(model, params, (x, 2.0 * x + 1.0), optimizer=optim.sgd(0.1), **options)
    >>> result.params["w"].round(2), result.params["b"].round(2)
    (array([[2.]], dtype=float32), array([1.], dtype=float32))
    """
    transform, callbacks = as_transform("fit", transform), as_callbacks(callback)
    run = Run(model, data, validation, loss, optimizer, batch_size, transform, workers, chunk, seed)
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows ends in a DivergenceError
        check_run(run, epochs)
        result, kept = begun(checkpoint, run, params, resume)
        check_fit(run, result.params)
        done, steps = len(result.history), -(-len(data[0]) // batch_size)
        if done < epochs:
            rehearse(result, kept, callbacks)
        with progress_of(epochs, steps, done=done, shown=progress) as shown:
            try:
                # a run may have been killed after an epoch was kept and before its callbacks ended
                ended = kept is not None and kept.goes_on and _ends(callbacks, result)
                while not ended and len(result.history) < epochs:
                    result = _validated(run, _epoch(run, result, shown), good=result)
                    shown.epoch(result.history[-1])
                    if kept is not None:
                        kept.write(result)
                    ended = _ends(callbacks, result)
            except KeyboardInterrupt:
                raise Interrupted(result, checkpoint) from None
    return result


def _ends(callbacks: Sequence[AnyCallback], result: FitResult) -> bool:
    """Call them all, in order, and return whether one ends training; an error takes the result along."""
    try:
        return True in [callback(result) for callback in callbacks]
    except Exception as error:
        error.result = result  # type: ignore[attr-defined]
        error.add_note(f"fit: a callback failed; the result of {len(result.history)} epochs is the error's .result")
        raise


def _epoch(run: Run, start: FitResult, shown: Progress) -> FitResult:
    """Run one epoch; return its result, with a new record at the end of the history."""
    epoch, began = len(start.history) + 1, time.perf_counter()
    key = keys.fold(run.seed, epoch)
    step = data_parallel(
        ValueAndGrad(run.model, run.loss, outputs=True, transform=run.transform), run.workers, run.chunk
    )
    with one_blas_thread():
        result, totals = _steps(run, step, start, key, epoch, shown)
    record = {
        "epoch": epoch,
        **totals,
        "val_loss": None,
        "val_accuracy": None,
        "seconds": time.perf_counter() - began,
    }
    params, state = tree.map(_in_row_major_order, (result.params, result.state))
    return FitResult(params, state, [*start.history, record])


def _in_row_major_order(leaf: Any) -> Any:
    """Return an array as a file gives it back: the order in memory may change the last bits of a product."""
    return np.asarray(leaf, order="C") if isinstance(leaf, np.ndarray) else leaf


def _steps(
    run: Run, step: GradFunction, start: FitResult, key: keys.Key, epoch: int, shown: Progress
) -> tuple[FitResult, dict[str, float]]:
    """Take the steps of an epoch; return the parameters and the state after them, and the epoch's loss and accuracy."""
    result = good = start  # good: the last parameters that gave a finite loss
    expected = max(1.0, abs(start.history[0]["loss"])) if start.history else 0.0
    seen, weight, total, hits = 0, 0.0, 0.0, 0.0
    for i, (x, targets) in enumerate(batches(*run.data, run.batch_size, key)):
        (value, outputs), grads = step(result.params, x, targets, key=keys.fold(key, i))
        expected = expected or max(1.0, abs(value))
        if not abs(value) < EXPLODED * expected:  # not finite, too
            raise _diverged(f"epoch {epoch}, step {i + 1}: the loss is {value}", result, grads, good, run)
        good = result
        updates, state = run.optimizer.update(grads, result.state, result.params)
        result = FitResult(apply_updates(result.params, updates), state, start.history)
        batch_weight = run.loss.weight(targets)
        seen, weight, total = seen + len(x), weight + batch_weight, total + batch_weight * value
        hits += count_hits(run.loss, outputs, targets)
        shown.step(total / weight, hits / seen)
    if not _is_finite(result.params):
        raise _diverged(f"epoch {epoch}, after its last step", result, grads, good, run)
    return result, {"loss": total / weight, "accuracy": hits / seen}


def _validated(run: Run, result: FitResult, good: FitResult) -> FitResult:
    """Return the result with the validation's figures in the last record.

    The epoch's last step has no loss after it: where it exploded, the validation's loss shows it. `good` is the result
    before the epoch.
    """
    if run.validation is None:
        return result
    *before, record = result.history
    known = statistics(
        run.model, result.params, run.data[0], batch_size=run.batch_size, transform=run.transform, chunk=run.chunk
    )
    scores = evaluate(run.model, known, *run.validation, loss=run.loss, transform=run.transform, workers=run.workers)
    if not scores["loss"] < EXPLODED * max(1.0, abs(result.history[0]["loss"])):
        raise DivergenceError(
            f"epoch {record['epoch']}, after its last step: the validation loss is {scores['loss']}; "
            "try a smaller learning rate",
            good,
        )
    return result._replace(history=[*before, record | {f"val_{name}": score for name, score in scores.items()}])


def _diverged(where: str, result: FitResult, grads: Params, good: FitResult, run: Run) -> DivergenceError:
    message = describe_divergence(where, result.params, grads, run.data, run.transform)
    return DivergenceError(message, good)


def _is_finite(params: Params) -> bool:
    return all(np.isfinite(leaf).all() for leaf in tree.leaves(params))
