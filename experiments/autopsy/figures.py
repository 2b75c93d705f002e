"""The figure of the autopsy: loss, angle of the gradient, where in the network, and accuracy, defect by defect."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.autopsy.ranking import Row, row_of
from experiments.autopsy.variants import AUTHORS, RIGHT, Network, alone
from experiments.report.printed import records

REPORTS_CLASSES = 50
BLACK, RED, GREEN, GREY = "black", "tab:red", "tab:green", "0.55"
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:purple", "tab:brown", "tab:pink", "tab:olive", "tab:cyan")


def draw(network: Network, rows: Sequence[Row], ranking: Sequence[Row], classes: int) -> Figure:
    """Return the figure of one network, four panels; `ranking` are its rows of the table, `rows` all variants'."""
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


def _draw_losses(axes: Axes, network: Network, rows: Sequence[Row], ranking: Sequence[Row], classes: int) -> None:
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
    _head(axes, "a. The loss, as each network measures it")


def _draw_angles(axes: Axes, network: Network, rows: Sequence[Row], ranking: Sequence[Row]) -> None:
    for line, colour in zip(ranking, COLOURS, strict=False):
        _draw_mean(axes, _cosines(row_of(rows, network, alone(line["defect"]))), colour, 0, "", linewidth=1.2)
    if network.ran:
        _draw_mean(axes, _cosines(row_of(rows, network, AUTHORS)), RED, 0, "", linewidth=2.5)
    axes.axhline(0, color=GREY, linestyle=":")
    axes.set(xlabel="epoch", ylabel="cosine", ylim=(min(-0.1, axes.get_ylim()[0]), 1.05))
    _head(axes, "b. The angle to the true gradient: 1 is right, 0 says nothing")


def _draw_layers(axes: Axes, ranking: Sequence[Row]) -> None:
    """Draw the mean cosine through training of every layer's gradient, a line a defect."""
    layers = list(ranking[0]["cosines"])
    values = np.array([[row["cosines"][layer] for layer in layers] for row in ranking], float)
    axes.imshow(values, vmin=-1, vmax=1, cmap="RdBu", aspect="auto")
    for i, j in np.ndindex(values.shape):
        white = abs(values[i, j]) > 0.6
        axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=8, color="white" if white else BLACK)
    axes.set_xticks(range(len(layers)), layers)
    axes.set_yticks(range(len(ranking)), [f"{row['title']} ({row['defect']})" for row in ranking], fontsize=9)
    axes.set(xlabel="layer, from the image to the outputs")
    _head(axes, "c. The same by layer, mean of training")


def _draw_accuracies(axes: Axes, network: Network, rows: Sequence[Row], ranking: Sequence[Row], classes: int) -> None:
    """Draw how far each defect alone takes the right network down, and its repair the author's network up."""
    right = row_of(rows, network, RIGHT)["test"]
    axes.axvline(right, color=BLACK, label="right network")
    axes.axvline(1 / classes, color=GREY, linestyle=":", label="chance")
    places = np.arange(len(ranking))
    _draw_lollipops(axes, places - 0.13, right, [row["test"] for row in ranking], BLACK, "one defect alone")
    if network.ran:
        author = row_of(rows, network, AUTHORS)["test"]
        axes.axvline(author, color=RED, label="the author's network")
        ran = [i for i, row in enumerate(ranking) if row["defect"] in network.ran]
        repaired = [ranking[i]["repaired"] for i in ran]
        _draw_lollipops(axes, places[ran] + 0.13, author, repaired, GREEN, "the author's, it alone repaired")
    axes.set(xlabel="test accuracy", xlim=(-0.02, 1.02))
    _head(axes, "d. What it costs alone, what its repair alone brings")


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
    """Draw the mean over the seeds that are still finite, from the epoch `first`; a cross where all have diverged."""
    known = ~np.isnan(values)
    alive = known.any(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0)[alive] / known.sum(axis=0)[alive]
    epochs = first + np.flatnonzero(alive)
    diverged = len(epochs) < values.shape[1]
    said = f"{label}, diverges" if diverged else label
    axes.plot(epochs, mean, color=colour, linewidth=linewidth, linestyle=linestyle, label=said)
    if diverged:
        axes.plot(epochs[-1:], mean[-1:], "x", color=colour)


def _losses(row: Row) -> np.ndarray:
    """Return losses (seeds, epochs), nan after a divergence."""
    return _filled([[entry["loss"] for entry in record["history"]] for record in row["seeds"]], row, 0)


def _cosines(row: Row) -> np.ndarray:
    """Return cosines (seeds, 1 + epochs), nan where there is none."""
    values = [[math.nan if e is None else e["cosine"] for e in record["gradients"]] for record in row["seeds"]]
    return _filled(values, row, 1)


def _filled(values: list[list[float]], row: Row, more: int) -> np.ndarray:
    filled = np.full((len(values), row["settings"]["epochs"] + more), np.nan)
    for line, known in zip(filled, values, strict=True):
        line[: len(known)] = known
    return filled
