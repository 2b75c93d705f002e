"""One run: a row is trained from one seed; its record holds the accuracies and the course of training."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

import functional_nn as fnn
from experiments.running.outcome import Outcome
from experiments.running.row import Row, Settings
from experiments.running.splits import PARTS, Splits, count_classes, parts_of
from functional_nn import data, optim

PERCEPTRON_EPOCHS = 2000
KERNEL_AXES = 4  # of a convolution's weights


@dataclass(frozen=True)
class TrainedRow:
    """A row's network after training.

    - `network`: without the names of the classes;
    - `history`: an entry an epoch;
    - `parameters`: how many there are, frozen ones included.
    """

    network: fnn.Trained
    history: list[dict[str, Any]]
    parameters: int


def train_and_test(
    row: Row, seed: int, pixels: Splits, features: Splits | None, *, threads: int, progress: bool
) -> Outcome:
    """Return `run_row` on the splits that the row takes."""
    return run_row(row, splits_of(row, pixels, features), seed=seed, threads=threads, progress=progress)


def splits_of(row: Row, pixels: Splits, features: Splits | None) -> Splits:
    """Return what `row` is trained on: `features` where it takes these and there are some, else `pixels`."""
    return features if row.on_features and features is not None else pixels


def run_row(row: Row, splits: Splits, *, seed: int, threads: int | None = None, progress: bool = False) -> Outcome:
    """Train a row and return its outcome; the test split is read once, at the end.

    - `record`: "model", "seed", accuracies "train", "val", "test" (of the splits that there are), "epoch_seconds",
      "epochs", "history", "parameters";
    - `arrays`: "test_outputs" (n, classes);
    - `network`: None for scikit-learn's.
    """
    if row.network is None:
        return _run_perceptron(row, splits, seed=seed, threads=threads)
    trained = train(row, splits, seed=seed, threads=threads, progress=progress)
    sign = -1.0 if row.smallest_wins else 1.0
    network = trained.network
    outputs = {
        part: sign
        * fnn.predict(network.model, network.params, splits[part][0], transform=network.transform, workers=threads)
        for part in parts_of(splits)
    }
    history = trained.history
    record = {
        "model": row.name,
        "seed": seed,
        **{part: float((outputs[part].argmax(axis=1) == splits[part][1]).mean()) for part in outputs},
        "epoch_seconds": float(np.median([entry["seconds"] for entry in history])),
        "epochs": len(history),
        "parameters": trained.parameters,
        "history": history,
    }
    return Outcome(record, {"test_outputs": outputs["test"]}, network)


def train(
    row: Row, splits: Splits, *, seed: int, threads: int | None = None, progress: bool = False, validate: bool = True
) -> TrainedRow:
    """Train a row's network on "train"; after each epoch evaluate it on "val", where there is one, if `validate`.

    No other split is read.
    """
    inputs, labels = splits["train"]
    settings = row.settings
    model = row.network(classes=count_classes(splits))
    params = model.init(np.random.default_rng(seed), inputs.shape[1:])
    parameters = fnn.tree.size(params)
    if row.frozen:
        frozen = {name: params.pop(name) for name in list(params) if params[name]["w"].ndim == KERNEL_AXES}
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
        validation=splits.get("val") if validate else None,
        transform=data.chain(*_augmentation(inputs, settings), standardize),
        workers=threads,
        progress=progress,
    )
    params = result.state[-1].average if settings.average else result.params
    network = fnn.Trained(model, params, inputs.shape[1:], transform=standardize, loss=row.loss)
    return TrainedRow(network, result.history, parameters)


def standardized(inputs: np.ndarray, settings: Settings | None) -> data.BatchTransform:
    """Return the transform that brings inputs to the mean and the deviation, or the range, that `settings` ask for."""
    standardize = data.standardize(inputs)
    if settings is None or settings.unit_variance:
        return standardize
    mean, scale = standardize.call.arguments["mean"], 255.0 if inputs.dtype == np.uint8 else 1.0
    return data.standardize_by(mean, (scale,) * len(mean))


def _optimizer(settings: Settings, steps_an_epoch: int) -> optim.Transform:
    rate = settings.learning_rate
    if settings.cosine:
        steps = settings.epochs * steps_an_epoch
        rate = optim.cosine(rate, steps, warmup=min(steps - 1, steps // 20))
    optimizer = settings.optimizer(rate, weight_decay=settings.weight_decay)
    return optim.chain(optimizer, optim.parameter_average(settings.average)) if settings.average else optimizer


def _augmentation(inputs: np.ndarray, settings: Settings) -> list[Any]:
    done = settings.applied(inputs.shape[1:])
    flip = [data.random_flip()] if done.flip else []
    if done.rotation or done.scale:
        return [*flip, data.random_affine(done.rotation, done.scale, done.shift)]
    return flip + ([data.random_shift(done.shift)] if done.shift else [])


def _run_perceptron(row: Row, splits: Splits, *, seed: int, threads: int | None) -> Outcome:
    """Train scikit-learn's one-layer Perceptron for at most 2000 epochs, with its default criterion to stop."""
    from sklearn.linear_model import Perceptron

    standardize = standardized(splits["train"][0], None)
    inputs = {part: standardize(splits[part][0]).reshape(len(splits[part][0]), -1) for part in PARTS}
    perceptron = Perceptron(max_iter=PERCEPTRON_EPOCHS, random_state=seed, n_jobs=threads or -1)
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
    return Outcome(record, {"test_outputs": perceptron.decision_function(inputs["test"]).astype(np.float32)})
