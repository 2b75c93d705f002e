"""Learning curves."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot

from functional_nn import FitResult, plots


def history(*losses, val=True):
    return [
        {"epoch": i + 1, "loss": loss, "accuracy": 1 - loss, "val_loss": 2 * loss if val else None, "seconds": 1.0}
        for i, loss in enumerate(losses)
    ]


def curves(axes):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}


ONE = history(0.5, 0.25, 0.125)


@pytest.mark.parametrize("histories", [ONE, FitResult({}, (), ONE), [ONE], [FitResult({}, (), ONE)]])
def test_one_history_is_two_lines(histories):
    axes = plots.learning_curves(histories)
    assert curves(axes) == {
        "training": ([1, 2, 3], [0.5, 0.25, 0.125]),
        "validation": ([1, 2, 3], [1.0, 0.5, 0.25]),
    }
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("epoch", "loss", "loss")
    assert axes.get_legend() is not None


def test_without_validation_there_is_one_line():
    assert list(curves(plots.learning_curves(history(0.5, 0.25, val=False)))) == ["training"]
    assert list(curves(plots.learning_curves(ONE, "seconds"))) == ["training"]


def test_several_are_a_mean_and_a_band_as_far_as_all_go():
    axes = plots.learning_curves([history(0.5, 0.3, val=False), history(0.7, 0.5, 0.4, val=False)])
    mean, tail = axes.lines
    np.testing.assert_allclose(mean.get_ydata(), [0.6, 0.4])
    assert (list(tail.get_xdata()), list(tail.get_ydata())) == ([2, 3], [0.5, 0.4])
    band = axes.collections[0].get_paths()[0].vertices
    assert {(x, round(y, 6)) for x, y in band} == {(1, 0.5), (1, 0.7), (2, 0.3), (2, 0.5)}
    assert axes.get_title() == "loss, 2 runs"


def test_calls_may_share_axes():
    axes = plots.learning_curves(ONE, label="adam")
    assert plots.learning_curves(ONE, label="sgd", ax=axes) is axes
    assert list(curves(axes)) == ["adam, training", "adam, validation", "sgd, training", "sgd, validation"]
    assert len({line.get_color() for line in axes.lines}) == 4
    assert len(pyplot.get_fignums()) == 1


def test_a_single_epoch_is_a_point():
    (line,) = plots.learning_curves(history(0.5, val=False)).lines
    assert line.get_marker() == "o"


@pytest.mark.parametrize(
    ("histories", "what", "error", "message"),
    [
        ([], "loss", ValueError, "no histories"),
        ([[], ONE], "loss", ValueError, r"histories\[0\] has no epochs"),
        (FitResult({}, (), []), "loss", ValueError, "has no epochs"),
        (ONE, "lost", ValueError, "what is 'lost', expected one of epoch, loss"),
        ([{"loss": np.nan}], "loss", ValueError, "know no loss"),
        ([ONE, 3], "loss", TypeError, r"histories\[1\] is 3, expected a FitResult"),
        ([[0.5, 0.25]], "loss", TypeError, "expected a FitResult or its history"),
    ],
)
def test_what_is_no_history_is_refused(histories, what, error, message):
    with pytest.raises(error, match=message):
        plots.learning_curves(histories, what)
