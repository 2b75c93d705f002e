"""The drawings of the autopsy: the course of every defect, its gradients by layer, and the accuracies.

Colours are those of matplotlib's settings: C0 the right network, C1 one defect alone, C2 the author's network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from textwrap import fill
from typing import NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from experiments.autopsy.ranking import Line, row_of
from experiments.autopsy.variants import AUTHORS, RIGHT, Network, alone, changed
from experiments.report.printed import comparable, records
from experiments.running.summary import Summary

RIGHTS, DEFECT, AUTHOR = "C0", "C1", "C2"
COURSE = (3.3, 3.2)  # inches of a defect's course
SUMMARY_WIDTH, LINE_INCHES = 5.0, 0.46  # of the drawings with a line a defect
ACROSS = 3  # courses in a line of the whole drawing
LETTERS = 26  # of a defect's title in a line


class Findings(NamedTuple):
    """What the drawings of a network show: its lines of the table of defects, and the summaries of all variants."""

    network: Network
    ranking: Sequence[Line]
    rows: Sequence[Summary]
    classes: int


def draw(network: Network, rows: Sequence[Summary], ranking: Sequence[Line], classes: int) -> Figure:
    """Return all drawings of one network in one; `ranking` are its lines of the table, `rows` all variants."""
    found = Findings(network, ranking, rows, classes)
    count = len(ranking) + bool(network.ran)
    lines = -(-count // ACROSS)
    below = LINE_INCHES * len(ranking) + 0.9
    figure = Figure(figsize=(ACROSS * COURSE[0], lines * COURSE[1] + below), layout="constrained")
    above, summary = figure.subfigures(2, 1, height_ratios=(lines * COURSE[1], below))
    cells = above.subfigures(lines, ACROSS, squeeze=False).ravel()
    if network.ran:
        _draw_course(cells[0], found, None)
    for cell, line in zip(cells[bool(network.ran) :], ranking, strict=False):
        _draw_course(cell, found, line)
    left, right = summary.subplots(1, 2, sharey=True)
    _draw_layers(left, found)
    _draw_accuracies(right, found)
    return figure


def draw_course(found: Findings, line: Line | None) -> Figure:
    """Return the loss and the gradient's angle of one defect alone, or of the author's network where `line` is None."""
    figure = Figure(figsize=COURSE, layout="constrained")
    _draw_course(figure, found, line)
    return figure


def draw_layers(found: Findings) -> Figure:
    """Return the mean cosine through training of every layer's gradient, a line a defect."""
    figure = Figure(figsize=_summary_size(found), layout="constrained")
    _draw_layers(figure.subplots(), found)
    return figure


def draw_accuracies(found: Findings) -> Figure:
    """Return the right network's accuracy with each defect alone, and the author's with each repair alone."""
    figure = Figure(figsize=_summary_size(found), layout="constrained")
    _draw_accuracies(figure.subplots(), found)
    return figure


def _summary_size(found: Findings) -> tuple[float, float]:
    return SUMMARY_WIDTH, LINE_INCHES * len(found.ranking) + 1.1


def _draw_course(figure: Figure | SubFigure, found: Findings, line: Line | None) -> None:
    """Draw the losses above the cosines, over the epochs."""
    network, rows = found.network, found.rows
    right = row_of(rows, network, RIGHT)
    if line is None:
        row, colour, name = row_of(rows, network, AUTHORS), AUTHOR, "all the author's defects"
    else:
        row, colour, name = row_of(rows, network, alone(line["defect"])), DEFECT, f"{line['defect']}: {line['title']}"
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    guess = math.log(found.classes)
    above.axhline(guess, color=rcParams["xtick.color"], linestyle=":", linewidth=1)
    _draw_seeds(above, _losses(right), RIGHTS, 1)
    _draw_seeds(above, _losses(row), colour, 1)
    if line is None and comparable(found.classes) and network.name in records():
        theirs = records()[network.name]["train_loss"][: right["settings"]["epochs"]]
        above.plot(range(1, 1 + len(theirs)), theirs, "--", color=rcParams["text.color"], linewidth=1)
    above.set(ylabel="loss", ylim=(0, 1.25 * guess))
    above.set_title(fill(name, 42), fontsize=9, loc="left")
    if np.isnan(_losses(row)).all():
        above.text(0.03, 0.1, "diverges in the first epoch", fontsize=8, color=colour, transform=above.transAxes)
    _draw_seeds(below, _cosines(row), colour, 0)
    below.axhline(0, color=rcParams["xtick.color"], linestyle=":", linewidth=1)
    below.set(xlabel="epoch", ylabel="cosine", ylim=(-1.08 if np.nanmin(_cosines(row)) < -0.15 else -0.15, 1.08))
    below.set_yticks([-1, 0, 1] if below.get_ylim()[0] < -1 else [0, 1])
    below.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    above.yaxis.set_major_locator(MaxNLocator(3))
    for axes in (above, below):
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)


