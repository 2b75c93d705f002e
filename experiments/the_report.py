"""The figures that the report prints, and those of its author's own training records.

The three last rows of the report's validation column stand against the wrong names: the records end elsewhere.
The data were another set of 50 classes (63,325 / 450 / 450 images), so only the order of magnitude compares.
"""

from __future__ import annotations

from typing import NamedTuple


class Printed(NamedTuple):
    """Accuracies as the report prints them; `recorded_val` is where its training record ends."""

    train: float | None
    val: float
    test: float
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
