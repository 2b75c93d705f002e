"""The findings of the autopsy: the table of defects, the page, and paragraphs whose figures come from the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from experiments.autopsy.defects import DEFECTS
from experiments.autopsy.figures import draw
from experiments.autopsy.ranking import Line, row_of
from experiments.autopsy.variants import AUTHORS, LENET5, NETWORKS, RIGHT, Network, alone
from experiments.running.summary import Summary
from experiments.showing import page

HEADER = ("defect", "network", "checker", "cosine", "error by layer", "loss", "test", "harm", "repaired", "gain")
KEY = (
    "cosine: of the angle to the true gradient, before training, and its mean over training; error by layer: the size "
    "of the gradient's error divided by that of the true gradient, before training; loss: of the last epoch, by the "
    "network's own loss; test: accuracy of the right network with the defect alone; harm: the right network's accuracy "
    "minus that; repaired: accuracy of the author's network with this defect alone repaired; gain: that minus the "
    "accuracy of the author's network."
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
            _accuracy(line["test"], line["test_sd"]),
            f"{line['harm']:+.3f}",
            "" if line["repaired"] is None else _accuracy(line["repaired"], line["repaired_sd"]),
            "" if line["gain"] is None else f"{line['gain']:+.3f}",
        ]
        for line in ranking
    ]


def text_table(ranking: Sequence[Line], rows: Sequence[Summary]) -> str:
    """Return the table as text, after a line for each network without defects and with all the author's."""
    ends = [row for row in rows if row["role"] in (RIGHT, AUTHORS)]
    lines = [f"{row['model']:<36}loss {_loss(row):<9} test {_accuracy(row['test'], row['test_sd'])}" for row in ends]
    cells = [list(HEADER), *table_lines(ranking)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADER))]
    table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([*lines, "", *table])


def paragraphs(ranking: Sequence[Line], rows: Sequence[Summary], overflow: dict[str, Any], classes: int) -> list[str]:
    """Return the conclusions from the figures, as text."""
    networks = [_network(network, ranking, rows) for network in NETWORKS]
    return [_right_and_authors(rows, classes), *networks, _no_gradients(rows, overflow)]


def pieces(results: dict[str, Any]) -> list[page.Piece]:
    """Return the page of a finished run."""
    rows, ranking, classes = results["rows"], results["defects"], results["classes"]
    plates = [_plate(network, rows, ranking, classes) for network in NETWORKS]
    return [
        f"{results['data']}. Means of {len(results['seeds'])} seeds ± their standard deviation.",
        *results["findings"],
        page.heading("The defects, the most harmful first"),
        page.table(KEY, HEADER, table_lines(ranking)),
        *plates,
        page.heading("Each defect and its right form"),
        _descriptions(),
        page.heading("All trained networks"),
        _all_networks(rows),
    ]


def _plate(network: Network, rows: Sequence[Summary], ranking: Sequence[Line], classes: int) -> page.Plate:
    own = [line for line in ranking if line["network"] == network.name]
    caption = (
        f"The {network.title}. a: the training loss; the dotted line is that of a guess. b and c: the cosine between "
        "this network's gradient and the right network's, at the same parameters on the same batch; in c by layer: "
        "a wrong backward spoils the gradients of all layers before it. d: the test accuracy of the right network with "
        "one defect, from the line of the right network, and of the author's with one defect repaired, from its line."
    )
    return page.Plate(network.name, caption, [draw(network, rows, own, classes)], f"autopsy of {network.title}")


def _right_and_authors(rows: Sequence[Summary], classes: int) -> str:
    right, author = row_of(rows, LENET5, RIGHT), row_of(rows, LENET5, AUTHORS)
    floor = math.log(math.e + classes - 1) - 1
    return (
        f"The right LeNet-5 ends at a loss of {_loss(right)} and a test accuracy of {right['test']:.3f}; the author's, "
        f"with defects {', '.join(LENET5.ran)} together, at {_loss(author)} and {author['test']:.3f}. A guess has "
        f"ln {classes} = {math.log(classes):.3f} and {1 / classes:.3f}. Because the author's loss takes the softmax "
        f"twice, it cannot fall below {floor:.3f}. Some defects hide others: 3 and 8 change only the gradients of the "
        "convolutions, which defect 2 drops, so repairing 3 or 8 alone changes nothing."
    )


