"""The table of defects: as text, for the page, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.autopsy.ranking import Line, accuracies
from experiments.autopsy.variants import AUTHORS, RIGHT
from experiments.running.paired import Difference, t_interval
from experiments.running.summary import Summary

HEADER = (
    "defect",
    "network",
    "checker",
    "cosine",
    "error by layer",
    "loss",
    "test",
    "harm",
    "rank",
    "repaired",
    "gain",
)
KEY = (
    "cosine: of the angle to the true gradient, before training, and its mean over training; error by layer: the size "
    "of the gradient's error divided by that of the true gradient, before training; loss: of the last epoch, by the "
    "network's own loss; test: accuracy of the right network with the defect alone; harm: the right network's accuracy "
    "minus that; rank: the places that the intervals between the network's defects leave open, 1 the most harmful; "
    "repaired: accuracy of the author's network with this defect alone repaired; gain: that minus the accuracy of the "
    "author's network. Harm and gain are means of differences seed by seed; the intervals of all defects of a network "
    "hold together with 95 %, for other seeds on the same images."
)
MARKDOWN_HEADER = (
    "| defect | checker | cosine, mean | alone: test | harm | rank | alone repaired: test | gain |",
    "|---|---|---|---|---|---|---|---|",
)


def table_lines(ranking: Sequence[Line]) -> list[list[str]]:
    """Return the cells of the table of defects, under `HEADER`."""
    return [
        [
            f"{line['defect']}: {line['title']}",
            line["network"],
            line["verdict"] or "no function",
            f"{_number(line['cosine_at_start'], 2)}, {_number(line['cosine'], 2)}",
            " ".join(f"{layer} {_size(error)}" for layer, error in line["errors_at_start"].items()),
            "diverges" if line["diverged"] else _number(line["loss"], 3),
            accuracy(line["test"], line["test_sd"]),
            str(difference(line, "harm")),
            places(line["rank"]),
            "" if line["repaired"] is None else accuracy(line["repaired"], line["repaired_sd"]),
            "" if line["gain"] is None else str(difference(line, "gain")),
        ]
        for line in ranking
    ]


def text_table(ranking: Sequence[Line], rows: Sequence[Summary]) -> str:
    """Return the table as text, after a line for each network without defects and with all the author's."""
    cells = [list(HEADER), *table_lines(ranking)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADER))]
    table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([*(f"{row['model']:<36}loss {loss(row):<9} test {mean(row)}" for row in _ends(rows)), "", *table])


def markdown(ranking: Sequence[Line], rows: Sequence[Summary]) -> str:
    """Return, as Markdown, the networks without defects and with all the author's, and the table of defects."""
    ends = [f"| {row['model']} | {loss(row)} | {mean(row)} |" for row in _ends(rows)]
    lines = []
    for line in ranking:
        verdict, network = (
            line["verdict"] or "no function",
            "" if line["network"] == "lenet5" else f" ({line['network']})",
        )
        cells = [
            f"{line['defect']}: {line['title']}{network}",
            verdict,
            _number(line["cosine"], 2),
            f"{line['test']:.3f}{', diverges' if line['diverged'] else ''}",
            _bold(line, "harm"),
            places(line["rank"]),
            "" if line["repaired"] is None else f"{line['repaired']:.3f}",
            "" if line["gain"] is None else _bold(line, "gain"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    head = ["| network | loss | test, 95 % over seeds |", "|---|---|---|"]
    return "\n".join([*head, *ends, "", *MARKDOWN_HEADER, *lines]) + "\n"


def difference(line: Line, name: str) -> Difference:
    """Return a line's "harm" or "gain" with its interval."""
    return Difference(line[name], *(line[f"{name}_interval"] or (None, None)))


def places(rank: Sequence[int]) -> str:
    """Return the best and the worst rank as text: "3", or "3 to 5"."""
    low, high = rank
    return str(low) if low == high else f"{low} to {high}"


def mean(row: Summary) -> str:
    """Return a variant's test accuracy with the 95 % interval of the mean over seeds, or that it is of one seed."""
    interval = t_interval(accuracies(row))
    return f"{row['test']:.3f} ({'one seed' if interval is None else f'{interval[0]:.3f} to {interval[1]:.3f}'})"


def loss(row: Summary) -> str:
    """Return a variant's loss at the end of training."""
    return "diverges" if row["loss"] is None else f"{row['loss']:.4f}"


def accuracy(mean: float, deviation: float | None) -> str:
    """Return a mean with its standard deviation, where there is one."""
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def _ends(rows: Sequence[Summary]) -> list[Summary]:
    return [row for row in rows if row["role"] in (RIGHT, AUTHORS)]


def _bold(line: Line, name: str) -> str:
    """Return a difference, in bold where its interval excludes zero."""
    return f"**{difference(line, name)}**" if line[f"{name}_shows"] else str(difference(line, name))


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _size(error: float | None) -> str:
    return "-" if error is None else f"{error:.1e}" if error >= 1000 else f"{error:.2g}"
