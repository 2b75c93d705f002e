"""What the autopsy says: the table as text and for the page, and paragraphs whose figures come from the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from experiments.autopsy.defects import DEFECTS
from experiments.autopsy.figures import draw
from experiments.autopsy.ranking import Row, row_of
from experiments.autopsy.variants import AUTHORS, LENET5, NETWORKS, RIGHT, Network, Variant, alone
from experiments.showing import page

HEADER = ("defect", "network", "checker", "cosine", "error by layer", "loss", "test", "harm", "repaired", "gain")
KEY = (
    "cosine: of the angle to the true gradient, before training, and the mean through it; error by layer: the size of "
    "the gradient's error over the true gradient's, before training; loss: of the last epoch, as the network measures "
    "it; test: accuracy with the defect alone in the right network; harm: what that costs; repaired: accuracy of the "
    "author's network with it alone repaired; gain: what that brings."
)


def table_lines(ranking: Sequence[Row]) -> list[list[str]]:
    """Return the cells of the table of defects, under `HEADER`."""
    return [
        [
            f"{row['defect']}: {row['title']}",
            row["network"],
            row["verdict"] or "no function",
            f"{_number(row['cosine_at_start'], 2)}, {_number(row['cosine'], 2)}",
            " ".join(f"{layer} {_size(error)}" for layer, error in row["errors_at_start"].items()),
            "diverges" if row["diverged"] else _number(row["loss"], 3),
            _accuracy(row["test"], row["test_sd"]),
            f"{row['harm']:+.3f}",
            "" if row["repaired"] is None else _accuracy(row["repaired"], row["repaired_sd"]),
            "" if row["gain"] is None else f"{row['gain']:+.3f}",
        ]
        for row in ranking
    ]


def text_table(ranking: Sequence[Row], rows: Sequence[Row]) -> str:
    """Return the table as text, the networks without and with all defects above it."""
    lines = [
        f"{row['model']:<36}loss {_loss(row):<9} test {_accuracy(row['test'], row['test_sd'])}" for row in _ends(rows)
    ]
    cells = [list(HEADER), *table_lines(ranking)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEADER))]
    table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([*lines, "", *table])


def paragraphs(ranking: Sequence[Row], rows: Sequence[Row], overflow: dict[str, Any], classes: int) -> list[str]:
    """Return what the figures mean."""
    said = [_networks(rows, classes)]
    said += [_network(network, ranking, rows) for network in NETWORKS]
    return [*said, _no_gradients(rows, overflow)]


def pieces(results: dict[str, Any]) -> list[page.Piece]:
    """Return the page of a finished run."""
    rows, ranking, classes = results["rows"], results["defects"], results["classes"]
    made: list[page.Piece] = [
        page.paragraph(f"{results['data']}. Means of {len(results['seeds'])} seeds ± their standard deviation.")
    ]
    made += [page.paragraph(text) for text in results["findings"]]
    made += [page.heading("The defects, the most harmful first"), page.table(KEY, HEADER, table_lines(ranking))]
    for network in NETWORKS:
        own = [row for row in ranking if row["network"] == network.name]
        caption = (
            f"The {network.title}. a: a network learns while its loss falls; the dotted line is a guess's. b, c: the "
            "right network's gradient against this one's, at the same parameters on the same batch; c shows where it "
            "is wrong: every layer before a wrong backward gets the wrong message. d: what one defect costs the right "
            "network (from its line), and what repairing one alone brings the author's (from its line)."
        )
        made.append(
            page.Plate(network.name, caption, [draw(network, rows, own, classes)], f"autopsy of {network.title}")
        )
    made += [page.heading("What is wrong, and what is right"), _descriptions()]
    made += [page.heading("All that was trained"), _all(rows)]
    return made


def _networks(rows: Sequence[Row], classes: int) -> str:
    right, author = row_of(rows, LENET5, RIGHT), row_of(rows, LENET5, AUTHORS)
    floor = math.log(math.e + classes - 1) - 1
    return (
        f"The right LeNet-5 ends at a loss of {_loss(right)} and a test accuracy of {right['test']:.3f}; the author's, "
        f"with defects {', '.join(LENET5.ran)} together, at {_loss(author)} and {author['test']:.3f}, where a guess "
        f"has ln {classes} = {math.log(classes):.3f} and {1 / classes:.3f}. With its softmax taken twice its loss "
        f"could not fall below {floor:.3f} whatever it learned. Defects hide each other: 3 and 8 spoil nothing but the "
        "convolutions' gradients, which 2 drops, so that repairing either alone changes nothing."
    )


def _network(network: Network, ranking: Sequence[Row], rows: Sequence[Row]) -> str:
    own, right = [row for row in ranking if row["network"] == network.name], row_of(rows, network, RIGHT)
    costs = [f"{_titled(row)} costs {row['harm']:.3f}" for row in own if row["harm"] > _spread(row, right)]
    helps = [f"{_titled(row)} {-row['harm']:.3f}" for row in own if -row["harm"] > _spread(row, right)]
    said = (
        f"{network.title[0].upper()}{network.title[1:]}, one defect at a time: {'; '.join(costs) or 'none costs much'}."
    )
    if helps:
        said += f" Wrong is not always worse within so many epochs: above the right network are {', '.join(helps)}."
    if not network.ran:
        return said
    best = max((row for row in own if row["defect"] in network.ran), key=lambda row: row["gain"])
    author = row_of(rows, network, AUTHORS)
    if best["gain"] <= _spread(author, author):
        return f"{said} In the author's network no repair alone brings anything: the others still stand in its way."
    enough = best["repaired"] >= 0.9 * right["test"]
    return (
        f"{said} In the author's network the repair that brings most is that of {_titled(best)}: from "
        f"{author['test']:.3f} to {best['repaired']:.3f}, where the right network has {right['test']:.3f}: "
        f"{'it alone held the network back' if enough else 'the other defects still stand in its way'}."
    )


def _no_gradients(rows: Sequence[Row], overflow: dict[str, Any]) -> str:
    six = row_of(rows, LENET5, alone("6"))["seeds"]
    changed, by_itself = (sum(record[key] for record in six) / len(six) for key in ("test_changed", "test_alone"))
    seconds = overflow["seconds"]
    dtypes = ", ".join(f"{limit:,} in {name}" for name, limit in overflow["largest_logit"].items())
    return (
        "Three defects are no wrong gradients. 5 is a start: the checker passes it. 6 is a preparation of data: "
        f"training does not see it, and {changed:.1%} of the test images are judged differently, since the splits' "
        "means are close; with every image centred by itself, as a split of one image would be, accuracy is "
        f"{by_itself:.3f}. 9 is arithmetic: the softmax without its maximum bears logits up to {dtypes}; at "
        f'{overflow["logits_checked"]:,.0f} the checker says "{overflow["naive"]}" of it and "{overflow["right"]}" of '
        "the right one. Where nothing overflows its gradient is right; the rescue costs "
        f"{seconds['naive'] / seconds['right']:.0f} times the right softmax's time."
    )


def _titled(row: Row) -> str:
    return f"{row['title']} ({row['defect']})"


def _descriptions() -> str:
    lines = [[f"{defect.name}: {defect.title}", defect.wrong, defect.right] for defect in DEFECTS.values()]
    return page.table("Every defect with its right form.", ("defect", "wrong", "right"), lines)


def _all(rows: Sequence[Row]) -> str:
    lines = [
        [row["model"], _loss(row), *(_accuracy(row[part], row[f"{part}_sd"]) for part in ("train", "val", "test"))]
        for row in rows
    ]
    return page.table("", ("network", "loss", "train", "val", "test"), lines)


def _ends(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row["role"] in (RIGHT, AUTHORS)]


def _spread(row: Row, other: Row) -> float:
    """Return twice the standard error of a difference of means over the seeds, at least one image in a hundred."""
    n = len(other["seeds"])
    return max(0.01, 2 * math.sqrt(((row["test_sd"] or 0.0) ** 2 + (other["test_sd"] or 0.0) ** 2) / n))


def _loss(row: Row) -> str:
    return "diverges" if row["loss"] is None else f"{row['loss']:.4f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _size(error: float | None) -> str:
    return "-" if error is None else f"{error:.1e}" if error >= 1000 else f"{error:.2g}"


def _accuracy(mean: float, deviation: float | None) -> str:
    return f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"


def variants_said(variants: Sequence[Variant]) -> str:
    """Return how many networks of which kinds are trained."""
    counts = {network.title: sum(v.network is network for v in variants) for network in NETWORKS}
    return ", ".join(f"{count} of {title}" for title, count in counts.items())
