"""Training: a pure function of the parameters, the data and a seed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial

import numpy as np

from functional_nn import keys, tree
from functional_nn.blas import one_blas_thread
from functional_nn.data.batching import shuffled
from functional_nn.layer import Layer, Params
from functional_nn.loss import Loss
from functional_nn.optim import Transform, apply_updates
from functional_nn.parallel import ALONE, Comm, Processes, Ranks, alike, check_comm, together
from functional_nn.result import FitResult, in_row_major_order
from functional_nn.training.batch_statistics import needs_statistics, with_statistics
from functional_nn.training.checkpoint import Checkpoint
from functional_nn.training.checks import describe_divergence
from functional_nn.training.evaluation import as_it_is, predicted, scored
from functional_nn.training.grad import BatchTransform, ValueAndGrad
from functional_nn.training.mean import Batch
from functional_nn.training.parallel_grad import DataParallel
from functional_nn.training.progress import Progress, progress_of
from functional_nn.training.run import AnyCallback, Data, OneOrMoreCallbacks, Run
from functional_nn.training.start import Start, agreed_seconds, began

__all__ = ["DivergenceError", "Interrupted", "fit"]

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
    comm: Comm = None,
    progress: bool = True,
    callback: OneOrMoreCallbacks = None,
    resume: FitResult | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> FitResult:
    """Train for `epochs` passes over `data = (x, targets)`, in batches drawn anew from `seed` for each epoch.

    The result follows from the arguments alone, bit for bit, whatever `workers` is (None: all cores) and `comm`.
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

    `comm` is what `with fnn.processes(n) as comm` gives, or an mpi4py communicator: its ranks share out the chunks of
    each batch and of the validation, `workers` are those of each rank, and each gets the result. The ranks of MPI all
    call `fit` with the same arguments. Each reads the images of its own chunks, so the data may be a memory map (the
    first reads all once, for a checkpoint). The first alone shows progress and writes files. Callbacks run on all, and
    one that returns True ends training for all. What one rank alone raises, Ctrl-C too, is printed and ends all.

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
    check_comm("fit", comm)
    prepare = as_it_is if transform is None else transform
    run = Run(model, data, validation, loss, optimizer, batch_size, prepare, workers, chunk, seed)
    start = partial(began, run, epochs, params, resume, checkpoint, callback)
    if isinstance(comm, Processes):
        whole = start(ALONE)
        with comm.beside(_follow, run, epochs, whole.result, whole.goes_on) as ranks:
            return _trained(run, epochs, whole, ranks, shown=progress)
    with together(comm, _follow) as ranks:
        return _trained(run, epochs, start(ranks), ranks, shown=progress)


def _follow(ranks: Ranks, run: Run, epochs: int, result: FitResult, goes_on: bool) -> None:
    """Train beside the process that called `fit`, which alone has callbacks, a checkpoint and progress to show."""
    _trained(run, epochs, Start(result, goes_on), ranks, shown=False)


