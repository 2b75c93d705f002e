"""The page of `experiments.reproduce`: the report's tables and figures beside this run's."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.report.printed import MISPRINT, OTHER_DATA, PRINTED, records
from experiments.reproduce.structures import draw_structure, stages
from experiments.running.inputs import Inputs
from experiments.running.row import Row
from experiments.running.store import Outcome
from experiments.running.summary import cell, gain, interval
from experiments.running.training import count_classes
from experiments.showing import page
from experiments.showing.curves import panel
from experiments.showing.galleries import class_names, confusions, draw_confusion, draw_filters, draw_mistakes
from experiments.showing.page import Piece, Plate

Summaries = dict[str, dict[str, Any]]
Outcomes = dict[str, list[Outcome]]

STRUCTURES = ((1, "perceptron_sigmoid"), (2, "lenet5_grad"), (3, "improved_grad"))
FROZEN, TRAINED = ("lenet5", "improved"), ("lenet5_grad", "improved_grad")
INTERVAL = "95 % of test"


def report_page(
    results: dict[str, Any], rows: list[Row], outcomes: Outcomes, inputs: Inputs
) -> tuple[str, list[Piece]]:
    """Return the page of a finished run: its title and its pieces."""
    by_name = {summary["model"]: summary for summary in results["rows"]}
    best = max((name for name in by_name if name != "sklearn_perceptron"), key=lambda name: by_name[name]["val"])
    return "A report on LeNet-5, reproduced", [
        _introduction(results),
        *_tables(by_name, outcomes, inputs),
        *_structures({row.name: row for row in rows}, inputs),
        *_curves(by_name),
        page.heading("What was learned"),
        *_confusion(by_name[best]["title"], outcomes[best][0], inputs, results),
        _filters(by_name, outcomes, inputs),
    ]


def _introduction(results: dict[str, Any]) -> str:
    options = results["options"]
    settings = {
        "tuned": "settings that a search on validation data found for each row",
        "report": "the report's own settings, the defects of its code repaired",
    }[options["mode"]]
    seeds = len(results["seeds"])
    over = f"Figures are means of {seeds} seeds ± the standard deviation over them" if seeds > 1 else "One seed"
    features = " The perceptrons take the report's 408 hand-made features." if options["features"] == "handmade" else ""
    return page.paragraph(
        f"{results['data']}. Trained with {settings}.{features} {over}; a 95 % interval is Wilson's, of the mean over "
        "the test images: how far other images of the kind would move the figure."
    )


def _tables(by_name: Summaries, outcomes: Outcomes, inputs: Inputs) -> list[Piece]:
    perceptrons = [name for name in PRINTED if "perceptron" in name]
    lenets = [name for name in by_name if name not in perceptrons]
    ours = "accuracies of this run, and as the report prints them"
    return [
        page.heading("Tables"),
        page.table(
            f"Table 1. Perceptrons: {ours}.",
            ["", "train", "val", "test", INTERVAL, "report: train", "report: val", "report: test"],
            [_table_1(by_name[name]) for name in perceptrons],
        ),
        page.table(
            f"Table 2. LeNets: {ours}, with its own records.",
            ["", "val", "test", INTERVAL, "report: val as printed", "report: val as recorded", "report: test"],
            [_table_2(by_name[name]) for name in lenets],
        ),
        page.paragraph(f"{MISPRINT} {OTHER_DATA}"),
        page.paragraph(_relu(by_name, outcomes, inputs)),
        page.table(
            "Validation and test images together, and what each row costs.",
            ["", "val + test", "parameters", "epochs", "s/epoch"],
            [_cost(row) for row in by_name.values()],
        ),
    ]


def _table_1(row: dict[str, Any]) -> list[str]:
    printed = PRINTED[row["model"]]
    ours = [cell(row, part) for part in ("train", "val", "test")]
    return [row["title"], *ours, interval(row), *map(_printed, (printed.train, printed.val, printed.test))]


def _table_2(row: dict[str, Any]) -> list[str]:
    printed = PRINTED.get(row["model"])
    theirs = (printed.val, printed.recorded_val, printed.test) if printed else (None, None, None)
    return [row["title"], *(cell(row, part) for part in ("val", "test")), interval(row), *map(_printed, theirs)]


def _cost(row: dict[str, Any]) -> list[str]:
    rest = [f"{row['parameters']:,}", f"{row['epochs']:.0f}", f"{row['epoch_seconds']:.3f}"]
    return [row["title"], cell(row, "val_test"), *rest]


def _relu(by_name: Summaries, outcomes: Outcomes, inputs: Inputs) -> str:
    found = gain(outcomes["lenet5_relu"], outcomes["lenet5_grad"], inputs.pixels["test"][1])
    verdict = "these test images do not tell them apart"
    if found.shows:
        verdict = "ReLU does better, the change was a loss" if found.mean > 0 else "the sigmoid does better"
    return (
        "Was the report right to put the sigmoid in place of ReLU in LeNet-5? Over validation and test images together "
        f"ReLU reaches {cell(by_name['lenet5_relu'], 'val_test')}, the sigmoid "
        f"{cell(by_name['lenet5_grad'], 'val_test')}. On the test images ReLU is {found} (standard error) ahead: "
        f"{verdict}."
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
            f"Figure {number}. The {rows[name].title}, drawn from the model itself. {share:.0%} of its parameters are "
            f"in {largest.text.partition(':')[0]}."
        )
        plates.append(Plate(f"figure-{number}", caption, [draw_structure(model, shape)], rows[name].title))
    return [page.heading("The networks"), plates]


def _curves(by_name: Summaries) -> list[Piece]:
    worth = " and ".join(
        f"{by_name[trained]['val_test'] - by_name[frozen]['val_test']:+.3f} ({by_name[trained]['title']})"
        for frozen, trained in zip(FROZEN, TRAINED, strict=True)
    )
    figures = (
        (4, ("perceptron_sigmoid",), ("loss", "accuracy"), "The perceptron with sigmoid. Where the training curve "
         "leaves the validation curve behind, the network learns single images by heart."),
        (5, ("perceptron_own",), ("loss", "accuracy"), "The perceptron with the activation that the author's code "
         "ran as its own, asinh(x)/5 + 1/2, which has no bounds, as the sigmoid has."),
        (6, FROZEN, ("loss",), "Loss with convolutions at their random start. The report's dashed line hardly leaves "
         "ln 50 = 3.91: its loss took the softmax twice."),
        (7, FROZEN, ("accuracy",), "Accuracy with convolutions at their random start: what the dense layers alone "
         "make of random features."),
        (8, TRAINED, ("loss",), "Loss with trained convolutions. The report's dashed line stays near 3.91 here too."),
        (9, TRAINED, ("accuracy",), "Accuracy with trained convolutions. What it is above figure 7 is what training "
         f"the convolutions is worth: over validation and test images {worth}."),
    )  # fmt: skip
    return [
        page.heading("Training"),
        page.paragraph(
            "Lines are means over the seeds, bands span them. Training figures are those of the epoch itself, from "
            "augmented images where there is augmentation, so they may lie below validation. Dashed: the report's own "
            "records, of its own data; of its perceptrons there are none."
        ),
        *(
            Plate(
                f"figure-{number}",
                f"Figure {number}. {caption}",
                [panel(by_name[name], what, records().get(name)) for name in names for what in whats],
                f"{' and '.join(whats)} over the epochs",
            )
            for number, names, whats, caption in figures
        ),
    ]


def _confusion(title: str, outcome: Outcome, inputs: Inputs, results: dict[str, Any]) -> list[Piece]:
    """Return the pictures of the row that is best on validation data, from its first seed."""
    images, labels = inputs.pixels["test"]
    outputs = outcome.arrays["test_outputs"]
    names = class_names(results["options"]["data"], outputs.shape[1])
    frequent = ", ".join(
        f"{names[label]} as {names[predicted]} ({count} of {np.sum(labels == label)})"
        for label, predicted, count in confusions(labels, outputs, 3)
    )
    confusion = (
        f"Figure 10. The confusions of the {title} on the test images (the best row on validation data, its first "
        f"seed). A dark diagonal is right; a dark spot beside it, two classes that are taken for each other. "
        f"{f'Most often: {frequent}.' if frequent else 'Here nothing is.'}"
    )
    plates = [Plate("figure-10", confusion, [draw_confusion(labels, outputs)], "confusion matrix")]
    sheet = draw_mistakes(images, labels, outputs, names)
    if sheet is not None:
        mistakes = (
            f"Figure 11. The test images that the {title} is most confidently wrong about: what it says, how sure it "
            "is, and what the label says. Look whether the colours or the outline could mislead you too."
        )
        plates.append(Plate("figure-11", mistakes, [sheet], "misclassified test images"))
    return [plates]


def _filters(by_name: Summaries, outcomes: Outcomes, inputs: Inputs) -> Plate:
    shape = inputs.pixels["train"][0].shape[1:]
    shown = ["lenet5", "lenet5_grad", "lenet5_relu", "improved_grad"]
    if inputs.features is None:
        shown.append("perceptron_sigmoid")
    sheets = [draw_filters(outcomes[name][0].arrays["first_weights"], shape, by_name[name]["title"]) for name in shown]
    caption = (
        "Figure 12. The first layers' filters (of the first seed; of the perceptron, its first units), each scaled to "
        "its own range. The random ones are noise; look for edges, colours and blobs in the trained ones."
    )
    return Plate("figure-12", caption, sheets, "filters of the first layers")


def _printed(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