def _network(network: Network, ranking: Sequence[Line], rows: Sequence[Summary]) -> str:
    own, right = [line for line in ranking if line["network"] == network.name], row_of(rows, network, RIGHT)
    costs = [f"{_titled(line)} costs {line['harm']:.3f}" for line in own if line["harm"] > _spread(line, right)]
    helps = [f"{_titled(line)} by {-line['harm']:.3f}" for line in own if -line["harm"] > _spread(line, right)]
    title = f"{network.title[0].upper()}{network.title[1:]}"
    text = f"{title}, one defect at a time: {'; '.join(costs) or 'none costs much'}."
    if helps:
        text += f" A defect need not harm within so few epochs; these raise the accuracy: {', '.join(helps)}."
    return f"{text} {_repairs(network, own, rows)}" if network.ran else text


def _repairs(network: Network, own: Sequence[Line], rows: Sequence[Summary]) -> str:
    """Return which repair helps the author's network most; `own` are the network's lines of the table."""
    best = max((line for line in own if line["defect"] in network.ran), key=lambda line: line["gain"])
    author, right = row_of(rows, network, AUTHORS), row_of(rows, network, RIGHT)
    if best["gain"] <= _spread(author, author):
        return "In the author's network no repair alone helps, because the other defects remain."
    enough = best["repaired"] >= 0.9 * right["test"]
    return (
        f"In the author's network the most helpful repair is that of {_titled(best)}: from {author['test']:.3f} to "
        f"{best['repaired']:.3f}; the right network has {right['test']:.3f}. "
        f"{'This defect alone held the network back.' if enough else 'The other defects still hold the network back.'}"
    )


def _no_gradients(rows: Sequence[Summary], overflow: dict[str, Any]) -> str:
    six = row_of(rows, LENET5, alone("6"))["seeds"]
    changed, by_itself = (sum(record[key] for record in six) / len(six) for key in ("test_changed", "test_alone"))
    seconds = overflow["seconds"]
    dtypes = ", ".join(f"{limit:,} in {name}" for name, limit in overflow["largest_logit"].items())
    return (
        "Three defects are no wrong gradients. Defect 5 is a wrong start: the checker passes it. Defect 6 is a wrong "
        f"preparation of the data: training is not affected, and {changed:.1%} of the test images are classified "
        "differently, since the splits' means are close. If every image is centred by itself, as a split of one image "
        f"would be, the accuracy is {by_itself:.3f}. Defect 9 is arithmetic: the softmax without its maximum overflows "
        f"for logits above {dtypes}. At {overflow['logits_checked']:,.0f} the checker's verdict on it is "
        f'"{overflow["naive"]}", and on the right one "{overflow["right"]}". Where nothing overflows its gradient is '
        f"right; the author's remedy takes {seconds['naive'] / seconds['right']:.0f} times the right softmax's time."
    )


def _titled(line: Line) -> str:
    return f"{line['title']} ({line['defect']})"


def _descriptions() -> page.Html:
    lines = [[f"{defect.name}: {defect.title}", defect.wrong, defect.right] for defect in DEFECTS.values()]
    return page.table("Every defect with its right form.", ("defect", "wrong", "right"), lines)


def _all_networks(rows: Sequence[Summary]) -> page.Html:
    lines = [
        [row["model"], _loss(row), *(_accuracy(row[part], row[f"{part}_sd"]) for part in ("train", "val", "test"))]
        for row in rows
    ]
    return page.table("", ("network", "loss", "train", "val", "test"), lines)


def _spread(one: Summary | Line, other: Summary) -> float:
    """Return twice the standard error of a difference of means over the seeds, at least one image in a hundred."""
    n = len(other["seeds"])
    return max(0.01, 2 * math.sqrt(((one["test_sd"] or 0.0) ** 2 + (other["test_sd"] or 0.0) ** 2) / n))


def _loss(row: Summary) -> str:
    return "diverges" if row["loss"] is None else f"{row['loss']:.4f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _size(error: float | None) -> str:
    return "-" if error is None else f"{error:.1e}" if error >= 1000 else f"{error:.2g}"


def _accuracy(mean: float, deviation: float | None) -> str:
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"