def _trained(run: Run, epochs: int, start: Start, ranks: Ranks, *, shown: bool) -> FitResult:
    result, done, steps = start.result, len(start.result.history), -(-len(run.data[0]) // run.batch_size)
    with (
        np.errstate(over="ignore", invalid="ignore"),  # what overflows ends in a DivergenceError
        progress_of(epochs, steps, done=done, shown=shown and ranks.rank == 0) as progress,
    ):
        try:
            # a run may have been killed after an epoch was kept and before its callbacks ended
            ended = start.goes_on and _ended(start.callbacks, result, ranks)
            while not ended and len(result.history) < epochs:
                result = _validated(run, _epoch(run, result, progress, ranks), good=result, ranks=ranks)
                progress.epoch(result.history[-1])
                ended = _ended(start.callbacks, result, ranks, start.kept)
        except KeyboardInterrupt:
            raise Interrupted(result, start.kept and start.kept.path) from None
    return result


def _ended(callbacks: Sequence[AnyCallback], result: FitResult, ranks: Ranks, kept: Checkpoint | None = None) -> bool:
    """Keep the result and call all callbacks, in order; return whether one ends training, on whatever rank."""

    def here() -> bool:
        if kept is not None and ranks.rank == 0:
            kept.write(result)
        return _ends(callbacks, result)

    return any(ranks.agreed(here))


def _ends(callbacks: Sequence[AnyCallback], result: FitResult) -> bool:
    """Call them all, in order, and return whether one ends training; an error takes the result along."""
    try:
        return True in [callback(result) for callback in callbacks]
    except Exception as error:
        error.result = result  # type: ignore[attr-defined]
        error.add_note(f"fit: a callback failed; the result of {len(result.history)} epochs is the error's .result")
        raise


def _epoch(run: Run, start: FitResult, progress: Progress, ranks: Ranks) -> FitResult:
    """Run one epoch; return its result, with a new record at the end of the history."""
    epoch, begin = len(start.history) + 1, time.perf_counter()
    key = keys.fold(run.seed, epoch)
    grad_fn = ValueAndGrad(run.model, run.loss, outputs=True, transform=run.transform)
    step = DataParallel(grad_fn, run.workers, run.chunk)
    with one_blas_thread():
        result, totals = _steps(run, step, start, key, epoch, progress, ranks)
    seconds = agreed_seconds(ranks, time.perf_counter() - begin, result)
    record = {"epoch": epoch, **totals, "val_loss": None, "val_accuracy": None, "seconds": seconds}
    return in_row_major_order(result._replace(history=[*start.history, record]))


def _steps(
    run: Run, step: DataParallel, start: FitResult, key: keys.Key, epoch: int, progress: Progress, ranks: Ranks
) -> tuple[FitResult, dict[str, float]]:
    """Take the steps of an epoch; return the parameters and the state after them, and the epoch's loss and accuracy."""
    result = good = start  # good: the last parameters that gave a finite loss
    expected = max(1.0, abs(start.history[0]["loss"])) if start.history else 0.0
    seen, weight, total, hits = 0, 0.0, 0.0, 0.0
    for i, chosen in enumerate(shuffled(len(run.data[0]), run.batch_size, key)):
        mean = step.mean(result.params, Batch(*run.data, chosen), keys.fold(key, i), ranks)
        expected = expected or max(1.0, abs(mean.value))
        if not abs(mean.value) < EXPLODED * expected:  # not finite, too
            raise _diverged(f"epoch {epoch}, step {i + 1}: the loss is {mean.value}", result, mean.grads, good, run)
        good = result
        updates, state = run.optimizer.update(mean.grads, result.state, result.params)
        result = FitResult(apply_updates(result.params, updates), state, start.history)
        seen, weight, total = seen + len(chosen), weight + mean.weight, total + mean.weight * mean.value
        hits += mean.hits
        progress.step(total / weight, hits / seen)
    if not _is_finite(result.params):
        raise _diverged(f"epoch {epoch}, after its last step", result, mean.grads, good, run)
    return result, {"loss": total / weight, "accuracy": hits / seen}


def _validated(run: Run, result: FitResult, good: FitResult, ranks: Ranks) -> FitResult:
    """Return the result with the validation's figures in the last record.

    The epoch's last step has no loss after it: where it exploded, the validation's loss shows it. `good` is the result
    before the epoch.
    """
    if run.validation is None:
        return result
    *before, record = result.history
    x, targets = run.validation
    params = result.params
    if needs_statistics(run.model):
        step = min(run.batch_size, run.chunk or run.batch_size)
        params = with_statistics(run.model, params, run.data[0], step, run.transform, ranks)
    scores = scored(run.loss, predicted(run.model, params, x, run.transform, run.workers, ranks), targets)
    if not scores["loss"] < EXPLODED * max(1.0, abs(result.history[0]["loss"])):
        what = f"epoch {record['epoch']}, after its last step: the validation loss is {scores['loss']}"
        raise alike(DivergenceError(f"{what}; try a smaller learning rate", good))
    return result._replace(history=[*before, record | {f"val_{name}": score for name, score in scores.items()}])


def _diverged(where: str, result: FitResult, grads: Params, good: FitResult, run: Run) -> Exception:
    message = describe_divergence(where, result.params, grads, run.data, run.transform)
    return alike(DivergenceError(message, good))


def _is_finite(params: Params) -> bool:
    return all(np.isfinite(leaf).all() for leaf in tree.leaves(params))
