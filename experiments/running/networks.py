"""The networks that a command trained, as files of `fnn.save` in the folder `networks` of its `--out`.

Such a file is an `fnn.Trained`: it knows the names of its classes, and its `about` tells the command, the data, the
seed and the accuracies. The folder `runs` beside it is the store from which an interrupted command goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.running.outcome import Outcome
from experiments.running.store import file_stem
from functional_nn.anatomy import leaf_layers, leaf_params

FOLDER = "networks"
TIMES = ("seconds", "epoch_seconds")  # differ from run to run, and a file should not


def write_networks(
    options: argparse.Namespace,
    description: str,
    classes: tuple[str, ...],
    outcomes: Mapping[str, Outcome],
    *,
    constructors: str | None = None,
) -> str:
    """Write the networks of these outcomes by name, and return where they are and how to use one.

    `description` is that of the data. `constructors` is the module whose `CONSTRUCTORS` loading them needs. Outcomes
    without a network are left out. Raises `OSError`, which names the file, where one cannot be written.
    """
    folder = options.out / FOLDER
    folder.mkdir(exist_ok=True)
    head = {"command": options.command, "data": description}
    written = {}
    for name, outcome in outcomes.items():
        if outcome.network is not None:
            file = folder / f"{file_stem(name)}.npz"
            written[file] = _named(outcome.network, classes, head | _figures(outcome.record))
            fnn.save(file, written[file])
    return _usage(folder, written, constructors)


def of_every_seed(outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, Outcome]:
    """Return all outcomes, which are grouped by row, under the name of the row and the seed."""
    return {f"{row}, seed {outcome.record['seed']}": outcome for row, of_row in outcomes.items() for outcome in of_row}


def of_best_seed(outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, Outcome]:
    """Return of each row the outcome with the best accuracy on validation data, the first of equal ones."""
    return {row: max(of_row, key=lambda outcome: outcome.record["val"]) for row, of_row in outcomes.items()}


def first_weights(network: fnn.Trained) -> np.ndarray:
    """Return the weights of the first layer that has some, frozen ones included."""
    leaves = leaf_layers(network.model, network.input_shape)
    return next(params["w"] for leaf in leaves if "w" in (params := leaf_params(leaf, network.params)))


def _named(network: fnn.Trained, classes: tuple[str, ...], about: dict[str, Any]) -> fnn.Trained:
    """Return the network with the names of its outputs; the data may name more classes than their labels use."""
    (outputs,) = network.model.output_shape(network.input_shape)
    with np.errstate(over="ignore", invalid="ignore"):  # one that diverged is kept too
        return replace(network, classes=classes[:outputs], about=about)


def _figures(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if isinstance(value, str | int | float) and key not in TIMES}


def _usage(folder: Path, written: dict[Path, fnn.Trained], constructors: str | None) -> str:
    classifiers = [file for file, network in written.items() if network.classes and len(network.input_shape) == 3]
    file = [*classifiers, *written][0]
    own = ", constructors=CONSTRUCTORS" if constructors else ""
    shape = ", ".join(map(str, ("n", *written[file].input_shape)))
    use = "classify(['image.png'])" if classifiers else f"predict(x)  # x ({shape})"
    head = f"the trained network{'s'[: len(written) > 1]} ({len(written)}): {folder}"
    lines = [f"{head}; to use {'one' if len(written) > 1 else 'it'} in Python:", "  import functional_nn as fnn"]
    lines += [f"  from {constructors} import CONSTRUCTORS"] if constructors else []
    return "\n".join([*lines, f"  fnn.load({str(file)!r}{own}).{use}"])
