"""The page of `experiments.reproduce`: the report's tables and figures beside those of this run."""

from __future__ import annotations

from typing import Any

from experiments.report.printed import MISPRINT, OTHER_DATA, PRINTED, records
from experiments.reproduce.structures import draw_structure, stages
from experiments.running.inputs import Inputs
from experiments.running.networks import first_weights
from experiments.running.outcome import Outcome
from experiments.running.row import Row
from experiments.running.splits import count_classes
from experiments.running.summary import Summary, cell, gain, interval
from experiments.running.training import KERNEL_AXES
from experiments.showing import page
from experiments.showing.curves import panel
from experiments.showing.page import Piece, Plate, figure_of
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
        _introduction(results),
        *_tables(by_name, outcomes, inputs),
        *_structures({row.name: row for row in rows}, inputs),
        *_curves(by_name),
        page.heading("What was learned"),
        *_confusion(by_name[best]["title"], outcomes[best][0], inputs),
        _filters(by_name, outcomes, inputs),
    ]


def _introduction(results: dict[str, Any]) -> str:
    options = results["options"]
    settings = {
        "tuned": "settings that a search on validation data found for each row",
        "report": "the report's own settings, the defects of its code repaired",
    }[options["mode"]]
    seeds = len(results["seeds"])
    over = f"Figures are means of {seeds} seeds ± the standard deviation over them." if seeds > 1 else "One seed."
    features = " The perceptrons take the report's 408 hand-made features." if options["features"] == "handmade" else ""
    return (
        f"{results['data']}. Trained with {settings}.{features} {over} A 95 % interval is Wilson's for the mean over "
        "the test images: it shows how much the figure would vary with other test images of the same kind."
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
        f"{MISPRINT} {OTHER_DATA}",
        _relu(by_name, outcomes, inputs),
        page.table(
            "Accuracy on validation and test images together, parameters, epochs and time of each row.",
            ["", "val + test", "parameters", "epochs", "s/epoch"],
            [_cost(summary) for summary in by_name.values()],
        ),
    ]


def _table_1(summary: Summary) -> list[str]:
    printed = PRINTED[summary["model"]]
    ours = [cell(summary, part) for part in ("train", "val", "test")]
    return [summary["title"], *ours, interval(summary), *map(_printed, (printed.train, printed.val, printed.test))]


def _table_2(summary: Summary) -> list[str]:
    printed = PRINTED.get(summary["model"])
    theirs = (printed.val, printed.recorded_val, printed.test) if printed else (None, None, None)
    return [
        summary["title"],
        *(cell(summary, part) for part in ("val", "test")),
        interval(summary),
        *map(_printed, theirs),
    ]


def _cost(summary: Summary) -> list[str]:
    rest = [f"{summary['parameters']:,}", f"{summary['epochs']:.0f}", f"{summary['epoch_seconds']:.3f}"]
    return [summary["title"], cell(summary, "val_test"), *rest]


def _relu(by_name: Summaries, outcomes: Outcomes, inputs: Inputs) -> str:
    difference = gain(outcomes["lenet5_relu"], outcomes["lenet5_grad"], inputs.pixels["test"][1])
    conclusion = "these test images show no difference between the two"
    if difference.shows:
        conclusion = "ReLU does better" if difference.mean > 0 else "the sigmoid does better"
    return (
        "Was the report right to put the sigmoid in place of ReLU in LeNet-5? On validation and test images together "
        f"ReLU reaches {cell(by_name['lenet5_relu'], 'val_test')}, the sigmoid "
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
            f"Figure {number}. The {rows[name].title}, drawn from the model itself. {share:.0%} of its parameters are "
            f"in {largest.text.partition(':')[0]}."
        )
        plates.append(Plate(f"figure-{number}", caption, [draw_structure(model, shape)], rows[name].title))
    return [page.heading("The networks"), plates]


