"""The page of `experiments.reproduce`: the report's tables and figures beside those of this run."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.report.printed import ADDRESS, OTHER_DATA, PLACE, PRINTED, TITLE, comparable, records
from experiments.reproduce.structures import draw_structure, stages
from experiments.reproduce.tables import MARK, NOTE, recorded_val
from experiments.running.inputs import Inputs
from experiments.running.networks import first_weights
from experiments.running.outcome import Outcome
from experiments.running.row import Row
from experiments.running.splits import count_classes
from experiments.running.summary import Summary, cell, gain, interval
from experiments.running.training import KERNEL_AXES
from experiments.showing.curves import panel
from experiments.showing.page import Heading, Link, Panel, Piece, Plate, Table, figure_of
from functional_nn import plots

Summaries = dict[str, Summary]
Outcomes = dict[str, list[Outcome]]

STRUCTURES = ((1, "perceptron_sigmoid"), (2, "lenet5_grad"), (3, "improved_grad"))
FROZEN, TRAINED = ("lenet5", "improved"), ("lenet5_grad", "improved_grad")
INTERVAL = "95 % of test"


def reproduction_page(
    results: dict[str, Any], rows: list[Row], outcomes: Outcomes, inputs: Inputs
) -> tuple[str, list[Piece]]:
    """Return the page of a finished run: its title and its pieces."""
    by_name = {summary["model"]: summary for summary in results["rows"]}
    best = max((name for name in by_name if name != "sklearn_perceptron"), key=lambda name: by_name[name]["val"])
    return "A report on LeNet-5, reproduced", [
        Link("The report: ", TITLE, ADDRESS, f", {PLACE}."),
        _introduction(results),
        _names(rows),
        *_tables(by_name, outcomes, inputs),
        *_structures({row.name: row for row in rows}, inputs),
        *_curves(by_name, comparable(count_classes(inputs.pixels))),
        Heading("What was learned"),
        *_confusion(best, outcomes[best][0], inputs),
        _filters(by_name, outcomes, inputs),
    ]


def _introduction(results: dict[str, Any]) -> str:
    options = results["options"]
    settings = {
        "tuned": "settings that a search found for each row on the validation images of Tiny ImageNet's 50 classes, "
        "whatever the data here (with fewer than 10,000 training images, batches are a quarter as large)",
        "report": "the report's own settings, the defects of its code repaired",
    }[options["mode"]]
    seeds = len(results["seeds"])
    over = f"Figures are means of {seeds} seeds ± the standard deviation over them." if seeds > 1 else "One seed."
    features = " The perceptrons take the report's 408 hand-made features." if options["features"] == "handmade" else ""
    return (
        f"{results['data']}. Trained with {settings}.{features} {over} A 95 % interval is Wilson's for the mean over "
        "the test images: it shows how much the figure would vary with other test images of the same kind."
    )


def _names(rows: list[Row]) -> Table:
    lines = [
        [f"`{row.name}`", PRINTED[row.name].name if row.name in PRINTED else "not in the report", row.title]
        for row in rows
    ]
    caption = "The names of the rows, here and in the report. The terminal and all files have the names of this page."
    return Table(caption, ["row", "in the report", "what it is"], lines)


def _tables(by_name: Summaries, outcomes: Outcomes, inputs: Inputs) -> list[Piece]:
    perceptrons = [name for name in PRINTED if "perceptron" in name]
    lenets = [name for name in by_name if name not in perceptrons]
    chance = f"Chance is {1 / count_classes(inputs.pixels):.3f} in this run, 0.020 in the report."
    return [
        Heading("Tables"),
        Table(
            f"Table 1. Perceptrons: accuracies of this run, and as the report prints them. {chance}",
            ["row", "train", "val", "test", INTERVAL, "report: train", "report: val", "report: test"],
            [_table_1(by_name[name]) for name in perceptrons],
        ),
        Table(
            f'Table 2. LeNets: accuracies of this run, and the report\'s. {chance} Compare each row with its "grad": '
            f"in that the convolutions train too. {MARK}: the report prints another figure.",
            ["row", "val", "test", INTERVAL, "report: val as recorded", "report: val as printed", "report: test"],
            [_table_2(by_name[name]) for name in lenets],
        ),
        f"{NOTE} {OTHER_DATA}",
        _relu(by_name, outcomes, inputs),
        Table(
            "Accuracy on validation and test images together, parameters, epochs and time of each row.",
            ["row", "val + test", "parameters", "epochs", "s/epoch"],
            [_cost(summary) for summary in by_name.values()],
        ),
    ]


def _table_1(summary: Summary) -> list[str]:
    printed = PRINTED[summary["model"]]
    ours = [cell(summary, part) for part in ("train", "val", "test")]
    theirs = map(_printed, (printed.train, printed.val, printed.test))
    return [f"`{summary['model']}`", *ours, interval(summary), *theirs]


def _table_2(summary: Summary) -> list[str]:
    printed = PRINTED.get(summary["model"])
    ours = [cell(summary, "val"), cell(summary, "test"), interval(summary)]
    theirs = [recorded_val(printed), _printed(printed.val), _printed(printed.test)] if printed else ["", "", ""]
    return [f"`{summary['model']}`", *ours, *theirs]


def _cost(summary: Summary) -> list[str]:
    rest = [f"{summary['parameters']:,}", f"{summary['epochs']:.0f}", f"{summary['epoch_seconds']:.3f}"]
    return [f"`{summary['model']}`", cell(summary, "val_test"), *rest]


def _relu(by_name: Summaries, outcomes: Outcomes, inputs: Inputs) -> str:
    difference = gain(outcomes["lenet5_relu"], outcomes["lenet5_grad"], inputs.pixels["test"][1])
    conclusion = "these test images show no difference between the two"
    if difference.shows:
        conclusion = "ReLU does better" if difference.mean > 0 else "the sigmoid does better"
    return (
        "Was the report right to put the sigmoid in place of ReLU in LeNet-5? On validation and test images together "
        f"ReLU (`lenet5_relu`) reaches {cell(by_name['lenet5_relu'], 'val_test')}, the sigmoid (`lenet5_grad`) "
        f"{cell(by_name['lenet5_grad'], 'val_test')}. On the test images the gain of ReLU is {difference} (standard "
        f"error): {conclusion}."
    )


def _structures(rows: dict[str, Row], inputs: Inputs) -> list[Piece]:
    plates = []
    for number, name in STRUCTURES:
        splits = inputs.of(rows[name])
        model, shape = rows[name].network(classes=count_classes(splits)), splits["train"][0].shape[1:]
        parts = stages(model, shape)
        largest = max(parts, key=lambda stage: stage.parameters)
        share = largest.parameters / sum(stage.parameters for stage in parts)
        caption = (
            f"Figure {number}. `{name}`, drawn from the model itself: images to scale, vectors as bars. Look for the "
            f"parameters: {share:.0%} of them are in {largest.text.partition(':')[0]}."
        )
        described = Panel(partial(draw_structure, model, shape), f"the layers of {name}: {rows[name].title}")
        plates.append(Plate(f"figure-{number}", caption, [described]))
    return [Heading("The networks"), plates]


def _captions(by_name: Summaries, compared: bool) -> tuple[tuple[int, tuple[str, ...], tuple[str, ...], str], ...]:
    """Return of each figure of curves its number, its rows, what is drawn of them, and its caption."""
    differences = " and ".join(
        f"{by_name[trained]['val_test'] - by_name[frozen]['val_test']:+.3f} (`{trained}`)"
        for frozen, trained in zip(FROZEN, TRAINED, strict=True)
    )
    stuck = " The report's dashed line hardly falls below ln 50 = 3.91: its loss applied the softmax twice."
    near = " The report's dashed line stays near 3.91 here too."
    return (
        (4, ("perceptron_sigmoid",), ("loss", "accuracy"), "The perceptron with sigmoid. Where the training curve "
         "leaves the validation curve behind, the network learns single images by heart."),
        (5, ("perceptron_own",), ("loss", "accuracy"), "The perceptron with the activation that the author's code "
         "ran as its own, asinh(x)/5 + 1/2. Unlike the sigmoid it has no bounds: compare its start with figure 4."),
        (6, FROZEN, ("loss",), "Loss with convolutions at their random start: look how far it falls, and how that "
         f"differs between seeds.{stuck if compared else ''}"),
        (7, FROZEN, ("accuracy",), "Accuracy with convolutions at their random start: only the dense layers learn, "
         "from random features."),
        (8, TRAINED, ("loss",), "Loss with trained convolutions: compare its end with that of figure 6."
         f"{near if compared else ''}"),
        (9, TRAINED, ("accuracy",), "Accuracy with trained convolutions. The difference from figure 7 is the gain "
         f"from training the convolutions: on validation and test images together {differences}."),
    )  # fmt: skip


def _curves(by_name: Summaries, compared: bool) -> list[Piece]:
    """Return the curves, with the report's own where they can be `compared`."""
    theirs = "The report's records are of 50 classes and have other axes, so they are left out here."
    if compared:
        theirs = "Dashed lines are the report's own records, of its own data; there are none of its perceptrons."
    return [
        Heading("Training"),
        "Lines are means over the seeds; bands reach from the lowest seed to the highest. Training figures are those "
        f"of the epoch itself, from augmented images where there is augmentation, so they may lie below validation. "
        f"{theirs}",
        *(
            Plate(
                f"figure-{number}",
                f"Figure {number}. {caption}",
                [
                    Panel(
                        partial(panel, by_name[name], what, records().get(name) if compared else None),
                        f"{what} of {name} over the epochs",
                    )
                    for name in names
                    for what in whats
                ],
            )
            for number, names, whats, caption in _captions(by_name, compared)
        ),
    ]


