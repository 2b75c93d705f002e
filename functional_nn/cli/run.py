"""A training run, from the data to the network's file and its page."""

from __future__ import annotations

import argparse
import platform
from dataclasses import asdict, replace
from typing import Any

import numpy as np

import functional_nn
from functional_nn import tree
from functional_nn.cli.fitted import fitted
from functional_nn.cli.networks import NETWORKS
from functional_nn.cli.page import write_page
from functional_nn.cli.prepared import Run, prepared
from functional_nn.cli.run_files import RunFiles
from functional_nn.cli.scores import scores_of
from functional_nn.cli.seen import picture_digests
from functional_nn.cli.streams import say
from functional_nn.result import FitResult
from functional_nn.saving import save
from functional_nn.trained import Trained

__all__ = ["train"]


def train(options: argparse.Namespace, files: RunFiles, *, goes_on: bool) -> None:
    """Train on the data of the options, write the network and its page, and say what was done."""
    try:
        run = prepared(options, files)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(files.how_to_go_on()) from None
    say(run.splits.description)
    say(f"{run.settings.model}: {tree.size(run.params):,} parameters; {run.settings}")
    try:
        result, best = fitted(run, goes_on=goes_on, force=options.force)
        _kept(run, result, best)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(files.how_to_go_on(run.settings.epochs)) from None
    files.begin_anew()


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
    say(f"best epoch: {record['epoch']} of {len(result.history)}, {figures}")
    say(f"test: {scores}" if scores else "test: there are no test images")
    say(f"{files.net}: the network; functional-nn classify {files.net} FILE...")
    missing = write_page(files.page, files.net.name, network, run.splits.test, outputs, scores)
    say(f"{files.page}: its page, {missing or 'with its learning curves and mistakes'}")


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
