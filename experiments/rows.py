"""The report's rows: which network each one is, how it is trained, and one run of it.

The settings are common values for Adam, the same for all LeNets; they were not searched for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

import functional_nn as fnn
from functional_nn import data, layers, losses, models, optim

Splits = dict[str, tuple[np.ndarray, np.ndarray]]
LOSS = losses.softmax_cross_entropy


@dataclass(frozen=True)
class Row:
    """One row of the report's tables.

    - `build(classes)`: the network; `frozen`: the convolutions keep their random start (the rows without "grad").
    - `learning_rate`, `weight_decay`: of Adam under a cosine schedule; `epochs`, `batch_size`; `shift`: the largest
      random shift in pixels. Colour images are flipped at random as well.
    """

    name: str
    title: str
    build: Callable[[int], fnn.Layer]
    learning_rate: float
    epochs: int
    weight_decay: float = 0.0
    batch_size: int = 128
    shift: int = 2
    frozen: bool = False


def _perceptron(activation: fnn.Layer) -> Callable[[int], fnn.Layer]:
    return lambda classes: models.two_layer_perceptron(64, classes, activation)


NETWORKS = (
    Row("perceptron_sigmoid", "two-layer perceptron, sigmoid", _perceptron(layers.sigmoid), 1e-3, 60, 0.1),
    Row("perceptron_own", "two-layer perceptron, own activation", _perceptron(layers.asinh_unit), 1e-3, 60, 0.1),
    Row("lenet5", "LeNet-5, random convolutions", models.lenet5, 3e-3, 30, frozen=True),
    Row("lenet5_grad", "LeNet-5", models.lenet5, 3e-3, 30),
    Row("improved", "improved LeNet-5, random convolutions", models.improved_lenet5, 3e-3, 30, frozen=True),
    Row("improved_grad", "improved LeNet-5", models.improved_lenet5, 3e-3, 30),
)
PERCEPTRON = "sklearn_perceptron"


def run_network(
    row: Row, splits: Splits, *, seed: int, epochs: int | None = None, workers: int | None = None, progress: bool = True
) -> dict[str, Any]:
    """Train one row and return its record; the test images are read once, at the end."""
    images, labels = splits["train"]
    model = row.build(count_classes(splits))
    params = model.init(np.random.default_rng(seed), images.shape[1:])
    if row.frozen:
        convolutions = {name: params.pop(name) for name, part in model.parts if part.name == "conv2d"}
        model = fnn.bind(model, convolutions)
    epochs = epochs or row.epochs
    steps = epochs * -(-len(images) // row.batch_size)
    schedule = optim.cosine(row.learning_rate, steps, warmup=min(steps - 1, steps // 20))
    standardize = data.standardize(images)
    result = fnn.fit(
        model,
        params,
        (images, labels),
        loss=LOSS,
        optimizer=optim.adam(schedule, weight_decay=row.weight_decay),
        epochs=epochs,
        batch_size=row.batch_size,
        seed=seed,
        validation=splits["val"],
        transform=data.compose(*_augmentation(images, row.shift), standardize),
        workers=workers,
        progress=progress,
    )
    accuracy = {
        part: fnn.evaluate(model, result.params, *split, loss=LOSS, transform=standardize, workers=workers)["accuracy"]
        for part, split in splits.items()
    }
    seconds = float(np.median([record["seconds"] for record in result.history]))
    return {"model": row.name, **accuracy, "epoch_seconds": seconds, "history": result.history}


def run_perceptron(splits: Splits, *, seed: int, workers: int | None = None) -> dict[str, Any]:
    """Train scikit-learn's one-layer Perceptron, max_iter=2000 with its default stop, and return its record."""
    from sklearn.linear_model import Perceptron

    standardize = data.standardize(splits["train"][0])
    inputs = {part: standardize(images).reshape(len(images), -1) for part, (images, _) in splits.items()}
    perceptron = Perceptron(max_iter=2000, random_state=seed, n_jobs=workers or -1)
    began = perf_counter()
    perceptron.fit(inputs["train"], splits["train"][1])
    seconds = (perf_counter() - began) / perceptron.n_iter_
    accuracy = {part: float(perceptron.score(inputs[part], labels)) for part, (_, labels) in splits.items()}
    return {"model": PERCEPTRON, **accuracy, "epoch_seconds": seconds, "history": [], "epochs": perceptron.n_iter_}


def count_classes(splits: Splits) -> int:
    """Return the number of classes, the largest label of any split and one."""
    return 1 + max(int(labels.max()) for _, labels in splits.values())


def _augmentation(images: np.ndarray, shift: int) -> list[data.Transform]:
    """Return shifts, and flips for colour images: a flipped digit is another sign."""
    return [data.random_shift(shift)] if images.shape[-1] == 1 else [data.random_flip(), data.random_shift(shift)]
