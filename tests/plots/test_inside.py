"""Filters, feature maps and the flow of gradients."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot

import functional_nn as fnn
from functional_nn import losses, models, plots

MODEL = models.lenet5(4)
PARAMS = MODEL.init(np.random.default_rng(0), (32, 32, 3))
X = np.random.default_rng(1).standard_normal((5, 32, 32, 3)).astype(np.float32)
LABELS = np.array([0, 1, 2, 3, 0])


def texts(axes):
    return [text.get_text() for text in axes.texts]


def in_unit_range(values):
    return (values - values.min()) / (values.max() - values.min())


@pytest.mark.parametrize("channels", [1, 3])
def test_filters_of_images_are_images_in_their_own_range(channels):
    w = np.random.default_rng(0).standard_normal((5, 5, channels, 6))
    axes = plots.filters(w)
    assert len(axes.images) == 6
    for i, image in enumerate(axes.images):
        np.testing.assert_allclose(image.get_array(), np.squeeze(in_unit_range(w[..., i])), atol=1e-12)
    assert axes.get_title() == "6 filters"


def test_other_filters_are_shown_channel_by_channel():
    w = np.random.default_rng(0).standard_normal((3, 3, 9, 2))
    axes = plots.filters(w)
    assert texts(axes) == ["filter 0", "filter 1"]
    assert len(axes.images) == 16
    np.testing.assert_allclose(axes.images[9].get_array(), in_unit_range(w[..., 1])[..., 1])
    assert axes.get_title() == "2 filters, 8 of 9 channels"


def test_the_first_filters_are_shown_where_there_are_many():
    axes = plots.filters(np.random.default_rng(0).random((3, 3, 1, 40)), most=12)
    assert (len(axes.images), axes.get_title()) == (12, "12 of 40 filters")


def test_equal_weights_are_drawn():
    assert np.all(plots.filters(np.ones((3, 3, 1, 1))).images[0].get_array() == 0)


def test_feature_maps_are_those_of_activations():
    axes = plots.feature_maps(MODEL, PARAMS, X[0], filter="c*", most=4)
    assert texts(axes) == ["image\n32x32, in colour", "c1\n28x28, 4 of 6 channels", "c3\n10x10, 4 of 16 channels"]
    assert len(axes.images) == 1 + 4 + 4
    outputs = fnn.activations(MODEL, PARAMS, X[:1])
    np.testing.assert_allclose(axes.images[3].get_array(), in_unit_range(outputs["c1"][0, ..., 2]), atol=1e-6)


def test_every_layer_with_height_and_width_has_a_line():
    paths = [text.partition("\n")[0] for text in texts(plots.feature_maps(MODEL, PARAMS, X[0]))]
    assert paths == ["image", "c1", "a1", "s2", "c3", "a3", "s4"]


def test_the_flow_is_that_of_the_trace():
    trace = fnn.trace(MODEL, PARAMS, X, LABELS, losses.softmax_cross_entropy)
    axes = plots.gradient_flow(trace)
    outputs, parameters = axes.lines
    assert list(outputs.get_ydata()) == [row.gradient_rms for row in trace.rows]
    with_parameters = [i for i, row in enumerate(trace.rows) if row.parameter_gradient_rms is not None]
    assert list(parameters.get_xdata()) == with_parameters
    assert [label.get_text() for label in axes.get_xticklabels()] == [row.path for row in trace.rows]
    assert axes.get_yscale() == "log"


def test_gradients_that_are_zero_or_not_finite_are_marked():
    params = fnn.tree.map(np.copy, PARAMS)
    params["f6"]["w"][:] = 0
    axes = plots.gradient_flow(fnn.trace(MODEL, params, X, LABELS, losses.softmax_cross_entropy))
    assert all(size > 0 for line in axes.lines[:1] for size in line.get_ydata())
    marked = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
    assert marked["by the layer's output: zero"] == list(range(9))  # c1 up to a5
    assert marked["by its parameters: zero"] == [0, 3, 7]
    params["f7"]["b"][0] = np.inf
    axes = plots.gradient_flow(fnn.trace(MODEL, params, X, LABELS, losses.softmax_cross_entropy))
    assert "by the layer's output: not finite" in [line.get_label() for line in axes.lines]


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: plots.filters(np.ones((75, 6))), ValueError, r"w has shape \(75, 6\).*w.reshape\(h, w, c, -1\)"),
        (lambda: plots.filters(np.ones((3, 3, 1))), ValueError, r"expected \(kh, kw, channels, filters\)"),
        (lambda: plots.filters(np.full((3, 3, 1, 1), np.nan)), ValueError, "9 of 9 values of w are not finite"),
        (lambda: plots.filters([[1.0]]), TypeError, "w is a list"),
        (lambda: plots.filters(np.ones((3, 3, 1, 1)), most=0), ValueError, "most is 0"),
        (lambda: plots.feature_maps(MODEL, PARAMS, X), ValueError, r"give one of the batch, images\[0\]"),
        (lambda: plots.feature_maps(MODEL, PARAMS, X[0], filter="f*"), ValueError, "matches none of the paths c1, a1"),
        (lambda: plots.feature_maps(MODEL, PARAMS, X[0, :, :, :1]), ValueError, "c1"),
        (lambda: plots.feature_maps(MODEL, PARAMS, np.inf * X[0]), ValueError, "the image are not finite"),
        (lambda: plots.gradient_flow([]), TypeError, "trace is a list, expected what fnn.trace returns"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_input_is_refused(draw, error, message):
    with pytest.raises(error, match=message):
        draw()
    assert pyplot.get_fignums() == []


def test_a_model_without_images_inside_has_no_maps():
    model = fnn.serial(flat=fnn.layers.flatten(), out=fnn.layers.dense(2))
    with pytest.raises(ValueError, match="no layer's output has height and width"):
        plots.feature_maps(model, model.init(np.random.default_rng(0), (4, 4, 1)), X[0, :4, :4, :1])


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.filters(PARAMS["c1"]["w"], ax=ax),
        lambda ax: plots.feature_maps(MODEL, PARAMS, X[0], ax=ax),
        lambda ax: plots.gradient_flow(fnn.trace(MODEL, PARAMS, X, LABELS, losses.softmax_cross_entropy), ax=ax),
    ],
)
def test_they_draw_in_the_axes_they_get(draw):
    figure, panels = pyplot.subplots(1, 2)
    assert draw(panels[0]) is panels[0]
    assert pyplot.get_fignums() == [figure.number]
    with pytest.raises(TypeError, match="ax is a Figure"):
        draw(figure)


def test_text_shrinks_with_the_axes():
    small = plots.feature_maps(MODEL, PARAMS, X[0], ax=pyplot.subplots(figsize=(2, 2))[1])
    large = plots.feature_maps(MODEL, PARAMS, X[0])
    assert small.texts[0].get_fontsize() < 0.5 * large.texts[0].get_fontsize()