def _curves(by_name: Summaries) -> list[Piece]:
    differences = " and ".join(
        f"{by_name[trained]['val_test'] - by_name[frozen]['val_test']:+.3f} ({by_name[trained]['title']})"
        for frozen, trained in zip(FROZEN, TRAINED, strict=True)
    )
    figures = (
        (4, ("perceptron_sigmoid",), ("loss", "accuracy"), "The perceptron with sigmoid. Where the training curve "
         "leaves the validation curve behind, the network learns single images by heart."),
        (5, ("perceptron_own",), ("loss", "accuracy"), "The perceptron with the activation that the author's code "
         "ran as its own, asinh(x)/5 + 1/2. Unlike the sigmoid it has no bounds."),
        (6, FROZEN, ("loss",), "Loss with convolutions at their random start. The report's dashed line hardly falls "
         "below ln 50 = 3.91, because its loss applied the softmax twice."),
        (7, FROZEN, ("accuracy",), "Accuracy with convolutions at their random start: only the dense layers learn, "
         "from random features."),
        (8, TRAINED, ("loss",), "Loss with trained convolutions. The report's dashed line stays near 3.91 here too."),
        (9, TRAINED, ("accuracy",), "Accuracy with trained convolutions. The difference from figure 7 is the gain "
         f"from training the convolutions: on validation and test images together {differences}."),
    )  # fmt: skip
    return [
        page.heading("Training"),
        "Lines are means over the seeds; bands reach from the lowest seed to the highest. Training figures are those "
        "of the epoch itself, from augmented images where there is augmentation, so they may lie below validation. "
        "Dashed lines are the report's own records, of its own data; there are none of its perceptrons.",
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


def _confusion(title: str, outcome: Outcome, inputs: Inputs) -> list[Piece]:
    """Return the confusions and mistakes of the first seed of the row that is best on validation data."""
    images, labels = inputs.pixels["test"]
    outputs = outcome.arrays["test_outputs"]
    names = inputs.classes[: outputs.shape[1]]
    matrix = (
        f"Figure 10. The confusions of the {title} on the test images (the best row on validation data, its first "
        "seed). The diagonal holds the right answers. A dark cell beside it marks a class that is often taken for "
        "another."
    )
    mistakes = (
        f"Figure 11. The test images on which the {title} is most confidently wrong: its prediction, its probability, "
        "and the label. Would the colours or the outline mislead you too?"
    )
    pairs = (
        "Figure 12. Its most frequent confusions: the class, the class that it was taken for, and how many of the "
        "class's test images were, with the first of them."
    )
    return [
        Plate(name, caption, [figure_of(axes)], description, wide=True)
        for name, caption, axes, description in (
            ("figure-10", matrix, plots.confusion(labels, outputs, names), "confusion matrix"),
            ("figure-11", mistakes, plots.mistakes(images, labels, outputs, names), "misclassified test images"),
            ("figure-12", pairs, plots.confusions(images, labels, outputs, names), "confused test images"),
        )
    ]


def _filters(by_name: Summaries, outcomes: Outcomes, inputs: Inputs) -> Plate:
    shape = inputs.pixels["train"][0].shape[1:]
    shown = ["lenet5", "lenet5_grad", "lenet5_relu", "improved_grad"]
    if inputs.features is None:
        shown.append("perceptron_sigmoid")
    sheets = []
    for name in shown:
        weights = first_weights(outcomes[name][0].network)
        axes = plots.filters(weights if weights.ndim == KERNEL_AXES else weights.reshape(*shape, -1))
        axes.set_title(by_name[name]["title"])
        sheets.append(figure_of(axes))
    caption = (
        "Figure 13. The filters of the first layers (first seed; for the perceptron, its first units), each scaled to "
        "its own range. The random filters look like noise; look for edges, colours and blobs in the trained ones."
    )
    return Plate("figure-13", caption, sheets, "filters of the first layers", wide=True)


def _printed(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
