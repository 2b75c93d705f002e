"""A training run, from the data to the network's file and its page."""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

import functional_nn
from functional_nn import data, tree
from functional_nn.cli.networks import NETWORKS
from functional_nn.cli.page import write_page
from functional_nn.cli.run_files import RunFiles
from functional_nn.cli.scores import Scores, scores_of
from functional_nn.cli.settings import Settings, chosen_settings
from functional_nn.data import Splits
from functional_nn.data.splits import by_class
from functional_nn.layer import Layer
from functional_nn.result import FitResult
from functional_nn.saving import load, save
from functional_nn.trained import Trained
from functional_nn.training import DivergenceError, Interrupted, callbacks, fit

__all__ = ["train"]

HELD_OUT = 0.1  # of each class, where the source has no validation split


def train(options: argparse.Namespace, files: RunFiles, *, goes_on: bool) -> None:
    """Train on the data of the options, write the network and its page, and say what was done."""
    splits = _with_validation(data.load(options.data, options.size, options.cache), options.seed)
    run = _Run(splits, chosen_settings(options, splits), files, options.workers)
    _say(splits.description)
    _say(f"{run.settings.model}: {tree.size(run.params):,} parameters; {run.settings}")
    if goes_on:
        goes_on = run.resumed(force=options.force)
    if not goes_on:
        files.begin_anew()
    network, scores, history = run.trained()
    save(files.net, network)
    _say(_outcome(network, scores))
    _say(f"{files.net}: the network; classify pictures with: functional-nn classify {files.net} FILE...")
    _say(_paged(files, network, splits, scores, history))
    files.begin_anew()


@dataclass(frozen=True)
class _Run:
    """What a run trains, and where it keeps it."""

    splits: Splits
    settings: Settings
    files: RunFiles
    workers: int | None