def _confusion(name: str, outcome: Outcome, inputs: Inputs) -> list[Piece]:
    """Return the confusions and mistakes of the first seed of the row that is best on validation data."""
    images, labels = inputs.pixels["test"]
    outputs = outcome.arrays["test_outputs"]
    classes = inputs.classes[: outputs.shape[1]]
    matrix = (
        f"Figure 10. The confusions of `{name}` on the test images (the best row on validation data, its first "
        "seed). The diagonal holds the right answers. A shaded cell beside it marks a class that is often taken for "
        "another."
    )
    mistakes = (
        f"Figure 11. The test images on which `{name}` is most confidently wrong: its prediction, its probability, "
        "and the label. Would the colours or the outline mislead you too?"
    )
    pairs = (
        "Figure 12. Its most frequent confusions: the class, the class that it was taken for, and how many of the "
        "class's test images were, with the first of them. Look for what the two classes share."
    )
    return [
        Plate(file, caption, [Panel(lambda draw=draw: figure_of(draw()), f"{description} of {name}")], wide=True)
        for file, caption, draw, description in (
            ("figure-10", matrix, partial(plots.confusion, labels, outputs, classes), "confusion matrix"),
            ("figure-11", mistakes, partial(plots.mistakes, images, labels, outputs, classes), "confident mistakes"),
            ("figure-12", pairs, partial(plots.confusions, images, labels, outputs, classes), "frequent confusions"),
        )
    ]


def _filters(by_name: Summaries, outcomes: Outcomes, inputs: Inputs) -> Plate:
    shape = inputs.pixels["train"][0].shape[1:]
    shown = ["lenet5", "lenet5_grad", "lenet5_relu", "improved_grad"]
    if inputs.features is None:
        shown.append("perceptron_sigmoid")
    caption = (
        "Figure 13. The filters of the first layers (first seed; for the perceptron, its first units), each scaled to "
        "its own range. The random filters of `lenet5` look like noise; look for edges, colours and blobs in the "
        "trained ones."
    )
    sheets = []
    for name in shown:
        weights = first_weights(outcomes[name][0].network)
        kernels = weights if weights.ndim == KERNEL_AXES else weights.reshape(*shape, -1)
        sheets.append(Panel(partial(_filter_sheet, name, kernels), f"filters of the first layer of {name}"))
    return Plate("figure-13", caption, sheets, wide=True)


def _filter_sheet(name: str, kernels: np.ndarray) -> Figure:
    axes = plots.filters(kernels)
    axes.set_title(name)
    return figure_of(axes)


def _printed(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
