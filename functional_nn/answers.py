"""A classifier's answers: checked, counted, and ranked by what is most worth a look. Nothing here is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from functional_nn import losses
from functional_nn.arguments import array, count, finite
from functional_nn.loss import Loss, check_labels, check_loss

__all__ = ["Confusion", "Mistake", "confident_mistakes", "frequent_confusions", "wilson"]

SHADES = 255.0
Z = 1.959964  # the standard normal's 97.5 % quantile


class Answers(NamedTuple):
    """Labels (n,), predicted classes (n,), and the classes' names."""

    labels: np.ndarray
    predicted: np.ndarray
    names: tuple[str, ...]


class Confusion(NamedTuple):
    """So many times an example of the class `label` was taken for the class `predicted`.

    >>> (confusion,) = answers.frequent_confusions(np.array([0, 0]), np.array([1, 1]))
    >>> confusion.times
    2
    """

    label: int
    predicted: int
    times: int


class Mistake(NamedTuple):
    """The example of this number was taken for the class `predicted`, with this probability.

    >>> (mistake,) = answers.confident_mistakes(np.array([0]), np.array([[0.0, 50.0]]))
    >>> mistake.predicted
    1
    """

    example: int
    predicted: int
    probability: float


def frequent_confusions(
    labels: np.ndarray, predicted: np.ndarray, most: int = 10, *, loss: Loss | None = None
) -> list[Confusion]:
    """Return the `most` frequent confusions, the most frequent first, equals in the order of the classes.

    Arguments and errors are those of `plots.confusion`. Fewer are returned where there are no more.

    >>> answers.frequent_confusions(np.array([0, 0, 1, 2]), np.array([1, 1, 1, 0]))
    [Confusion(label=0, predicted=1, times=2), Confusion(label=2, predicted=0, times=1)]
    """
    count("frequent_confusions", "most", most)
    wrong = counts_of(answers("frequent_confusions", labels, predicted, None, loss))
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [Confusion(int(i), int(j), int(wrong[i, j])) for i, j in pairs if wrong[i, j]]


def confident_mistakes(
    labels: np.ndarray, outputs: np.ndarray, most: int = 12, *, loss: Loss | None = None
) -> list[Mistake]:
    """Return the `most` confident mistakes, in falling order of the probability of the wrong class.

    Arguments and errors are those of `plots.mistakes`. Fewer are returned where there are no more.

    >>> answers.confident_mistakes(np.array([0, 0]), np.array([[0.0, 50.0], [50.0, 0.0]]))
    [Mistake(example=0, predicted=1, probability=1.0)]
    """
    count("confident_mistakes", "most", most)
    scores = scores_of("confident_mistakes", outputs, loss)
    labels, predicted, _ = answers("confident_mistakes", labels, scores, None, None)
    confidence = np.where(predicted == labels, -1.0, scores.max(axis=1))
    order = np.argsort(-confidence, kind="stable")[:most]
    return [Mistake(int(i), int(predicted[i]), float(confidence[i])) for i in order if confidence[i] >= 0]


def wilson(share: float, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of n examples (Wilson 1927).

    It shows how much the figure would vary with another n examples, not how much it varies over seeds of training.
    Raises `ValueError` for no examples, and for a share outside 0 .. 1.

    >>> low, high = answers.wilson(0.9, 100)
    >>> round(low, 3), round(high, 3)
    (0.826, 0.945)
    """
    count("wilson", "n", n)
    if not 0.0 <= finite("wilson", "share", share) <= 1.0:
        raise ValueError(f"wilson: share is {share!r}, expected a number from 0 to 1")
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def counts_of(given: Answers) -> np.ndarray:
    """Return the numbers of examples (classes, classes) by class, a row each, and predicted class."""
    counts = np.zeros((len(given.names), len(given.names)), np.int64)
    np.add.at(counts, (given.labels, given.predicted), 1)
    return counts


def answers(
    function: str, labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str] | None, loss: Loss | None
) -> Answers:
    """Return the answers in labels (n,) and predicted classes (n,), or outputs (n, classes), whose largest wins.

    A `loss` turns outputs into scores first. Raises as `plots.confusion` does.
    """
    _check_integers(function, "labels", labels)
    array(function, "predicted", predicted)
    if loss is not None or predicted.ndim == 2:
        scores = predicted if loss is None else scores_of(function, predicted, loss)
        known, predicted = scores.shape[1], scores.argmax(axis=1)
    else:
        _check_integers(function, "predicted", predicted)
        known = 0
    if len(labels) != len(predicted) or not len(labels):
        raise ValueError(
            f"{function}: {len(labels)} labels and {len(predicted)} predictions, expected as many, and one at least"
        )
    if classes is None:
        names = tuple(map(str, range(known or 1 + int(max(labels.max(), predicted.max(), 0)))))
    else:
        names = tuple(classes)
        if isinstance(classes, str) or not all(isinstance(name, str) for name in names):
            raise TypeError(f"{function}: classes are {classes!r:.80}, expected the classes' names, or None")
    if known not in (0, len(names)):
        raise ValueError(f"{function}: outputs for {known} classes and {len(names)} names, expected as many")
    check_labels(function, labels, len(names))
    check_labels(function, predicted, len(names))
    return Answers(labels, predicted, names)


def scores_of(function: str, outputs: np.ndarray, loss: Loss | None) -> np.ndarray:
    """Return the probabilities (n, classes) of outputs under a loss, or by the softmax where there is none."""
    array(function, "outputs", outputs)
    if outputs.ndim != 2 or outputs.dtype.kind != "f" or not outputs.shape[1]:
        raise ValueError(
            f"{function}: outputs are {outputs.dtype} of shape {outputs.shape}, expected floats (n, classes)"
        )
    if loss is None:
        return losses.softmax(outputs)
    check_loss(function, loss)
    if loss.scores is None:
        raise ValueError(f"{function}: {loss!r} has no scores: give the loss of a classifier, or predicted classes")
    return loss.scores(outputs)


def images_of(function: str, images: np.ndarray, n: int) -> np.ndarray:
    """Return n images as floats from 0 to 1, (n, h, w, 3) or (n, h, w); raises as `plots.mistakes` does."""
    array(function, "images", images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) != n or 0 in images.shape:
        raise ValueError(
            f"{function}: images have shape {images.shape}, expected ({n}, height, width, 1 or 3 channels)"
        )
    if images.dtype == np.uint8:
        images = images / np.float32(SHADES)
    elif images.dtype.kind != "f" or not 0 <= images.min() <= images.max() <= 1:
        bounds = f"{images.min():.3g} to {images.max():.3g}"
        expected = "expected uint8, or floats from 0 to 1: give the images as they were before the model's transform"
        raise ValueError(f"{function}: images are {images.dtype} from {bounds}, {expected}")
    return images[..., 0] if images.shape[-1] == 1 else images


def short_names(names: Sequence[str], longest: int) -> list[str]:
    """Return the names up to the first comma where they stay different, cut to so many letters."""
    first = [name.split(",")[0].strip() for name in names]
    kept = first if len(set(first)) == len(names) else names
    return [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in kept]


def _check_integers(function: str, name: str, values: Any) -> None:
    if array(function, name, values).ndim != 1 or values.dtype.kind not in "iu":
        alternative = ", or outputs (n, classes)" if name == "predicted" else ""
        found = f"{values.dtype} of shape {values.shape}"
        raise ValueError(f"{function}: {name} are {found}, expected integers (n,){alternative}")
