"""The figure of the autopsy: for each defect the loss, the gradient's angle, the same by layer, and the accuracy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.autopsy.ranking import Line, row_of
from experiments.autopsy.variants import AUTHORS, RIGHT, Network, alone
from experiments.report.printed import records
from experiments.running.summary import Summary

REPORTS_CLASSES = 50
BLACK, RED, GREEN, GREY = "black", "tab:red", "tab:green", "0.55"
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:pink", "tab:olive", "tab:cyan")


def draw(network: Network, rows: Sequence[Summary], ranking: Sequence[Line], classes: int) -> Figure:
    """Return the figure of one network, four panels; `ranking` are its lines of the table, `rows` all variants."""
    figure = Figure(figsize=(11, 8.4), layout="constrained")
    above, below = figure.subfigures(2, 1)
    losses, angles = above.subplots(1, 2)
    layers, accuracies = below.subplots(1, 2, sharey=True)
    _draw_losses(losses, network, rows, ranking, classes)
    _draw_angles(angles, network, rows, ranking)
    _draw_layers(layers, ranking)
    _draw_accuracies(accuracies, network, rows, ranking, classes)
    above.legend(*losses.get_legend_handles_labels(), fontsize=8, ncols=6, loc="outside lower center")
    below.legend(*accuracies.get_legend_handles_labels(), fontsize=8, ncols=5, loc="outside lower center")
    return figure


def _draw_losses(axes: Axes, network: Network, rows: Sequence[Summary], ranking: Sequence[Line], classes: int) -> None:
    guess = math.log(classes)
    axes.axhline(guess, color=GREY, linestyle=":", label=f"a guess, ln {classes} = {guess:.3f}")
    for line, colour in zip(ranking, COLOURS, strict=False):
        row = row_of(rows, network, alone(line["defect"]))
        _draw_mean(axes, _losses(row), colour, 1, f"{line['defect']} alone", linewidth=1.2)
    right = row_of(rows, network, RIGHT)
    _draw_mean(axes, _losses(right), BLACK, 1, "right network", linewidth=2)
    if network.ran:
        _draw_mean(axes, _losses(row_of(rows, network, AUTHORS)), RED, 1, "the author's network", linewidth=2.5)
        if classes == REPORTS_CLASSES and network.name in records():
            theirs = np.array([records()[network.name]["train_loss"][: right["settings"]["epochs"]]])
            _draw_mean(axes, theirs, "darkred", 1, "the report's own record", linewidth=1.5, linestyle="--")
    axes.set(xlabel="epoch", ylabel="training loss", ylim=(0, 1.25 * guess))
    _head(axes, "a. The training loss, by each network's own loss")


def _draw_angles(axes: Axes, network: Network, rows: Sequence[Summary], ranking: Sequence[Line]) -> None:
    for line, colour in zip(ranking, COLOURS, strict=False):
        _draw_mean(axes, _cosines(row_of(rows, network, alone(line["defect"]))), colour, 0, "", linewidth=1.2)
    if network.ran:
        _draw_mean(axes, _cosines(row_of(rows, network, AUTHORS)), RED, 0, "", linewidth=2.5)
    axes.axhline(0, color=GREY, linestyle=":")
    axes.set(xlabel="epoch", ylabel="cosine", ylim=(min(-0.1, axes.get_ylim()[0]), 1.05))
    _head(axes, "b. Cosine to the true gradient (1: the same direction)")


def _draw_layers(axes: Axes, ranking: Sequence[Line]) -> None:
    """Draw the mean cosine through training of every layer's gradient, a line a defect."""
    layers = list(ranking[0]["cosines"])
    values = np.array([[line["cosines"][layer] for layer in layers] for line in ranking], float)
    axes.imshow(values, vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
    for i, j in np.ndindex(values.shape):
        white = abs(values[i, j]) > 0.6
        axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=8, color="white" if white else BLACK)
    axes.set_xticks(range(len(layers)), layers)
    axes.set_yticks(range(len(ranking)), [f"{line['title']} ({line['defect']})" for line in ranking], fontsize=9)
    axes.set(xlabel="layer, from the image to the outputs")
    _head(axes, "c. The same by layer, mean over training")


def _draw_accuracies(
    axes: Axes, network: Network, rows: Sequence[Summary], ranking: Sequence[Line], classes: int
) -> None:
    """Draw the right network's accuracy with each defect alone, and the author's with each repair alone."""
    right = row_of(rows, network, RIGHT)["test"]
    axes.axvline(right, color=BLACK, label="right network")
    axes.axvline(1 / classes, color=GREY, linestyle=":", label="chance")
    places = np.arange(len(ranking))
    _draw_lollipops(axes, places - 0.13, right, [line["test"] for line in ranking], BLACK, "one defect alone")
    if network.ran:
        author = row_of(rows, network, AUTHORS)["test"]
        axes.axvline(author, color=RED, label="the author's network")
        ran = [i for i, line in enumerate(ranking) if line["defect"] in network.ran]
        repaired = [ranking[i]["repaired"] for i in ran]
        _draw_lollipops(axes, places[ran] + 0.13, author, repaired, GREEN, "the author's, this defect repaired")
    axes.set(xlabel="test accuracy", xlim=(-0.02, 1.02))
    _head(axes, "d. Test accuracy: one defect alone, one repair alone")


def _draw_lollipops(
    axes: Axes, places: np.ndarray, start: float, ends: Sequence[float], colour: str, label: str
) -> None:
    axes.hlines(places, start, ends, color=colour, linewidth=1.5)
    axes.plot(ends, places, "o", color=colour, markersize=5, label=label)


def _head(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")


def _draw_mean(
    axes: Axes, values: np.ndarray, colour: str, first: int, label: str, linewidth: float, linestyle: str = "-"
) -> None:
    """Draw the mean over the seeds that are still finite, from the epoch `first`; a cross marks where all diverged."""
    known = ~np.isnan(values)
    alive = known.any(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0)[alive] / known.sum(axis=0)[alive]
    epochs = first + np.flatnonzero(alive)
    diverged = len(epochs) < values.shape[1]
    text = f"{label}, diverges" if diverged else label
    axes.plot(epochs, mean, color=colour, linewidth=linewidth, linestyle=linestyle, label=text)
    if diverged:
        axes.plot(epochs[-1:], mean[-1:], "x", color=colour)


def _losses(row: Summary) -> np.ndarray:
    """Return losses (seeds, epochs), nan after a divergence."""
    return _filled([[entry["loss"] for entry in record["history"]] for record in row["seeds"]], row, 0)


def _cosines(row: Summary) -> np.ndarray:
    """Return cosines (seeds, 1 + epochs), nan after a divergence."""
    values = [[math.nan if e is None else e["cosine"] for e in record["gradients"]] for record in row["seeds"]]
    return _filled(values, row, 1)


def _filled(values: list[list[float]], row: Summary, more: int) -> np.ndarray:
    filled = np.full((len(values), row["settings"]["epochs"] + more), np.nan)
    for line, known in zip(filled, values, strict=True):
        line[: len(known)] = known
    return filled
