"""Losses of classes, from logits z (n, classes) and labels or rows of probabilities t; the mean over the batch.

softmax_cross_entropy   -sum_k t_k log p_k, p = softmax(z); derivative p - t (Bridle 1990)
cross_entropy           the same with smoothed labels and weights of classes
kl_divergence           sum_k t_k log(t_k / p_k); derivative p - t (Kullback and Leibler 1951)
sigmoid_cross_entropy   -(t log s + (1 - t) log(1 - s)), s = sigmoid(z), mean over the outputs; derivative s - t
hinge                   sum over k other than the label of max(0, margin - z_label + z_k), over the number of classes
                        (Weston and Watkins 1999, eq. 5)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from functional_nn.arguments import array, fraction, optional, positive
from functional_nn.loss import Loss, LossPullback, as_labels, as_rows, check_labels
from functional_nn.value import constant, constructor


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return exp(z_k) / sum_j exp(z_j) along the last axis; the maximum is subtracted first, so nothing overflows.

    Raises `TypeError` for what is no array.

    >>> losses.softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    array("softmax", "logits", logits)
    exps = np.exp(logits - logits.max(axis=-1, keepdims=True))
    exps /= exps.sum(axis=-1, keepdims=True)
    return exps


def labels_hit(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return for each row (n,) whether the largest output is the label, or the largest target where rows are given.

    >>> losses.labels_hit(np.array([[0.1, 2.0], [3.0, 0.0]]), np.array([1, 1]))
    array([ True, False])
    """
    for name, rows in (("outputs", outputs), ("targets", targets)):
        array("labels_hit", name, rows)
    if outputs.ndim == 0 or outputs.shape[:1] != targets.shape[:1]:
        raise ValueError(f"labels_hit: targets {targets.shape} for outputs {outputs.shape}, expected as many")
    labels = targets if targets.ndim == 1 else targets.argmax(axis=-1)
    return np.asarray(outputs.argmax(axis=-1) == labels)


