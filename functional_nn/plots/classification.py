"""What a classifier gets wrong: its confusions and its most confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from functional_nn.answers import (
    answers,
    confident_mistakes,
    counts_of,
    frequent_confusions,
    images_of,
    short_names,
)
from functional_nn.arguments import count
from functional_nn.loss import Loss
from functional_nn.plots.canvas import (
    LETTER_INCHES,
    Axes,
    Line,
    axes_of,
    draw_sheet,
    font_scale,
    inches_of,
    rcParams,
    shades,
    text_on,
)

__all__ = ["confusion", "confusions", "mistakes"]

FEW = 12  # classes, up to which there is room for the counts
CELL, NARROW = 0.42, 0.145  # inches of a class in the matrix, and of one of many
LONGEST = 24  # letters of a name beside the matrix
LABELLED = 150  # classes, up to which each is named
FREQUENT, EXAMPLES = 10, 6  # confusions, and images of each
COLUMNS, ACROSS = 4, 18  # mistakes side by side, and the letters above an image


def confusion(
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str] | None = None,
    *,
    loss: Loss | None = None,
    by_recall: bool | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the confusion matrix: a line a class, with the shares of its examples by predicted class.

    `labels` are (n,), `predicted` are classes (n,) or outputs (n, classes), of which the largest wins, or by `loss`'s
    `scores` where one is given. Beside each class stands its recall: the share of its examples that are right. With
    `by_recall`, the default for more than 12 classes, the class with the highest recall comes first; otherwise the
    classes keep their order. Up to 12 classes the cells show counts. The shade follows the square root of the share, so
    that rare confusions show. Raises `ValueError` for shapes, labels and names that do not fit, `TypeError` for what is
    no array.

    >>> from functional_nn import plots
    >>> axes = plots.confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), ["cat", "dog"])
    >>> axes.get_title(), [label.get_text() for label in axes.get_yticklabels()]
    ('66.7% of 3 examples are right', ['cat   50%', 'dog  100%'])
    """
    given = answers("confusion", labels, predicted, classes, loss)
    counts = counts_of(given)
    totals = counts.sum(axis=1)
    recalls = counts.diagonal() / np.maximum(totals, 1)
    few = len(counts) <= FEW
    order = np.arange(len(counts))
    if by_recall or (by_recall is None and not few):
        order = np.argsort(np.where(totals, -recalls, 1.0), kind="stable")  # classes without examples last
    names = short_names(given.names, LONGEST)
    ax = _matrix_axes(ax, len(order), max(map(len, names)))
    _draw_matrix(ax, counts[np.ix_(order, order)], with_counts=few)
    shown = [f"{recalls[i]:.0%}" if totals[i] else "none" for i in order]
    _name_classes(ax, [names[i] for i in order], shown)
    ax.set_title(f"{np.mean(given.labels == given.predicted):.1%} of {len(given.labels):,} examples are right")
    return ax


def _matrix_axes(ax: Axes | None, classes: int, letters: int) -> Axes:
    scale = font_scale()
    side = max(2.4, CELL * classes if classes <= FEW else NARROW * min(classes, LABELLED))
    beside = 0.7 + LETTER_INCHES * letters
    return axes_of("confusion", ax, scale * (side + beside + 0.9), scale * (side + beside))


def _draw_matrix(ax: Axes, counts: np.ndarray, with_counts: bool) -> None:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    depths = np.sqrt(shares)
    cmap = shades(ax)
    image = ax.imshow(depths, cmap=cmap, vmin=0, vmax=1, aspect="equal")
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.7, pad=0.02)
    ticks = (0.0, 0.05, 0.25, 0.5, 1.0)
    bar.set_ticks(list(np.sqrt(ticks)), labels=[f"{tick:.0%}" for tick in ticks])
    bar.set_label("share of the class's examples")
    for i, j in zip(*np.nonzero(counts), strict=True) if with_counts else ():
        ax.text(
            j, i, f"{counts[i, j]:,}", ha="center", va="center", fontsize="small", color=text_on(cmap(depths[i, j]))
        )


