"""How often a network is right: over all images, class by class, and what it takes for what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from functional_nn.anatomy.table import table
from functional_nn.answers import answers, counts_of, frequent_confusions, short_names, wilson
from functional_nn.cli.options import printable
from functional_nn.trained import Trained

__all__ = ["Recall", "Scores", "scores_of", "shortened"]

MOST_CONFUSIONS = 10
LONGEST = 32  # letters of a name in a table


class Recall(NamedTuple):
    """So many of the images of a class are right."""

    name: str
    right: int
    n: int


class Scores(NamedTuple):
    """The right ones among n images, the 95 % interval of their share, recall by class, and frequent confusions.

    Recalls fall, equals in the order of the classes, classes without images left out. A confusion is (class, predicted
    class, times). `short` are the names of all classes as tables show them.
    """

    right: int
    n: int
    low: float
    high: float
    recalls: tuple[Recall, ...]
    confusions: tuple[tuple[str, str, int], ...]
    short: dict[str, str]

    def __str__(self) -> str:
        share = f"{self.right / self.n:.1%} (95 % interval {self.low:.1%} to {self.high:.1%})"
        return f"{self.right:,} of {self.n:,} images are right: {share}"

    def tables(self) -> str:
        """Return the recalls, and the confusions where there are some, as tables of text."""
        rows = [[self.short[r.name], f"{r.right / r.n:.0%}", f"{r.right:,}", f"{r.n:,}"] for r in self.recalls]
        text = table(("class", "recall", "right", "images"), rows)
        if self.confusions:
            pairs = [[self.short[label], self.short[taken], f"{times:,}"] for label, taken, times in self.confusions]
            text += "\n\n" + table(("most frequent confusions", "taken for", "times"), pairs, left=2)
        return text

    def plain(self) -> dict[str, Any]:
        """Return the scores as JSON and files hold them."""
        return {
            "accuracy": self.right / self.n,
            "interval": [self.low, self.high],
            "right": self.right,
            "images": self.n,
            "recalls": [recall._asdict() for recall in self.recalls],
            "confusions": [dict(zip(("class", "taken_for", "times"), pair, strict=True)) for pair in self.confusions],
        }


def scores_of(network: Trained, labels: np.ndarray, outputs: np.ndarray) -> Scores:
    """Return the scores of outputs (n, classes) of the network for images with these labels (n,)."""
    given = answers("evaluate", labels, outputs, network.classes, network.loss)
    counts = counts_of(given)
    right, n = int(counts.trace()), len(labels)
    low, high = wilson(right / n, n)
    rows = zip(network.classes, counts.diagonal().tolist(), counts.sum(axis=1).tolist(), strict=True)
    recalls = sorted((Recall(*row) for row in rows if row[2]), key=lambda recall: -recall.right / recall.n)
    confusions = frequent_confusions(labels, given.predicted, MOST_CONFUSIONS)
    names = tuple((network.classes[i], network.classes[j], times) for i, j, times in confusions)
    return Scores(right, n, low, high, tuple(recalls), names, shortened(network.classes))


def shortened(classes: Sequence[str]) -> dict[str, str]:
    """Return each class's name as a table shows it: up to its first comma where that tells them apart."""
    return {name: printable(short) for name, short in zip(classes, short_names(classes, LONGEST), strict=True)}
