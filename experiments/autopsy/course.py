"""One run: a network with defects is trained, and after every epoch its gradient is compared with the true one.

The true gradient is the right network's at the same parameters on the same batch, which is drawn from the training set
by the seed. `fnn.fit` would cut batches into chunks; here they stay whole, because defect 8 mixes a batch's images.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

import functional_nn as fnn
from experiments.autopsy.defects import DEFECTS, loss_with_defects, with_defects
from experiments.autopsy.defects.centring import centred_by
from experiments.autopsy.variants import Budget, Variant
from experiments.running.outcome import Outcome
from experiments.running.splits import PARTS, Splits, count_classes
from functional_nn import data, keys, losses, optim, tree


@dataclass(frozen=True)
class Subject:
    """A variant ready for training: its model and loss, the right model, and the preparation of each split's images."""

    model: fnn.Layer
    loss: losses.Loss
    right: fnn.Layer
    prepare: dict[str, data.BatchTransform]


def train_variant(
    variant: Variant, budget: Budget, seed: int, splits: Splits, *, threads: int, progress: bool
) -> Outcome:
    """Train a variant and return its record; the test split is read once, at the end.

    - "history" has an entry an epoch: "loss" (by the variant's own loss) and "accuracy";
    - "gradients" has one an epoch and one before the first (see `compared`);
    - "diverged" is the epoch in which the loss or a parameter became infinite or NaN, or None; the accuracies are then
      those of the last finite parameters;
    - "test_loss" is by the right loss.

    The network prepares images as those of the training set are prepared.
    """
    subject = prepared(variant, splits)
    images, labels = splits["train"]
    probe = next(data.batches(images, labels, min(budget.batch_size, len(images)), keys.fold(seed, 0)))
    probe = (subject.prepare["train"](probe[0]), probe[1])
    optimizer = variant.network.optimizer(budget.rate, weight_decay=variant.network.weight_decay)
    params = subject.model.init(np.random.default_rng(seed), images.shape[1:])
    state, history, diverged = optimizer.init(params), [], None
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows ends in "diverged"
        gradients = [compared(subject, params, *probe)]
        for epoch in tqdm(range(1, budget.epochs + 1), unit="epoch", disable=None if progress else True):
            params, state, entry = _epoch(subject, optimizer, params, state, splits, budget, keys.fold(seed, epoch))
            if entry is None:
                diverged = epoch
                break
            history.append(entry)
            gradients.append(compared(subject, params, *probe))
        scores = _scores(subject, params, splits)
        network = fnn.Trained(
            subject.model, params, images.shape[1:], transform=subject.prepare["train"], loss=subject.loss
        )
    record = {"model": variant.network.name, "role": variant.role, "seed": seed, "diverged": diverged, **scores}
    return Outcome(record | {"history": history, "gradients": gradients}, network=network)


def prepared(variant: Variant, splits: Splits) -> Subject:
    """Return the variant's model, loss and preparation of images, together with the right model."""
    right = variant.network.model(classes=count_classes(splits))
    own_means = any(DEFECTS[name].own_means for name in variant.defects)
    train = splits["train"][0]
    prepare = {part: centred_by(splits[part][0] if own_means else train, train) for part in PARTS}
    return Subject(with_defects(right, variant.defects), loss_with_defects(variant.defects), right, prepare)


def compared(subject: Subject, params: Any, x: np.ndarray, labels: np.ndarray) -> dict[str, Any] | None:
    """Return the angle and distance of the subject's gradient to the true one at `params`; None unless both are finite.

    - "cosine": of the angle between the whole gradients;
    - "cosines": the same by layer;
    - "errors": by layer, the size of the difference divided by that of the true gradient.

    The cosine of a gradient that is zero counts as 0.
    """
    _, own = fnn.value_and_grad(subject.model, subject.loss)(params, x, labels)
    _, true = fnn.value_and_grad(subject.right, losses.softmax_cross_entropy)(params, x, labels)
    pairs = {name: (_flat(own[name]), _flat(true[name])) for name in params}
    whole = _flat(own), _flat(true)
    if not all(np.isfinite(vector).all() for vector in whole):
        return None
    return {
        "cosine": _cosine(*whole),
        "cosines": {name: _cosine(*pair) for name, pair in pairs.items()},
        "errors": {name: _error(*pair) for name, pair in pairs.items()},
    }


def _epoch(
    subject: Subject,
    optimizer: optim.Transform,
    params: Any,
    state: Any,
    splits: Splits,
    budget: Budget,
    key: keys.Key,
) -> tuple[Any, Any, dict[str, Any] | None]:
    """Return parameters and state after an epoch and its entry, or the last finite parameters and None."""
    step = fnn.value_and_grad(subject.model, subject.loss, outputs=True)
    began, total, hits, seen = perf_counter(), 0.0, 0, 0
    for images, labels in data.batches(*splits["train"], budget.batch_size, key):
        (value, outputs), grads = step(params, subject.prepare["train"](images), labels)
        updates, state = optimizer.update(grads, state, params)
        moved = optim.apply_updates(params, updates)
        if not np.isfinite(value) or not all(np.isfinite(leaf).all() for leaf in tree.leaves(moved)):
            return params, state, None
        params, seen, total = moved, seen + len(images), total + len(images) * value
        hits += int(losses.labels_hit(outputs, labels).sum())
    return params, state, {"loss": total / seen, "accuracy": hits / seen, "seconds": perf_counter() - began}


def _scores(subject: Subject, params: Any, splits: Splits) -> dict[str, Any]:
    """Return the accuracies of each split and the right loss on test images.

    "test_alone" is the accuracy where each test image is centred by itself, as a split of one image would be.
    "test_changed" is the share of test images that the variant's preparation and the right one classify differently.
    """
    train = splits["train"][0]
    right = centred_by(train, train)
    outputs = {
        part: fnn.predict(subject.model, params, splits[part][0], transform=subject.prepare[part], workers=1)
        for part in PARTS
    }
    images, labels = splits["test"]
    one_by_one = fnn.predict(subject.model, params, images, transform=lambda x, key: _centred(right(x)), workers=1)
    rightly = fnn.predict(subject.model, params, images, transform=right, workers=1)
    hits = {part: float(losses.labels_hit(outputs[part], splits[part][1]).mean()) for part in PARTS}
    return hits | {
        "test_loss": _finite(losses.softmax_cross_entropy.apply(outputs["test"], labels)),
        "test_alone": float(losses.labels_hit(one_by_one, labels).mean()),
        "test_changed": float((rightly.argmax(axis=1) != outputs["test"].argmax(axis=1)).mean()),
    }


def _centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=(1, 2), keepdims=True)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _flat(grads: Any) -> np.ndarray:
    return np.concatenate([leaf.ravel() for leaf in tree.leaves(grads)]).astype(np.float64)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    sizes = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / sizes if sizes else 0.0


def _error(own: np.ndarray, true: np.ndarray) -> float | None:
    size = float(np.linalg.norm(true))
    return float(np.linalg.norm(own - true)) / size if size else None