def _name_classes(ax: Axes, names: list[str], recalls: list[str]) -> None:
    """Name the classes along both axes, with their recalls along the vertical one."""
    step = -(-len(names) // LABELLED)
    places = range(0, len(names), step)
    font = min(rcParams["font.size"] * (0.9 if len(names) <= FEW else 0.75), 72 * 0.85 * inches_of(ax)[1] / len(places))
    upright = max(map(len, names)) <= 2
    ax.set_xticks(places, names[::step], rotation=0 if upright else 90, fontsize=font)
    lines = [f"{name}  {recall:>4}" for name, recall in zip(names, recalls, strict=True)]
    ax.set_yticks(places, lines[::step], fontsize=font)
    ax.set(xlabel="predicted class", ylabel="class and its recall")
    ax.tick_params(length=2)
    if len(names) > FEW:  # lines to follow from a cell to the names
        ax.grid(alpha=0.3, linewidth=0.4)


def confusions(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    classes: Sequence[str] | None = None,
    *,
    most: int = FREQUENT,
    examples: int = EXAMPLES,
    loss: Loss | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the most frequent confusions: a line each, with images of the one class that were taken for the other.

    `images` are those of `mistakes`, the other arguments and the errors those of `confusion`. A line shows `examples`
    images, the first ones.

    >>> from functional_nn import plots
    >>> images, labels, predicted = np.zeros((3, 8, 8, 1)), np.array([0, 0, 1]), np.array([0, 1, 1])
    >>> axes = plots.confusions(images, labels, predicted, ["cat", "dog"])
    >>> axes.texts[0].get_text().splitlines()
    ['cat', 'taken for dog', '1 of 2']
    """
    count("confusions", "examples", examples)
    given = answers("confusions", labels, predicted, classes, loss)
    pictures = images_of("confusions", images, len(labels))
    names, totals = short_names(given.names, ACROSS), np.bincount(given.labels, minlength=len(given.names))
    lines = []
    for label, taken_for, times in frequent_confusions(given.labels, given.predicted, most):
        where = np.flatnonzero((given.labels == label) & (given.predicted == taken_for))[:examples]
        text = f"{names[label]}\ntaken for {names[taken_for]}\n{times} of {totals[label]}"
        lines.append(Line(text, [pictures[i] for i in where]))
    if not lines:
        return _nothing("confusions", ax, len(labels))
    return draw_sheet("confusions", ax, lines, tile=0.7, title="the most frequent confusions", cmap="gray")


def mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    outputs: np.ndarray,
    classes: Sequence[str] | None = None,
    *,
    most: int = 12,
    loss: Loss | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the most confident mistakes: the images whose wrong class has the highest probability.

    `images` (n, h, w, 1 or 3) are uint8, or floats from 0 to 1; `labels` are (n,), `outputs` (n, classes): logits, or
    what `loss.scores` takes. Above each image stand the predicted class, its probability and the class. Raises
    `ValueError` for shapes, images, labels and names that do not fit, and for a loss without scores, `TypeError` for
    what is no array.

    >>> from functional_nn import plots
    >>> images, labels, outputs = np.zeros((2, 8, 8, 1)), np.array([0, 1]), np.array([[0.0, 50.0], [0.0, 9.0]])
    >>> axes = plots.mistakes(images, labels, outputs, ["cat", "dog"])
    >>> axes.texts[0].get_text().splitlines()
    ['dog', 'over 99% sure', 'is cat']
    """
    found = confident_mistakes(labels, outputs, most, loss=loss)
    given = answers("mistakes", labels, outputs, classes, loss)
    pictures = images_of("mistakes", images, len(labels))
    if not found:
        return _nothing("mistakes", ax, len(labels))
    names = short_names(given.names, ACROSS)
    captions = [
        f"{names[predicted]}\n{_percent(probability)} sure\nis {names[given.labels[i]]}"
        for i, predicted, probability in found
    ]
    shown = [pictures[i] for i, _, _ in found]
    lines = [Line("", shown[i : i + COLUMNS], captions[i : i + COLUMNS]) for i in range(0, len(shown), COLUMNS)]
    return draw_sheet("mistakes", ax, lines, tile=1.3, title="the most confident mistakes", cmap="gray")


def _nothing(what: str, ax: Axes | None, n: int) -> Axes:
    """Say that there is nothing to see."""
    ax = axes_of(what, ax, 4.0, 1.0)
    ax.set_axis_off()
    ax.text(0.5, 0.5, f"no {what} among {n:,} examples", ha="center", va="center", transform=ax.transAxes)
    return ax


def _percent(probability: float) -> str:
    return f"{probability:.0%}" if probability < 0.995 else "over 99%"
