"""The report's printed figures agree with its training records."""

from __future__ import annotations

import pytest

from experiments.report.printed import PRINTED, records


@pytest.mark.parametrize("name", ["lenet5", "lenet5_grad", "improved", "improved_grad"])
def test_the_recorded_figures_are_where_the_records_end(name):
    record = records()[name]
    assert record["val_accuracy"][-1] == PRINTED[name].recorded_val
    assert len(record["train_loss"]) == len(record["val_accuracy"]) == 30
