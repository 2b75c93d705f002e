"""The report's own curves beside those of a run."""

from __future__ import annotations

from experiments.showing.curves import panel

HISTORY = [{"epoch": i, "loss": 1 / i, "accuracy": 0.5, "val_loss": 2 / i, "val_accuracy": 0.4} for i in (1, 2, 3)]
SUMMARY = {"model": "a_row", "seeds": [{"history": HISTORY}, {"history": HISTORY}]}


def test_the_reports_curves_are_dashed_and_have_the_colours_of_ours():
    figure = panel(SUMMARY, "loss", {"val_loss": [3.0, 2.0], "train_accuracy": [0.1]})
    (axes,) = figure.axes
    ours, theirs = {line.get_label(): line for line in axes.lines}, axes.lines[-1]
    assert list(ours) == ["training", "validation", "the report, validation"]
    assert (list(theirs.get_xdata()), list(theirs.get_ydata())) == ([1, 2], [3.0, 2.0])
    assert theirs.get_linestyle() == "--"
    assert theirs.get_color() == ours["validation"].get_color() != ours["training"].get_color()
    assert axes.get_title() == "a_row: loss"


def test_without_records_there_are_ours_alone():
    assert len(panel(SUMMARY, "accuracy").axes[0].lines) == 2
