"""The page of `experiments.autopsy`: the wrong and the right formulas, the tables of results, and the drawings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.autopsy.defects import DEFECTS
from experiments.autopsy.figures import Findings, draw, draw_accuracies, draw_course, draw_layers
from experiments.autopsy.ranking import Line
from experiments.autopsy.tables import HEADER, KEY, table_lines
from experiments.autopsy.variants import AUTHORS, LENET5, NETWORKS, PERCEPTRON, RIGHT, Network, changed
from experiments.report.printed import ADDRESS, PLACE, PRINTED, TITLE, comparable, records
from experiments.running.summary import Summary, cell
from experiments.showing.page import Heading, Link, Panel, Piece, Plate, Table, write_picture

OF_GRADIENTS = ("checker", "cosine", "error by layer", "loss")  # columns of the second table; the others are results
LAST = ("network",)  # behind the results, which a narrow page then shows
NAMES = (  # a network here, the same in experiments.reproduce, the report's row
    (LENET5, RIGHT, "lenet5_grad", "its defects repaired: no row"),
    (LENET5, AUTHORS, "", PRINTED["lenet5"].name),
    (LENET5, changed(LENET5, "2"), "", PRINTED["lenet5_grad"].name),
    (PERCEPTRON, RIGHT, "perceptron_sigmoid", "its defects repaired: no row"),
    (PERCEPTRON, AUTHORS, "", PRINTED["perceptron_sigmoid"].name),
)


def autopsy_page(results: dict[str, Any]) -> tuple[str, list[Piece]]:
    """Return the page of a finished run: its title and its pieces."""
    rows, ranking = results["rows"], results["defects"]
    tried = [network for network in NETWORKS if any(line["network"] == network.name for line in ranking)]
    seeds = len(results["seeds"])
    over = f"Figures are means of {seeds} seeds" if seeds > 1 else "One seed"
    return "The autopsy of a report", [
        Link("The report: ", TITLE, ADDRESS, f", {PLACE}. Why are its accuracies so low?"),
        f"{results['data']}. {over}; chance is {1 / results['classes']:.3f}. The defects of the code behind the report "
        "are put one by one into a right network, and repaired one by one in the author's.",
        Heading("The defects: what was written, and what is right"),
        _formulas(ranking),
        Heading("What each defect does"),
        *_tables(ranking, rows),
        *results["findings"],
        *(piece for network in tried for piece in _drawings(network, ranking, rows, results["classes"])),
        Heading("All trained networks"),
        _names(rows),
        _all_networks(rows),
    ]


def write_overview(directory: Path, results: dict[str, Any]) -> None:
    """Write all drawings of LeNet-5 in one, for other documents: figures/autopsy.svg and autopsy-dark.svg."""
    ranking = [line for line in results["defects"] if line["network"] == LENET5.name]
    if ranking:
        drawing = partial(draw, LENET5, results["rows"], ranking, results["classes"])
        write_picture(directory, "autopsy", Panel(drawing, "autopsy of LeNet-5"))


def _formulas(ranking: Sequence[Line]) -> Table:
    tried = {line["defect"] for line in ranking}
    lines = [[f"{d.name}: {d.title}", d.wrong, d.right] for d in DEFECTS.values() if d.name in tried]
    caption = "Read from wrong to right. `dy` is the gradient by a layer's output `y`, `dx` that by its input `x`."
    return Table(caption, ("defect", "wrong", "right"), lines)


def _tables(ranking: Sequence[Line], rows: Sequence[Summary]) -> list[Piece]:
    """Return the table of defects as two, results and gradients, so that both fit on a page."""
    titles = {network.name: network.title for network in NETWORKS}
    lines = [[titles.get(text, text) for text in line] for line in table_lines(ranking)]
    results = [i for i, name in enumerate(HEADER) if name not in (*OF_GRADIENTS, *LAST)]
    results += [i for i, name in enumerate(HEADER) if name in LAST]
    gradients = [0, *(i for i, name in enumerate(HEADER) if name in OF_GRADIENTS)]
    of_results, of_gradients = (
        [[line[i] for i in columns] for line in [HEADER, *lines]] for columns in (results, gradients)
    )
    return [
        Table(
            "The results, the most harmful defects first; the next table has the gradients and the checker's verdicts.",
            *_split(of_results),
        ),
        Table(f"The gradients. In both tables: {KEY}", *_split(of_gradients)),
    ]


def _split(lines: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    return lines[0], lines[1:]


def _drawings(network: Network, ranking: Sequence[Line], rows: Sequence[Summary], classes: int) -> list[Piece]:
    own = [line for line in ranking if line["network"] == network.name]
    found = Findings(network, own, rows, classes)
    title = f"{network.title[0].upper()}{network.title[1:]}"
    whole = [("all the author's defects", None)] if network.ran else []
    courses = [
        Panel(partial(draw_course, found, line), f"{network.title}: loss and cosine with {text}")
        for text, line in [*whole, *((f"defect {line['defect']}", line) for line in own)]
    ]
    theirs = ""
    if comparable(classes) and network.name in records():
        theirs = f" Dashed: the report's own record of {PRINTED[network.name].name}."
    author = ", green the author's with all its defects" if network.ran else ""
    course = (
        f"{title}, a panel a defect, the most harmful first. Above is the training loss: blue the right network, "
        f"orange the same with the defect{author}, dotted a guess. Bands reach from the lowest seed to the highest; a "
        f"cross is where all diverged.{theirs} Look for losses that stay at the dotted line. Below is the cosine "
        "between the gradient and the true one: 1 is the same direction, 0 is none of it."
    )
    layers = (
        "The same cosine by layer, its mean over training. Read each line from the right: a wrong backward spoils the "
        "gradients of all layers before it, at its left."
    )
    accuracies = (
        "Test accuracy. Orange: how far one defect takes the right network from its line. Green: how far one repair "
        "takes the author's network from its line. Small dots are seeds; thick lines, where there are some, are the "
        "intervals of these changes: one that reaches the line it starts from may be no change at all."
    )
    shared = [Panel(partial(draw_layers, found), f"{network.title}: cosine by layer, a line a defect")]
    changes = [Panel(partial(draw_accuracies, found), f"{network.title}: accuracy with each defect and each repair")]
    return [
        Heading(title),
        Plate(f"{network.name}-courses", course, courses),
        [Plate(f"{network.name}-layers", layers, shared), Plate(f"{network.name}-accuracies", accuracies, changes)],
    ]


def _names(rows: Sequence[Summary]) -> Table:
    trained = {row["model"] for row in rows}
    lines = [
        [f"{network.title}, {role}", f"`{reproduced}`" if reproduced else "", theirs]
        for network, role, reproduced, theirs in NAMES
        if f"{network.title}, {role}" in trained
    ]
    caption = "Which networks are rows elsewhere. Here all train with the report's optimizer and for fewer epochs."
    return Table(caption, ("network here", "row of experiments.reproduce", "row of the report"), lines)


def _all_networks(rows: Sequence[Summary]) -> Table:
    lines = [
        [
            row["model"],
            "diverges" if row["loss"] is None else f"{row['loss']:.4f}",
            *(cell(row, part, 3) for part in ("train", "val", "test")),
        ]
        for row in rows
    ]
    caption = "Every network's last training loss, by its own loss, and its accuracies. Files have the same names."
    return Table(caption, ("network", "loss", "train", "val", "test"), lines)