def _draw_layers(axes: Axes, found: Findings) -> None:
    layers = list(found.ranking[0]["cosines"])
    values = np.array([[line["cosines"][layer] for layer in layers] for line in found.ranking], float)
    background = rcParams["axes.facecolor"]
    colours = LinearSegmentedColormap.from_list("cosines", [DEFECT, background, RIGHTS])
    axes.imshow(values, vmin=-1, vmax=1, cmap=colours, aspect="auto")
    for i, j in np.ndindex(values.shape):
        colour = background if abs(values[i, j]) > 0.7 else rcParams["text.color"]
        axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=9, color=colour)
    axes.set_xticks(range(len(layers)), layers)
    axes.set(xlabel="layer, from the image to the outputs")
    axes.set_title("cosine to the true gradient, by layer", fontsize=10, loc="left")
    _name_lines(axes, found.ranking)


def _draw_accuracies(axes: Axes, found: Findings) -> None:
    network, ranking, rows = found.network, found.ranking, found.rows
    right = row_of(rows, network, RIGHT)["test"]
    axes.axvline(right, color=RIGHTS, label="right network")
    axes.axvline(1 / found.classes, color=rcParams["xtick.color"], linestyle=":", label="chance")
    places = np.arange(len(ranking))
    shift = 0.16 if network.ran else 0.0
    for place, line in zip(places, ranking, strict=True):
        row = row_of(rows, network, alone(line["defect"]))
        label = "right, with this defect" if place == 0 else None
        _draw_change(axes, place - shift, right, row, DEFECT, label, _ends(right, line.get("harm_interval"), -1))
    if network.ran:
        author = row_of(rows, network, AUTHORS)["test"]
        axes.axvline(author, color=AUTHOR, label="the author's network")
        ran = [place for place in places if ranking[place]["defect"] in network.ran]
        for place in ran:
            line = ranking[place]
            row = row_of(rows, network, changed(network, line["defect"]))
            label = "the author's, this defect repaired" if place == ran[0] else None
            _draw_change(axes, place + shift, author, row, AUTHOR, label, _ends(author, line.get("gain_interval"), 1))
    axes.set(xlabel="test accuracy", xlim=(-0.02, 1.02), ylim=(len(ranking) - 0.5, -0.5))
    axes.spines[["top", "right"]].set_visible(False)
    _name_lines(axes, ranking)
    legend = {"loc": "lower center", "bbox_to_anchor": (0.42, 1.0), "ncols": 2, "fontsize": 8, "frameon": False}
    axes.legend(**legend, borderpad=0.1, columnspacing=1.0)


def _draw_change(
    axes: Axes,
    place: float,
    start: float,
    row: Summary,
    colour: str,
    label: str | None,
    ends: tuple[float, float] | None,
) -> None:
    """Draw a line from `start` to the row's mean accuracy, a dot there, a small one for each seed, and the interval."""
    seeds = [record["test"] for record in row["seeds"]]
    axes.hlines(place, start, row["test"], color=colour, linewidth=1, alpha=0.6)
    axes.plot(seeds, [place] * len(seeds), "o", color=colour, markersize=3, alpha=0.35, markeredgewidth=0)
    if ends is not None:
        axes.hlines(place, *ends, color=colour, linewidth=2.5)
    axes.plot(row["test"], place, "o", color=colour, markersize=6, label=label)


def _ends(start: float, interval: Sequence[float] | None, sign: int) -> tuple[float, float] | None:
    """Return where a difference from `start` ends by its interval, where there is one."""
    return None if interval is None else (start + sign * interval[0], start + sign * interval[1])


def _name_lines(axes: Axes, ranking: Sequence[Line]) -> None:
    names = [fill(f"{line['defect']}: {line['title']}", LETTERS) for line in ranking]
    axes.set_yticks(range(len(ranking)), names, fontsize=8.5)


def _draw_seeds(axes: Axes, values: np.ndarray, colour: str, first: int) -> None:
    """Draw the mean over the seeds that are still finite, from the epoch `first`, in a band from lowest to highest.

    A cross marks where all have diverged.
    """
    known = ~np.isnan(values)
    alive = known.any(axis=0)
    mean = np.where(known, values, 0.0).sum(axis=0)[alive] / known.sum(axis=0)[alive]
    epochs = first + np.flatnonzero(alive)
    axes.plot(epochs, mean, color=colour, linewidth=1.6)
    if len(values) > 1:
        low, high = np.nanmin(values[:, alive], axis=0), np.nanmax(values[:, alive], axis=0)
        axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
    if len(epochs) < values.shape[1]:
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
