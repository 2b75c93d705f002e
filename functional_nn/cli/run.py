"""A training run, from the data to the network's file and its page."""

from __future__ import annotations

import argparse
import platform
import re
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

import functional_nn
from functional_nn import data, tree
from functional_nn.cli.networks import NETWORKS
from functional_nn.cli.page import write_page
from functional_nn.cli.run_files import RunFiles
from functional_nn.cli.run_record import RunRecord
from functional_nn.cli.scores import scores_of
from functional_nn.cli.seen import picture_digests
from functional_nn.cli.settings import Settings, chosen_settings, colourless
from functional_nn.cli.source import splits_of
from functional_nn.data import BatchTransform, Splits
from functional_nn.data.splits import by_class
from functional_nn.files import exists
from functional_nn.layer import Layer, Params
from functional_nn.result import FitResult
from functional_nn.saving import load, save
from functional_nn.trained import Trained
from functional_nn.training import DivergenceError, callbacks, fit
from functional_nn.training.checks import check_fit, check_run
from functional_nn.training.run import Run as FitRun

__all__ = ["train"]

LIBRARY_ADVICE = re.compile("[.;] [Tt]ry a smaller learning rate")  # for programs; the command has its own
HELD_OUT = 0.1  # of each class, where the source has no validation split


class Run(NamedTuple):
    """What a run trains, on what, and where it is kept."""

    model: Layer
    params: Params
    splits: Splits
    settings: Settings
    standardize: BatchTransform
    files: RunFiles
    workers: int | None
    record: RunRecord


def train(options: argparse.Namespace, files: RunFiles, *, goes_on: bool) -> None:
    """Train on the data of the options, write the network and its page, and say what was done."""
    try:
        run = _prepared(options, files)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(files)) from None
    _say(run.splits.description)
    _say(f"{run.settings.model}: {tree.size(run.params):,} parameters; {run.settings}")
    try:
        result, best = _trained(run, goes_on=goes_on, force=options.force)
        _kept(run, result, best)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(files, run.settings.epochs)) from None
    files.begin_anew()


def _prepared(options: argparse.Namespace, files: RunFiles) -> Run:
    splits = splits_of(options.data, options.size, options.cache)
    if not len(splits.train[0]):
        raise ValueError(f"{options.data}: there are no training images")
    splits = _with_validation(options.data, _in_fewest_channels(splits), options.seed)
    settings = chosen_settings(options, splits)
    network, shape = NETWORKS[settings.model], splits.train[0].shape[1:]
    network.check(settings.model, len(splits.classes), shape)
    model = network.made(len(splits.classes))
    params = model.init(np.random.default_rng(settings.seed), shape)
    record = RunRecord.of(settings, options.size, splits)
    run = Run(model, params, splits, settings, data.standardize(splits.train[0]), files, options.workers, record)
    _check(run)
    return run


def _in_fewest_channels(splits: Splits) -> Splits:
    """Return the splits with one channel where all images are grey: files are decoded to three."""
    if splits.train[0].shape[-1] != 3 or not all(colourless(images) for _, (images, _) in splits.items()):
        return splits
    train, val, test = ((np.ascontiguousarray(images[..., :1]), labels) for _, (images, labels) in splits.items())
    return Splits(train, val, test, splits.classes, f"{splits.description}, all of them grey")


def _check(run: Run) -> None:
    """Raise what training would raise at once for options that do not fit, before any file is removed."""
    settings, splits = run.settings, run.splits
    arguments = FitRun(
        run.model,
        splits.train,
        splits.val,
        NETWORKS[settings.model].loss,
        settings.optimizer(len(splits.train[0])),
        settings.batch_size,
        settings.augmented(run.standardize),
        run.workers,
        chunk=None,
        seed=settings.seed,
    )
    check_run(arguments, settings.epochs)
    check_fit(arguments, run.params)


def _with_validation(place: str, splits: Splits, seed: int) -> Splits:
    """Return the splits with validation images, held out from those for training where there are none."""
    if len(splits.val[0]):
        return splits
    images, labels = splits.train
    train, val, _ = by_class(place, labels, val=HELD_OUT, test=0.0, key=seed)
    return replace(splits, train=(images[train], labels[train]), val=(images[val], labels[val]))