def sides_hit(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return for each row (n,) whether all its outputs are above 0 exactly where the targets are above 1/2."""
    right = (outputs > 0.0) == (targets > 0.5)
    return np.asarray(right.reshape(len(right), -1).all(axis=1))


def _class_weights(constructor: str, name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, tuple | list | np.ndarray) or not len(value):
        raise ValueError(f"{constructor}: {name} is {value!r}, expected finite numbers above 0, one a class")
    return tuple(positive(constructor, name, weight) for weight in value)


@constant
def softmax_cross_entropy() -> Loss:
    """The cross-entropy -sum_k t_k log p_k, p = softmax(outputs), of labels (n,) or rows (n, classes) of t.

    >>> value, pullback = losses.softmax_cross_entropy.vjp(np.zeros((1, 4)), np.array([2]))
    >>> round(value, 4)  # log 4
    1.3863
    >>> pullback(1.0)  # p - t
    array([[ 0.25,  0.25, -0.75,  0.25]])
    """

    def each(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        shifted, _, total = _log_partition(outputs)
        if targets.ndim != 1 or targets.dtype.kind not in "iu":
            rows = checked_rows(outputs, targets)
            return np.asarray(-np.sum(rows * (shifted - np.log(total)), axis=1, dtype=np.float64))
        at = (np.arange(len(outputs)), as_labels("softmax_cross_entropy", outputs, targets))
        return np.log(total)[:, 0] - shifted[at]

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        n = len(outputs)
        if targets.ndim != 1 or targets.dtype.kind not in "iu":
            return _rows_cross_entropy(outputs, checked_rows(outputs, targets), n)
        at = (np.arange(n), as_labels("softmax_cross_entropy", outputs, targets))
        shifted, exps, total = _log_partition(outputs)

        def pullback(dvalue: float) -> np.ndarray:
            scale = float(dvalue) / n
            doutputs = exps * (scale / total)
            doutputs[at] -= scale
            return doutputs

        return -_total(shifted[at] - np.log(total)[:, 0]) / n, pullback

    def checked_rows(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        _check_classes("softmax_cross_entropy", outputs)
        return as_rows("softmax_cross_entropy", outputs, targets, "one-dimensional integer labels or ")

    return Loss("softmax_cross_entropy", vjp=vjp, each=each, hits=labels_hit, scores=softmax)


@constructor(label_smoothing=fraction, class_weights=optional(_class_weights))
def cross_entropy(label_smoothing: float = 0.0, class_weights: tuple[float, ...] | None = None) -> Loss:
    """Return the softmax cross-entropy of labels (n,), smoothed and weighted.

    With e = `label_smoothing`, t_k = (1 - e) [k is the label] + e / classes (Szegedy et al. 2016, section 7). With
    `class_weights` w, one a class, the value is -sum over n, k of w_k t_k log p_k / sum over n of w_label: the mean
    weighted by each label's weight, in chunks and batches too. Raises `ValueError` for a smoothing outside [0, 1) or
    weights that are not finite numbers above 0.

    >>> loss = losses.cross_entropy(class_weights=(1.0, 3.0))
    >>> outputs, labels = np.array([[2.0, 0.0], [2.0, 0.0]]), np.array([0, 1])
    >>> round(loss.apply(outputs, labels), 4)  # (0.1269 + 3 * 2.1269) / (1 + 3)
    1.6269
    """

    def weight(labels: np.ndarray) -> float:
        if class_weights is None:
            return len(labels)
        check_labels("cross_entropy", labels, len(class_weights))
        return float(np.asarray(class_weights)[labels].sum())

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        labels = as_labels("cross_entropy", outputs, targets)
        n, classes = outputs.shape
        if class_weights is not None and len(class_weights) != classes:
            raise ValueError(f"cross_entropy: {len(class_weights)} class_weights for {classes} classes")
        rows = np.full_like(outputs, label_smoothing / classes)
        rows[np.arange(n), labels] += 1.0 - label_smoothing
        if class_weights is not None:
            rows *= np.asarray(class_weights, outputs.dtype)
        return _rows_cross_entropy(outputs, rows, weight(labels))

    weigh = len if class_weights is None else weight
    return Loss("cross_entropy", vjp=vjp, hits=labels_hit, weight=weigh, scores=softmax)


@constant
def kl_divergence() -> Loss:
    """The Kullback-Leibler divergence sum_k t_k log(t_k / p_k), p = softmax(outputs), of rows t of probabilities.

    >>> round(losses.kl_divergence.apply(np.zeros((1, 2)), np.array([[1.0, 0.0]])), 4)
    0.6931
    >>> losses.kl_divergence.apply(np.zeros((1, 2)), np.array([[0.5, 0.5]]))
    0.0
    """

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        _check_classes("kl_divergence", outputs)
        rows, n = as_rows("kl_divergence", outputs, targets), len(outputs)
        if (rows < 0.0).any():
            remedy = "expected probabilities: rows that are not negative"
            raise ValueError(f"kl_divergence: a target is {rows.min()}, {remedy}")
        entropy = -_total(rows * np.log(np.where(rows > 0.0, rows, 1.0))) / n  # 0 log 0 is 0
        value, pullback = _rows_cross_entropy(outputs, rows, n)
        return value - entropy, pullback

    return Loss("kl_divergence", vjp=vjp, hits=labels_hit, scores=softmax)


@constant
def sigmoid_cross_entropy() -> Loss:
    """-(t log s + (1 - t) log(1 - s)), s = sigmoid(outputs), for targets of the outputs' shape: several yes or no.

    The mean over all outputs of all examples.

    >>> loss = losses.sigmoid_cross_entropy
    >>> outputs, targets = np.array([[0.0, 1000.0]]), np.array([[1.0, 1.0]])
    >>> round(loss.apply(outputs, targets), 4)  # the mean of log 2 and 0
    0.3466
    """

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        rows = as_rows("sigmoid_cross_entropy", outputs, targets)
        if (rows < 0.0).any() or (rows > 1.0).any():
            raise ValueError("sigmoid_cross_entropy: targets must be probabilities, numbers from 0 to 1")
        small = np.exp(-np.abs(outputs))

        def pullback(dvalue: float) -> np.ndarray:
            doutputs = np.where(outputs >= 0.0, 1.0, small) / (1.0 + small)
            doutputs -= rows
            doutputs *= float(dvalue) / outputs.size
            return doutputs

        # log(1 + exp(z)) - z t, with nothing that overflows
        terms = np.maximum(outputs, 0.0) - outputs * rows + np.log1p(small)
        return _total(terms) / outputs.size, pullback

    return Loss("sigmoid_cross_entropy", vjp=vjp, hits=sides_hit)


@constructor(margin=positive)
def hinge(margin: float = 1.0) -> Loss:
    """Return the hinge loss of labels (n,): every other class is to stay `margin` below the label's.

    At a kink, margin - z_label + z_k = 0, the derivative is 0. Raises `ValueError` for a margin that is not above 0.

    >>> losses.hinge().apply(np.array([[3.0, 2.5]]), np.array([0]))  # 0.5 too close, over 2 classes
    0.25
    """

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        at = (np.arange(len(outputs)), as_labels("hinge", outputs, targets))
        with np.errstate(over="ignore"):
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

    return Loss("hinge", vjp=vjp, hits=labels_hit)


def _check_classes(loss: str, outputs: np.ndarray) -> None:
    if outputs.ndim != 2:
        raise ValueError(f"{loss}: outputs have shape {outputs.shape}, expected (n, classes)")


def _log_partition(outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the shifted logits, their exponentials and the exponentials' sums (n, 1): log p = shifted - log(sums)."""
    with np.errstate(over="ignore"):  # what is that far below the largest has probability 0
        shifted = outputs - np.maximum.reduce(outputs, axis=-1, keepdims=True)
    exps = np.exp(shifted)
    return shifted, exps, np.add.reduce(exps, axis=-1, keepdims=True)


def _total(terms: np.ndarray) -> float:
    return float(np.add.reduce(terms, axis=None, dtype=np.float64))


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
