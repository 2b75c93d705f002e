"""What a training run needs, from the options of the command: data, model, settings; checked before any work."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from functional_nn import data
from functional_nn.cli.networks import NETWORKS
from functional_nn.cli.run_files import RunFiles
from functional_nn.cli.run_record import RunRecord
from functional_nn.cli.settings import Settings, chosen_settings, colourless
from functional_nn.cli.source import splits_of
from functional_nn.data import BatchTransform, Splits
from functional_nn.data.splits import by_class
from functional_nn.layer import Layer, Params
from functional_nn.training.checks import check_fit, check_run
from functional_nn.training.run import Run as FitRun

__all__ = ["Run", "prepared"]

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
    processes: int
    record: RunRecord


def prepared(options: argparse.Namespace, files: RunFiles) -> Run:
    """Return the run of these options. Raises `ValueError` or `TypeError` for data and settings that do not fit."""
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
    standardize = data.standardize(splits.train[0])
    run = Run(model, params, splits, settings, standardize, files, options.workers, options.processes, record)
    _check(run)
    return run


def _in_fewest_channels(splits: Splits) -> Splits:
    """Return the splits with one channel where all images are grey: files are decoded to three."""
    if splits.train[0].shape[-1] != 3 or not all(colourless(images) for _, (images, _) in splits.items()):
        return splits
    train, val, test = ((np.ascontiguousarray(images[..., :1]), labels) for _, (images, labels) in splits.items())
    return Splits(train, val, test, splits.classes, f"{splits.description}, all of them grey")


def _with_validation(place: str, splits: Splits, seed: int) -> Splits:
    """Return the splits with validation images, held out from those for training where there are none."""
    if len(splits.val[0]):
        return splits
    images, labels = splits.train
    train, val, _ = by_class(place, labels, val=HELD_OUT, test=0.0, key=seed)
    return replace(splits, train=(images[train], labels[train]), val=(images[val], labels[val]))


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
        settings.chunk,
        settings.seed,
    )
    check_run(arguments, settings.epochs)
    check_fit(arguments, run.params)