def _trained(run: Run, *, goes_on: bool, force: bool) -> tuple[FitResult, FitResult]:
    """Return the result of training, and that of its best epoch."""
    files, settings = run.files, run.settings
    if not (goes_on and _found(run, force=force)):
        files.begin_anew()
    best = callbacks.keep_best("val_loss", files.best)
    stop = [callbacks.early_stopping(settings.patience)] if settings.patience else []
    record = callbacks.Callback(lambda _: run.record.write(files.record))  # beside the first checkpoint, not before it
    try:
        return _fit(run, settings.epochs, [record, best, *stop]), best.result
    except DivergenceError as error:
        anew = " and --force, since the epochs before are kept" if files.checkpoint.exists() else ""
        what = LIBRARY_ADVICE.split(str(error))[0]
        raise DivergenceError(f"{what}: give a smaller --learning-rate{anew}", error.result) from error


def _found(run: Run, *, force: bool) -> bool:
    """Return whether the checkpoint is of this run. Raise `ValueError` for another one, unless it may be replaced."""
    file = run.files.checkpoint
    try:
        done = _done(run.files)
        _compare(run)
        _fit(run, done, [])  # compares and trains nothing
    except ValueError as error:
        if not force:
            raise _refusal(run.files, error) from error
        _say(f"beginning anew: {file} cannot be gone on from")
        return False
    _say(f"going on after {done} of {run.settings.epochs} epochs, kept in {file}")
    if done > 1 and not exists(run.files.best):
        _say(f"{run.files.best} is missing: the best epoch is sought from epoch {done} on")
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


def _fit(run: Run, epochs: int, callback: list[callbacks.Callback | callbacks.KeepBest]) -> FitResult:
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
        callback=callback,
        checkpoint=run.files.checkpoint,
    )


def _kept(run: Run, result: FitResult, best: FitResult) -> None:
    """Write the network and its page."""
    files, record = run.files, best.history[-1]
    network = _network(run, result, best)
    images, labels = run.splits.test
    outputs = network.predict(images)
    scores = scores_of(network, labels, outputs) if len(images) else None
    network = replace(network, about=network.about | {"test": scores.plain() if scores else {}})
    save(files.net, network)
    figures = f"validation loss {record['val_loss']:.4g}, accuracy {record['val_accuracy']:.1%}"
    _say(f"best epoch: {record['epoch']} of {len(result.history)}, {figures}")
    _say(f"test: {scores}" if scores else "test: there are no test images")
    _say(f"{files.net}: the network; functional-nn classify {files.net} FILE...")
    missing = write_page(files.page, files.net.name, network, run.splits.test, outputs, scores)
    _say(f"{files.page}: its page, {missing or 'with its learning curves and mistakes'}")


def _network(run: Run, result: FitResult, best: FitResult) -> Trained:
    about: dict[str, Any] = {
        "data": run.splits.description,
        "settings": asdict(run.settings),
        "epochs": len(result.history),
        "best_epoch": len(best.history),
        "validation": {key: best.history[-1][f"val_{key}"] for key in ("loss", "accuracy")},
        "history": result.history,
        "seen": picture_digests(run.splits.train[0], run.splits.val[0]),
        "versions": {
            "functional_nn": functional_nn.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
    return Trained(
        run.model,
        best.params,
        run.splits.train[0].shape[1:],
        transform=run.standardize,
        classes=run.splits.classes,
        loss=NETWORKS[run.settings.model].loss,
        about=about,
    )


def _how_to_go_on(files: RunFiles, epochs: int | None = None) -> str:
    """Return what an interrupt leaves: the file tells, which may lack the epoch that was being kept."""
    if not files.checkpoint.exists():
        return "no epoch had ended; the same command begins again"
    total = "" if epochs is None else f" of {epochs}"
    return f"{_done(files)}{total} epochs are kept in {files.checkpoint}; the same command goes on from there"


def _done(files: RunFiles) -> int:
    """Return how many epochs the checkpoint holds."""
    kept = load(files.checkpoint)
    if not isinstance(kept, FitResult):
        raise ValueError(f"{files.checkpoint}: holds a {type(kept).__name__}, expected the checkpoint of a run")
    return len(kept.history)


def _say(line: str) -> None:
    print(line, flush=True)
