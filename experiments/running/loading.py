"""The data that a command's options name, and the head of the results that follow from them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from experiments.running.machine import environment
from experiments.running.options import InputError, seeds
from experiments.running.splits import Splits
from functional_nn import data


def load_splits(options: argparse.Namespace, size: int = 32) -> tuple[str, Splits, tuple[str, ...]]:
    """Return a description of the data at `--data`, its splits with images of size x size, and its classes' names.

    Images of 32x32 are kept in the file `--cache`, where that is given. Raises `InputError` for data that cannot be
    used.
    """
    try:
        splits = data.load(options.data, size, cache=options.cache if size == 32 else None)
    except ValueError as error:
        raise InputError(str(error)) from error
    return splits.description, dict(splits.items()), splits.classes


def fingerprint(options: argparse.Namespace, size: int = 32) -> str:
    """Return what the splits at `--data` follow from; raises as `load_splits` does."""
    try:
        return data.fingerprint(options.data, size)
    except ValueError as error:
        raise InputError(str(error)) from error


def run_configuration(options: argparse.Namespace, description: str) -> dict[str, Any]:
    """Return the head of results.json: data, options, seeds, versions, commit and machine."""
    return {
        "data": description,
        "source": fingerprint(options),
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()},
        "seeds": seeds(options),
        **environment(),
    }
