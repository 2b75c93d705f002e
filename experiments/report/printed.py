"""The report itself, the figures that it prints, and the training records that its author published.

The last three validation accuracies of the report stand beside the wrong names: the records end at other values. The
data were another set of 50 classes (63,325 / 450 / 450 images), so only the order of magnitude can be compared.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import NamedTuple

TITLE = "Deep Learning HW2"
PLACE = "Institute of Data Science, National Cheng Kung University, Tainan; it bears no date"
ADDRESS = "https://github.com/OhhhYaaa/-Deep-Learning-HW2"  # the report, its code and its training records
CLASSES = 50
OTHER_DATA = "The report's figures are of another data set of 50 classes: 63,325 training, 450 and 450 other images."


class Printed(NamedTuple):
    """A row as the report names it, and its accuracies as printed.

    `recorded_val` is the last validation accuracy of its training record.
    """

    name: str
    train: float | None
    val: float | None
    test: float | None
    recorded_val: float | None = None

    @property
    def misprinted(self) -> bool:
        """Whether the record ends at another validation accuracy than the printed one."""
        return self.recorded_val not in (None, self.val)


PRINTED = {
    "perceptron_sigmoid": Printed("Mine With Sigmoid", 0.0740, 0.0689, 0.0644),
    "perceptron_own": Printed("Mine With Own Act", 0.2487, 0.1533, 0.1622),
    "sklearn_perceptron": Printed("SKLearn", 0.0501, 0.0511, 0.0444),
    "lenet5": Printed("LeNet5", None, 0.1244, 0.1178, 0.1244),
    "lenet5_grad": Printed("LeNet5grad", None, 0.0956, 0.1689, 0.1644),
    "improved": Printed("Improved", None, 0.0689, 0.0978, 0.0956),
    "improved_grad": Printed("Improvedgrad", None, 0.1644, 0.1689, 0.0689),
}
_MISPRINTED = [printed for printed in PRINTED.values() if printed.misprinted]
MISPRINT = (
    f"The report prints the validation accuracies {', '.join(f'{p.val:.4f}' for p in _MISPRINTED)} beside "
    f"{', '.join(p.name for p in _MISPRINTED)}. They stand beside the wrong names: its own training records end at "
    f"{', '.join(f'{p.recorded_val:.4f}' for p in _MISPRINTED)}."
)


@cache
def records() -> dict[str, dict[str, list[float]]]:
    """Return the records of the four LeNets: "train_loss" and "val_accuracy" by epoch, for one "train_accuracy" too."""
    text = (Path(__file__).parent / "records.json").read_text(encoding="utf-8")
    return {name: record for name, record in json.loads(text).items() if name in PRINTED}


def comparable(classes: int) -> bool:
    """Return whether the report's figures may share axes with those of so many classes: chance must be the same."""
    return classes == CLASSES
