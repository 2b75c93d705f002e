"""Losses of classes, from logits z (n, classes) and labels or rows of probabilities t; the mean over the batch.

softmax_cross_entropy   -sum_k t_k log p_k, p = softmax(z); derivative p - t (Bridle 1990)
cross_entropy           the same with smoothed labels and weights of classes
kl_divergence           sum_k t_k log(t_k / p_k); derivative p - t (Kullback and Leibler 1951)
sigmoid_cross_entropy   -(t log s + (1 - t) log(1 - s)), s = sigmoid(z), mean over the outputs; derivative s - t
hinge                   sum over k other than the label of max(0, margin - z_label + z_k), over the number of classes
                        (Weston and Watkins 1999, eq. 5)
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from functional_nn.losses._loss import Loss, LossPullback, as_labels, as_rows, check_labels, check_outputs, loss_of

LABELS_OR = "one-dimensional integer labels or "


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return exp(z_k) / sum_j exp(z_j) along the last axis; the maximum is subtracted first, so nothing overflows."""
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    exps /= exps.sum(axis=-1, keepdims=True)
    return exps


def labels_hit(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return for each row (n,) whether the largest output is the label, or the largest target where rows are given."""
    labels = targets if targets.ndim == 1 else targets.argmax(axis=-1)
    return np.asarray(outputs.argmax(axis=-1) == labels)


def _log_partition(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the shifted logits, their exponentials and the exponentials' sums (n, 1): log p = shifted - log(sums)."""
    shifted = outputs - np.maximum.reduce(outputs, axis=-1, keepdims=True)
    exps = np.exp(shifted)
    return shifted, exps, np.add.reduce(exps, axis=-1, keepdims=True)


def _total(terms: np.ndarray) -> float:
    return float(np.add.reduce(terms, axis=None, dtype=np.float64))


def _softmax_cross_entropy(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
    name, n = "softmax_cross_entropy", len(outputs)
    check_outputs(name, outputs)
    if targets.ndim != 1 or targets.dtype.kind not in "iu":
        return _rows_cross_entropy(outputs, as_rows(name, outputs, targets, LABELS_OR), n)
    at = (np.arange(n), as_labels(name, outputs, targets))
    shifted, exps, total = _log_partition(outputs)
    value = -_total(shifted[at] - np.log(total)[:, 0]) / n

    def pullback(dvalue: float) -> np.ndarray:
        scale = float(dvalue) / n
        doutputs = exps * (scale / total)
        doutputs[at] -= scale
        return doutputs

    return value, pullback


def _rows_cross_entropy(outputs: np.ndarray, rows: np.ndarray, weight: float) -> tuple[float, LossPullback]:
    """-sum of t log p over `weight`; rows of t need not sum to one, so the derivative is (sum_k t_k) p - t."""
    shifted, exps, total = _log_partition(outputs)
    value = -_total(rows * (shifted - np.log(total))) / weight

    def pullback(dvalue: float) -> np.ndarray:
        doutputs = exps * (rows.sum(axis=-1, keepdims=True) / total)
        doutputs -= rows
        doutputs *= float(dvalue) / weight
        return doutputs

    return value, pullback


def cross_entropy(label_smoothing: float = 0.0, class_weights: tuple[float, ...] | None = None) -> Loss:
    """Return the softmax cross-entropy of labels (n,), smoothed and weighted.

    With e = `label_smoothing`, t_k = (1 - e) [k is the label] + e / classes (Szegedy et al. 2016, section 7). With
    `class_weights` w, one a class, the value is -sum over n, k of w_k t_k log p_k / sum over n of w_label: the mean
    weighted by each label's weight, in chunks and batches too. Raises `ValueError` for a smoothing outside [0, 1) or
    weights that are not finite numbers above 0.
    """
    if not 0.0 <= label_smoothing < 1.0:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing!r}, expected 0 <= label_smoothing < 1")
    weights = None if class_weights is None else tuple(float(w) for w in class_weights)
    if weights is not None and not (weights and all(0.0 < w < math.inf for w in weights)):
        raise ValueError(f"cross_entropy: class_weights are {class_weights!r}, expected finite numbers above 0")
    weight = len if weights is None else partial(_labels_weight, class_weights=weights)
    config = {"label_smoothing": label_smoothing, "class_weights": weights}
    return loss_of("cross_entropy", _cross_entropy, labels_hit, weight, **config)


def _cross_entropy(
    outputs: np.ndarray, targets: np.ndarray, *, label_smoothing: float, class_weights: tuple[float, ...] | None
) -> tuple[float, LossPullback]:
    check_outputs("cross_entropy", outputs)
    labels = as_labels("cross_entropy", outputs, targets)
    n, classes = outputs.shape
    if class_weights is not None and len(class_weights) != classes:
        raise ValueError(f"cross_entropy: {len(class_weights)} class_weights for {classes} classes")
    rows = np.full_like(outputs, label_smoothing / classes)
    rows[np.arange(n), labels] += 1.0 - label_smoothing
    if class_weights is None:
        return _rows_cross_entropy(outputs, rows, n)
    rows *= np.asarray(class_weights, outputs.dtype)
    return _rows_cross_entropy(outputs, rows, _labels_weight(labels, class_weights=class_weights))


def _labels_weight(targets: np.ndarray, *, class_weights: tuple[float, ...]) -> float:
    check_labels("cross_entropy", targets, len(class_weights))
    return float(np.asarray(class_weights)[targets].sum())


def _kl_divergence(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
    check_outputs("kl_divergence", outputs)
    rows, n = as_rows("kl_divergence", outputs, targets), len(outputs)
    if (rows < 0.0).any():
        raise ValueError(f"kl_divergence: a target is {rows.min()}, expected probabilities: rows that are not negative")
    entropy = -_total(rows * np.log(np.where(rows > 0.0, rows, 1.0))) / n  # 0 log 0 is 0
    value, pullback = _rows_cross_entropy(outputs, rows, n)
    return value - entropy, pullback


def _sigmoid_cross_entropy(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
    check_outputs("sigmoid_cross_entropy", outputs)
    rows = as_rows("sigmoid_cross_entropy", outputs, targets)
    if (rows < 0.0).any() or (rows > 1.0).any():
        raise ValueError("sigmoid_cross_entropy: targets must be probabilities, numbers from 0 to 1")
    small = np.exp(-np.abs(outputs))
    # log(1 + exp(z)) - z t, with nothing that overflows
    value = _total(np.maximum(outputs, 0.0) - outputs * rows + np.log1p(small)) / outputs.size

    def pullback(dvalue: float) -> np.ndarray:
        doutputs = np.where(outputs >= 0.0, 1.0, small) / (1.0 + small)
        doutputs -= rows
        doutputs *= float(dvalue) / outputs.size
        return doutputs

    return value, pullback


def sides_hit(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return for each row (n,) whether all its outputs are above 0 exactly where the targets are above 1/2."""
    right = (outputs > 0.0) == (targets > 0.5)
    return np.asarray(right.reshape(len(right), -1).all(axis=1))


def hinge(margin: float = 1.0) -> Loss:
    """Return the hinge loss of labels (n,): every other class is to stay `margin` below the label's.

    At a kink, margin - z_label + z_k = 0, the derivative is 0. Raises `ValueError` for a margin that is not above 0.
    """
    if not 0.0 < margin < math.inf:
        raise ValueError(f"hinge: margin is {margin!r}, expected a finite number above 0")
    return loss_of("hinge", _hinge, labels_hit, margin=margin)


def _hinge(outputs: np.ndarray, targets: np.ndarray, *, margin: float) -> tuple[float, LossPullback]:
    check_outputs("hinge", outputs)
    at = (np.arange(len(outputs)), as_labels("hinge", outputs, targets))
    short = outputs - outputs[at][:, np.newaxis]
    short += margin
    short[at] = 0.0
    over = short > 0.0

    def pullback(dvalue: float) -> np.ndarray:
        doutputs = over.astype(outputs.dtype)
        doutputs[at] = -over.sum(axis=1)
        doutputs *= float(dvalue) / outputs.size
        return doutputs

    return _total(np.maximum(short, 0.0)) / outputs.size, pullback


softmax_cross_entropy = loss_of("softmax_cross_entropy", _softmax_cross_entropy, labels_hit)
kl_divergence = loss_of("kl_divergence", _kl_divergence, labels_hit)
sigmoid_cross_entropy = loss_of("sigmoid_cross_entropy", _sigmoid_cross_entropy, sides_hit)
