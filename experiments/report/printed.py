"""The figures that the report prints, and the training records that its author published.

The last three validation accuracies of the report stand beside the wrong names: the records end at other values. The
data were another set of 50 classes (63,325 / 450 / 450 images), so only the order of magnitude can be compared.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

MISPRINT = (
    "Three of the report's printed validation figures (LeNet5grad, Improved, Improvedgrad) stand beside the wrong "
    "names: its own training records end at the values that are listed here as recorded."
)
OTHER_DATA = "The report's figures are of another data set of 50 classes: 63,325 training, 450 and 450 other images."


class Printed(NamedTuple):
    """Accuracies as the report prints them; `recorded_val` is the last validation accuracy of its training record."""

    train: float | None
    val: float | None
    test: float | None
    recorded_val: float | None = None


PRINTED = {
    "perceptron_sigmoid": Printed(0.0740, 0.0689, 0.0644),
    "perceptron_own": Printed(0.2487, 0.1533, 0.1622),
    "sklearn_perceptron": Printed(0.0501, 0.0511, 0.0444),
    "lenet5": Printed(None, 0.1244, 0.1178, 0.1244),
    "lenet5_grad": Printed(None, 0.0956, 0.1689, 0.1644),
    "improved": Printed(None, 0.0689, 0.0978, 0.0956),
    "improved_grad": Printed(None, 0.1644, 0.1689, 0.0689),
}


@cache
def records() -> dict[str, dict[str, list[float]]]:
    """Return the records of the four LeNets: "train_loss" and "val_accuracy" by epoch, for one "train_accuracy" too."""
    text = (Path(__file__).parent / "records.json").read_text(encoding="utf-8")
    return {name: record for name, record in json.loads(text).items() if name in PRINTED}
