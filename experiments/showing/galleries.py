"""Pictures of a trained network: its confusions, the filters of its first layer, and its most confident mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from functional_nn import losses


def draw_confusion(labels: np.ndarray, outputs: np.ndarray) -> Figure:
    """Return a picture of the confusion matrix: a line a class, with the shares of its images by predicted class."""
    counts = _counts(labels, outputs)
    classes = len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(5.0, 4.4), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    axes.set(xlabel="predicted class", ylabel="class")
    if classes <= 12:
        axes.set(xticks=range(classes), yticks=range(classes))
        for i, j in zip(*np.nonzero(counts), strict=True):
            colour = "white" if shares[i, j] > 0.5 else "black"
            axes.text(j, i, f"{counts[i, j]}", ha="center", va="center", fontsize=8, color=colour)
    figure.colorbar(image, label="share of the class's images")
    return figure


def confusions(labels: np.ndarray, outputs: np.ndarray, count: int) -> list[tuple[int, int, int]]:
    """Return (label, predicted class, images) of the `count` most frequent confusions."""
    wrong = _counts(labels, outputs)
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return [(int(i), int(j), int(wrong[i, j])) for i, j in pairs if wrong[i, j]]


def draw_filters(weights: np.ndarray, image_shape: Sequence[int], title: str = "", most: int = 24) -> Figure:
    """Return a sheet with the first `most` filters of the first layer as pictures, each scaled to its own range.

    `weights` are kernels (kh, kw, c, filters), or a matrix (h w c, units), each of whose columns is one picture.
    """
    pictures = weights if weights.ndim == 4 else weights.reshape(*image_shape, -1)
    count = min(pictures.shape[-1], most)
    columns = min(count, 6)
    lines = -(-count // columns)
    figure = Figure(figsize=(0.7 * columns, 0.7 * lines + 0.3), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for i, axes in enumerate(figure.subplots(lines, columns, squeeze=False).ravel()):
        axes.set_axis_off()
        if i < count:
            _show(axes, _to_unit_range(pictures[..., i]))
    return figure


def confident_mistakes(labels: np.ndarray, outputs: np.ndarray, count: int) -> list[tuple[int, int, float]]:
    """Return (index, predicted class, probability) of misclassified images, in falling order of probability."""
    probabilities = losses.softmax(outputs)
    predicted = outputs.argmax(axis=1)
    confidence = np.where(predicted == labels, -1.0, probabilities.max(axis=1))
    order = np.argsort(-confidence, kind="stable")[:count]
    return [(int(i), int(predicted[i]), float(confidence[i])) for i in order if confidence[i] >= 0]


def draw_mistakes(images: np.ndarray, labels: np.ndarray, outputs: np.ndarray, names: Sequence[str]) -> Figure | None:
    """Return a sheet of the twelve most confidently misclassified images; None where there is none."""
    mistakes = confident_mistakes(labels, outputs, 12)
    if not mistakes:
        return None
    columns = min(4, len(mistakes))
    lines = -(-len(mistakes) // columns)
    figure = Figure(figsize=(1.35 * columns, 1.85 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, (i, predicted, confidence) in zip(panels, mistakes, strict=False):
        _show(axes, images[i] / 255.0)
        title = f"{_short(names[predicted])}\n{confidence:.0%} sure\nis {_short(names[labels[i]])}"
        axes.set_title(title, fontsize=8)
    return figure


def class_names(directory: str | Path, count: int) -> list[str]:
    """Return the classes' names from the directory's classes.txt (label, tabs, name), or their numbers without one."""
    names = [str(label) for label in range(count)]
    file = Path(directory) / "classes.txt"
    for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else ():
        label, *_, name = line.split("\t")
        if label.isdecimal() and int(label) < count:
            names[int(label)] = name.split(",")[0].strip()
    return names


def _counts(labels: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return the numbers of images by class (a line each) and predicted class."""
    counts = np.zeros((outputs.shape[1], outputs.shape[1]), int)
    np.add.at(counts, (labels, outputs.argmax(axis=1)), 1)
    return counts


def _show(axes: Axes, picture: np.ndarray) -> None:
    if picture.shape[-1] == 3:
        axes.imshow(picture)
    else:
        axes.imshow(picture.mean(axis=-1), cmap="gray", vmin=0, vmax=1)


def _to_unit_range(picture: np.ndarray) -> np.ndarray:
    low, high = picture.min(), picture.max()
    return (picture - low) / (high - low) if high > low else np.zeros_like(picture)


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"{name[:15]}…"
