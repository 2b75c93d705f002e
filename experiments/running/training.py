"""One run: a row trained from one seed, and its record."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.running.row import Row, Settings
from experiments.running.store import Outcome
from functional_nn import data, optim

Splits = dict[str, tuple[np.ndarray, np.ndarray]]
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Trained:
    """A network after training, with what it needs to take raw inputs."""

    model: fnn.Layer
    first_weights: np.ndarray
    parameters: int
    result: fnn.train.FitResult
    transform: data.Standardize


def run_row(row: Row, splits: Splits, *, seed: int, threads: int | None = None, progress: bool = False) -> Outcome:
    """Train a row and return its outcome; the test split is read once, at the end.

    - `record`: "model", "seed", accuracies "train", "val", "test", "epoch_seconds", "epochs", "history", "parameters";
    - `arrays`: "test_outputs" (n, classes) and "first_weights", those of the first layer.
    """
    if row.network is None:
        return _run_perceptron(row, splits, seed=seed, threads=threads)
    trained = train(row, splits, seed=seed, threads=threads, progress=progress)
    model, params = trained.model, trained.result.params
    sign = -1.0 if row.smallest_wins else 1.0
    outputs = {
        part: sign * fnn.predict(model, params, splits[part][0], transform=trained.transform, workers=threads)
        for part in PARTS
    }
    history = trained.result.history
    record = {
        "model": row.name,
        "seed": seed,
        **{part: float((outputs[part].argmax(axis=1) == splits[part][1]).mean()) for part in PARTS},
        "epoch_seconds": float(np.median([entry["seconds"] for entry in history])),
        "epochs": len(history),
        "parameters": trained.parameters,
        "history": history,
    }
    return Outcome(record, {"test_outputs": outputs["test"], "first_weights": trained.first_weights})


def train(
    row: Row, splits: Splits, *, seed: int, threads: int | None = None, progress: bool = False, validate: bool = True
) -> Trained:
    """Train a row's network on the "train" split, watching "val" where it is to validate; nothing else is read."""
    inputs, labels = splits["train"]
    settings = row.settings
    model = row.network(classes=count_classes(splits))
    params = model.init(np.random.default_rng(seed), inputs.shape[1:])
    parameters, first = fnn.tree.size(params), next(name for name, _ in model.parts if name in params)
    frozen = {}
    if row.frozen:
        frozen = {name: params.pop(name) for name, part in model.parts if part.name == "conv2d"}
        model = fnn.bind(model, frozen)
    standardize = standardized(inputs, settings)
    result = fnn.fit(
        model,
        params,
        (inputs, labels),
        loss=row.loss,
        optimizer=_optimizer(settings, -(-len(inputs) // settings.batch_size)),
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        seed=seed,
        validation=splits["val"] if validate else None,
        transform=data.compose(*_augmentation(inputs, settings), standardize),
        workers=threads,
        progress=progress,
    )
    first_weights = (frozen | result.params)[first]["w"]
    return Trained(model, first_weights, parameters, result, standardize)


def standardized(inputs: np.ndarray, settings: Settings | None) -> data.Standardize:
    """Return the transform of inputs by the training set's statistics."""
    standardize = data.standardize(inputs)
    if settings is None or settings.unit_variance:
        return standardize
    scale = 255.0 if inputs.dtype == np.uint8 else 1.0
    return data.Standardize(standardize.mean, (scale,) * len(standardize.mean))


def count_classes(splits: Splits) -> int:
    """Return the number of classes, the largest label of any split and one."""
    return 1 + max(int(labels.max()) for _, labels in splits.values())


def _optimizer(settings: Settings, steps_an_epoch: int) -> optim.Transform:
    rate = settings.learning_rate
    if settings.cosine:
        steps = settings.epochs * steps_an_epoch
        rate = optim.cosine(rate, steps, warmup=min(steps - 1, steps // 20))
    return settings.optimizer(rate, weight_decay=settings.weight_decay)


def _augmentation(inputs: np.ndarray, settings: Settings) -> list[Any]:
    if inputs.ndim != 4:
        return []
    flip = [data.random_flip()] if settings.flip and inputs.shape[-1] > 1 else []
    return flip + ([data.random_shift(settings.shift)] if settings.shift else [])


def _run_perceptron(row: Row, splits: Splits, *, seed: int, threads: int | None) -> Outcome:
    """Train scikit-learn's one-layer Perceptron, max_iter=2000 with its default stop."""
    from sklearn.linear_model import Perceptron

    standardize = standardized(splits["train"][0], None)
    inputs = {part: standardize(splits[part][0]).reshape(len(splits[part][0]), -1) for part in PARTS}
    perceptron = Perceptron(max_iter=2000, random_state=seed, n_jobs=threads or -1)
    began = perf_counter()
    perceptron.fit(inputs["train"], splits["train"][1])
    seconds = (perf_counter() - began) / perceptron.n_iter_
    record = {
        "model": row.name,
        "seed": seed,
        **{part: float(perceptron.score(inputs[part], splits[part][1])) for part in PARTS},
        "epoch_seconds": seconds,
        "epochs": int(perceptron.n_iter_),
        "parameters": int(perceptron.coef_.size + perceptron.intercept_.size),
        "history": [],
    }
    outputs = perceptron.decision_function(inputs["test"]).astype(np.float32)
    return Outcome(record, {"test_outputs": outputs, "first_weights": perceptron.coef_.T.astype(np.float32)})
