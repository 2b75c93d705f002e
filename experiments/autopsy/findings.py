"""The findings of the autopsy: paragraphs whose figures come from the run, and the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from experiments.autopsy.ranking import Line, accuracies, row_of
from experiments.autopsy.tables import difference, loss, mean
from experiments.autopsy.variants import AUTHORS, LENET5, NETWORKS, RIGHT, Network, alone, changed
from experiments.running.paired import paired
from experiments.running.summary import Summary

UNDECIDED, NOTHING = "not told from no effect", "changes no seed's accuracy"


def paragraphs(
    ranking: Sequence[Line],
    rows: Sequence[Summary],
    overflow: dict[str, Any],
    classes: int,
    networks: Sequence[Network] = NETWORKS,
) -> list[str]:
    """Return the conclusions from the figures, as text; only what the intervals over seeds tell apart is ranked."""
    texts = [_right_and_authors(rows, classes)] if LENET5.name in {network.name for network in networks} else []
    texts += [_network(network, ranking, rows) for network in networks]
    six = [row for row in rows if (row["network"], row["role"]) == (LENET5.name, alone("6"))]
    return [*texts, *(_no_gradients(row, overflow) for row in six)]


def _right_and_authors(rows: Sequence[Summary], classes: int) -> str:
    right, author = row_of(rows, LENET5, RIGHT), row_of(rows, LENET5, AUTHORS)
    floor = math.log(math.e + classes - 1) - 1
    return (
        f"The right LeNet-5 ends at a loss of {loss(right)} and a test accuracy of {mean(right)}; the author's, with "
        f"defects {', '.join(LENET5.ran)} together, at {loss(author)} and {mean(author)}. A guess has "
        f"ln {classes} = {math.log(classes):.3f} and {1 / classes:.3f}. Because the author's loss takes the softmax "
        f"twice, it cannot fall below {floor:.3f}. Some defects hide others: 3 and 8 change only the gradients of the "
        "convolutions, which defect 2 drops, so repairing 3 or 8 alone changes nothing."
    )


def _network(network: Network, ranking: Sequence[Line], rows: Sequence[Summary]) -> str:
    own = [line for line in ranking if line["network"] == network.name]
    title = f"{network.title[0].upper()}{network.title[1:]}"
    seeds = len(row_of(rows, network, RIGHT)["seeds"])
    if seeds == 1:
        return f"{title}: one seed gives no intervals, so no defect and no repair is ranked."
    head = f"{title}, one defect at a time, {seeds} seeds, accuracy lost:"
    text = f"{head} {_effects(own, 'harm', 'costs', 'raises the accuracy')}."
    return f"{text} {_repairs(network, own, rows)}" if network.ran else text


def _effects(lines: Sequence[Line], name: str, positive: str, negative: str) -> str:
    """Return which differences are positive, negative, not told from none, and none at all."""
    groups: dict[str, list[Line]] = {positive: [], negative: [], UNDECIDED: [], NOTHING: []}
    for line in lines:
        sign = positive if line[name] > 0 else negative
        undecided = NOTHING if line[f"{name}_interval"] == [0.0, 0.0] else UNDECIDED
        groups[sign if line[f"{name}_shows"] else undecided].append(line)
    texts = []
    for verb, chosen in groups.items():
        values = [f"{_titled(line)}{'' if verb == NOTHING else f' {difference(line, name)}'}" for line in chosen]
        texts += [f"{verb}: {', '.join(values)}"] if chosen else []
    return "; ".join(texts)


def _repairs(network: Network, own: Sequence[Line], rows: Sequence[Summary]) -> str:
    """Return which repairs help the author's network; `own` are the network's lines of the table."""
    repairs = sorted((line for line in own if line["defect"] in network.ran), key=lambda line: -line["gain"])
    text = (
        f"One repair at a time in the author's network, accuracy gained: {_effects(repairs, 'gain', 'helps', 'harms')}."
    )
    best, others = repairs[0], repairs[1:]
    if not others:
        return text
    of_best, right = _repaired(network, best, rows), row_of(rows, network, RIGHT)
    leads = [paired(of_best, _repaired(network, line, rows), len(others)) for line in others]
    ahead = all(lead.shows and lead.mean > 0 for lead in leads)
    if not best["gain_shows"] or not ahead:
        return f"{text} No repair is told from all others as the most helpful."
    to_right = paired(of_best, accuracies(right))
    told = "tell" if to_right.shows else "do not tell"
    return (
        f"{text} The most helpful repair is that of {_titled(best)}: it reaches {best['repaired']:.3f}, the right "
        f"network {right['test']:.3f}, a difference of {to_right}: these seeds {told} the two apart."
    )


def _repaired(network: Network, line: Line, rows: Sequence[Summary]) -> list[float]:
    return accuracies(row_of(rows, network, changed(network, line["defect"])))


def _no_gradients(row: Summary, overflow: dict[str, Any]) -> str:
    """Return what is to be said of the defects that are no wrong gradients; `row` is that of defect 6 alone."""
    six = row["seeds"]
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
