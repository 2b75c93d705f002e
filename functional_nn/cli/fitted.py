"""Train, from the start or from the checkpoint, on threads or on several processes."""

from __future__ import annotations

import re
from contextlib import nullcontext

from functional_nn.cli.networks import NETWORKS
from functional_nn.cli.prepared import Run
from functional_nn.cli.run_files import RunFiles
from functional_nn.cli.run_record import RunRecord
from functional_nn.cli.streams import say
from functional_nn.files import exists
from functional_nn.parallel import Comm, RankError, processes
from functional_nn.parallel.binary_tree import own_leaves
from functional_nn.result import FitResult
from functional_nn.training import DivergenceError, callbacks, fit
from functional_nn.training.chunks import training_chunk_size

__all__ = ["fitted"]

Callbacks = list[callbacks.Callback | callbacks.KeepBest]
LIBRARY_ADVICE = re.compile("[.;] [Tt]ry a smaller learning rate")  # for programs; the command has its own


def fitted(run: Run, *, goes_on: bool, force: bool) -> tuple[FitResult, FitResult]:
    """Return the result of training, and that of its best epoch."""
    files, settings = run.files, run.settings
    _tell_of_idle_processes(run)
    if not (goes_on and _found(run, force=force)):
        files.begin_anew()
    best = callbacks.keep_best("val_loss", files.best)
    stop = [callbacks.early_stopping(settings.patience)] if settings.patience else []
    record = callbacks.Callback(lambda _: run.record.write(files.record))  # beside the first checkpoint, not before it
    try:
        with processes(run.processes) if run.processes > 1 else nullcontext() as comm:
            return _fit(run, settings.epochs, [record, best, *stop], comm), best.result
    except RankError as error:
        raise RankError(f"{error}; {files.how_to_go_on(settings.epochs)}") from error
    except DivergenceError as error:
        anew = " and --force, since the epochs before are kept" if files.checkpoint.exists() else ""
        what = LIBRARY_ADVICE.split(str(error))[0]
        raise DivergenceError(f"{what}: give a smaller --learning-rate{anew}", error.result) from error


def _tell_of_idle_processes(run: Run) -> None:
    """Say where a batch has fewer chunks than there are processes."""
    n, batch_size = run.processes, run.settings.batch_size
    shape = run.splits.train[0].shape[1:]
    chunk = run.settings.chunk or training_chunk_size(run.model, run.params, batch_size, shape)
    chunks = -(-batch_size // chunk)
    idle = sum(not own_leaves(chunks, rank, n) for rank in range(n))
    if not idle:
        return
    if chunks == 1:
        state, further = "is not cut, so that only the validation is shared out", ""
    else:
        without = "1 process has" if idle == 1 else f"{idle} processes have"
        state, further = f"is cut into {chunks} chunks, so that {without} no part in it", " further"
    smaller = max(1, batch_size // n)
    remedy = f": give --chunk {smaller} to cut it{further}" if smaller < chunk else ""
    say(f"--processes {n}: a batch of {batch_size} {state}{remedy}")


def _found(run: Run, *, force: bool) -> bool:
    """Return whether the checkpoint is of this run. Raise `ValueError` for another one, unless it may be replaced."""
    file = run.files.checkpoint
    try:
        done = run.files.epochs_kept()
        _compare(run)
        _fit(run, done, [])  # compares and trains nothing
    except ValueError as error:
        if not force:
            raise _refusal(run.files, error) from error
        say(f"beginning anew: {file} cannot be gone on from")
        return False
    say(f"going on after {done} of {run.settings.epochs} epochs, kept in {file}")
    if done > 1 and not exists(run.files.best):
        say(f"{run.files.best} is missing: the best epoch is sought from epoch {done} on")
    return True


def _compare(run: Run) -> None:
    """Raise `ValueError`, which names the options, where the checkpoint is of others. `fit` compares the rest."""
    kept = RunRecord.read(run.files.record)
    lines = [] if kept is None else list(run.record.differences(kept))
    if lines:
        raise ValueError("\n".join(lines))


def _refusal(files: RunFiles, error: ValueError) -> ValueError:
    differences = [line for line in str(error).splitlines() if line.startswith("  ")]
    if not differences:  # the file is damaged
        return ValueError(f"{error}\ngive --force to begin anew, or another --out")
    what = "\n".join([f"{files.checkpoint}: this is the checkpoint of another run:", *differences])
    return ValueError(f"{what}\ngive the options of that run to go on, --force to begin anew, or another --out")


def _fit(run: Run, epochs: int, callback: Callbacks, comm: Comm = None) -> FitResult:
    settings = run.settings
    return fit(
        run.model,
        run.params,
        run.splits.train,
        loss=NETWORKS[settings.model].loss,
        optimizer=settings.optimizer(len(run.splits.train[0])),
        epochs=epochs,
        batch_size=settings.batch_size,
        seed=settings.seed,
        validation=run.splits.val,
        transform=settings.augmented(run.standardize),
        workers=run.workers,
        chunk=settings.chunk,
        comm=comm,
        callback=callback,
        checkpoint=run.files.checkpoint,
    )
