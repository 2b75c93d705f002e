"""The report's open question: were the depths of the improved LeNet-5's convolutions badly chosen?

Its author suspected so, because the accuracies are low. Here the same network trains with other depths, under the same
settings and on the same data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.figure import Figure

import functional_nn as fnn
from experiments.report.printed import ADDRESS, OTHER_DATA, PLACE, PRINTED, TITLE, comparable
from experiments.running.outcome import Outcome
from experiments.running.row import Row
from experiments.running.summary import Summary, cell, gain, interval
from experiments.showing import page
from experiments.showing.curves import panel
from functional_nn import initializers, layers, models

REPORTED = (6, 16, 6)
DEPTHS = (REPORTED, (6, 16, 16), (6, 16, 32), (6, 16, 64), (12, 32, 12), (12, 32, 64))
CONVOLUTIONS = ("c1", "c3", "c5")


def improved_lenet5(classes: int, depths: tuple[int, int, int] = REPORTED) -> fnn.Layer:
    """Return the improved LeNet-5 with convolutions of these depths in place of 6, 16 and 6."""
    others = {
        name: layers.conv2d(depth, 3, w_init=initializers.he_normal)
        for name, depth in zip(CONVOLUTIONS, depths, strict=True)
    }
    return fnn.serial(**dict(models.improved_lenet5(classes).parts) | others)


def depth_rows(improved: Row) -> list[Row]:
    """Return a row for each choice of depths, the report's first, with the settings of the row `improved`."""
    return [
        replace(
            improved,
            name=f"depths_{'_'.join(map(str, depths))}",
            title=f"depths {', '.join(map(str, depths))}",
            network=partial(improved_lenet5, depths=depths),
        )
        for depths in DEPTHS
    ]


def answer(summaries: Sequence[Summary], outcomes: dict[str, list[Outcome]], labels: np.ndarray, classes: int) -> str:
    """Return whether the depths that validation data choose do better than the report's on the test images."""
    reported, best = summaries[0], max(summaries, key=lambda summary: summary["val"])
    theirs, context = PRINTED["improved_grad"], ""
    if comparable(classes):
        context = f" With the same depths the report has {theirs.test:.4f} (other data)."
        if reported["test"] - theirs.test > best["test"] - reported["test"]:
            context += " That difference is larger than the gain from other depths: most of the loss has other causes."
    if best is reported:
        return f"Validation data choose the report's own depths, {reported['test']:.4f} on the test images.{context}"
    difference = gain(outcomes[best["model"]], outcomes[reported["model"]], labels)
    conclusion = "these test images show no difference between the two"
    if difference.shows:
        conclusion = "the other depths are better" if difference.mean > 0 else "the other depths are worse"
    return (
        f"Validation data choose {best['model']}: {best['test']:.4f} on the test images, against "
        f"{reported['test']:.4f} of {reported['model']}, the report's, a gain of {difference} (standard error): "
        f"{conclusion}.{context}"
    )


def depths_page(
    results: dict[str, Any], outcomes: dict[str, list[Outcome]], labels: np.ndarray, classes: int
) -> tuple[str, list[page.Piece]]:
    """Return the page of a sweep: its title and its pieces."""
    rows = results["rows"]
    compared = comparable(classes)
    look = "Compare the distances of the other points from the first, which has the report's depths"
    if compared:
        look += ", with that of the first from the dashed line, which is the report's own accuracy"
    return "The improved LeNet-5's depths", [
        page.Link("The report: ", TITLE, ADDRESS, f", {PLACE}. Its row Improvedgrad is `improved_grad` here."),
        f"{results['data']}. Seeds: {', '.join(map(str, results['seeds']))}. Were the depths 6, 16 and 6 of the "
        "three convolutions badly chosen, as the report's author suspects? Here are others under the same settings.",
        page.Heading("The answer"),
        answer(rows, outcomes, labels, classes),
        *([OTHER_DATA] if compared else []),
        page.Table(
            "`improved_grad` with other depths: accuracies, means over the seeds ± their standard deviation.",
            ["row", "val", "test", "95 % of test", "val + test", "parameters", "s/epoch"],
            [_line(row) for row in rows],
        ),
        page.Plate(
            "depths",
            f"Accuracy of each choice; bars are the standard deviation over seeds. {look}.",
            [page.Panel(partial(draw_depths, rows, compared), "accuracy of each choice of depths")],
        ),
        page.Plate(
            "depths-curves",
            "Accuracy over the epochs. Where the training curve rises far above the validation curve, the network is "
            "deep enough to learn the training images by heart.",
            [
                page.Panel(partial(panel, row, "accuracy"), f"accuracy of {row['model']} over the epochs")
                for row in rows
            ],
        ),
    ]


def _line(row: Summary) -> list[str]:
    ours = [cell(row, "val"), cell(row, "test"), interval(row), cell(row, "val_test")]
    return [f"`{row['model']}`", *ours, f"{row['parameters']:,}", f"{row['epoch_seconds']:.3f}"]


def draw_depths(summaries: Sequence[Summary], compared: bool) -> Figure:
    """Return a picture with a line for each choice of depths: its accuracy over validation and test images together.

    Where these are `compared` with the report's, its accuracy is a dashed line.
    """
    figure = Figure(figsize=(4.6, 1.0 + 0.36 * len(summaries)), layout="constrained")
    axes = figure.subplots()
    if compared:
        theirs = PRINTED["improved_grad"].test
        axes.axvline(theirs, linestyle="--", color=rcParams["xtick.color"], label="the report, test")
        axes.legend(fontsize=8)
    places = range(len(summaries))
    errors = [summary["val_test_sd"] or 0.0 for summary in summaries]
    axes.errorbar([summary["val_test"] for summary in summaries], places, xerr=errors, fmt="o", capsize=3)
    labels = [f"{summary['model']}\n{summary['parameters']:,} parameters" for summary in summaries]
    axes.set_yticks(places, labels, fontsize=7)
    axes.set(xlabel="accuracy, validation and test", xlim=(0, None))
    axes.invert_yaxis()
    axes.grid(alpha=0.6)
    return figure
