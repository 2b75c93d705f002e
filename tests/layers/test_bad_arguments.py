"""The arguments that layers' constructors refuse, by the whole message."""

import numpy as np
import pytest

from functional_nn import layers, models
from tests.refusals import refused

SIZES = {
    "dense: units": layers.dense,
    "conv2d: filters": lambda filters: layers.conv2d(filters, 3),
    "conv2d: groups": lambda groups: layers.conv2d(2, 3, groups=groups),
    "group_norm: groups": layers.group_norm,
    "embedding: entries": lambda entries: layers.embedding(entries, 2),
    "embedding: features": lambda features: layers.embedding(2, features),
}
PAIRS = {
    "conv2d: kernel": lambda kernel: layers.conv2d(2, kernel),
    "conv2d: stride": lambda stride: layers.conv2d(2, 3, stride=stride),
    "conv2d: dilation": lambda dilation: layers.conv2d(2, 3, dilation=dilation),
    "max_pool: window": layers.max_pool,
    "max_pool: stride": lambda stride: layers.max_pool(2, stride=stride),
    "avg_pool: window": layers.avg_pool,
    "avg_pool: stride": lambda stride: layers.avg_pool(2, stride=stride),
}
PADDINGS = {
    "zero_pad: padding": layers.zero_pad,
    "conv2d: padding": lambda padding: layers.conv2d(2, 3, padding=padding),
}
EPSILONS = {
    "layer_norm: epsilon": layers.layer_norm,
    "group_norm: epsilon": lambda epsilon: layers.group_norm(2, epsilon),
    "batch_norm: epsilon": layers.batch_norm,
}


@pytest.mark.parametrize("argument", SIZES)
@pytest.mark.parametrize("bad", [0, -1, 1.0, "2", None, True, (1, 2)])
def test_sizes_that_are_no_positive_ints_are_refused(argument, bad):
    with refused(ValueError, f"{argument} is {bad!r}, expected an int of at least 1"):
        SIZES[argument](bad)


@pytest.mark.parametrize("argument", PAIRS)
@pytest.mark.parametrize(
    ("bad", "text"),
    [
        *[(bad, f"{bad!r}, expected an int of at least 1") for bad in (0, -1, 1.5, "same", True)],
        *[((1, bad), f"{bad!r}, expected an int of at least 1") for bad in (0, 1.5)],
        *[(bad, f"{bad!r}, expected an int or (height, width)") for bad in ((1,), (1, 2, 3), [])],
    ],
)
def test_windows_and_strides_that_are_no_positive_int_or_pair_are_refused(argument, bad, text):
    with refused(ValueError, f"{argument} is {text}"):
        PAIRS[argument](bad)


@pytest.mark.parametrize("argument", PADDINGS)
@pytest.mark.parametrize(
    ("bad", "text"),
    [
        *[(bad, f"{bad!r}, expected an int of at least 0") for bad in (-1, "same", None)],
        *[
            (bad, f"{bad!r}, expected an int or ((top, bottom), (left, right))")
            for bad in ((1, 1), ((1, 1), 2), ((1, 1, 1), (1, 1, 1)))
        ],
        (((1, -1), (0, 0)), "-1, expected an int of at least 0"),
    ],
)
def test_paddings_that_are_no_int_or_margins_are_refused(argument, bad, text):
    with refused(ValueError, f"{argument} is {text}"):
        PADDINGS[argument](bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf, "0.1", None, True])
def test_a_slope_that_is_no_finite_number_is_refused(bad):
    with refused(ValueError, f"leaky_relu: slope is {bad!r}, expected a finite number"):
        layers.leaky_relu(bad)


@pytest.mark.parametrize("argument", EPSILONS)
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, "1"])
def test_an_epsilon_that_is_not_above_zero_is_refused(argument, bad):
    with refused(ValueError, f"{argument} is {bad!r}, expected a finite number above 0"):
        EPSILONS[argument](bad)


@pytest.mark.parametrize("bad", [-0.1, 1.0, 2, np.nan, "half", None, True])
def test_rates_of_dropout_outside_0_to_1_are_refused(bad):
    with refused(ValueError, f"dropout: drop_rate is {bad!r}, expected a number from 0 up to but without 1"):
        layers.dropout(bad)


@pytest.mark.parametrize("bad", [6, "34", None])
def test_a_shape_that_is_no_tuple_is_refused(bad):
    text = "expected a tuple without the batch axis, such as (4, 4, 2)"
    with refused(ValueError, f"reshape: shape is {bad!r}, {text}"):
        layers.reshape(bad)
    with refused(ValueError, "reshape: shape is -1, expected an int of at least 1"):
        layers.reshape((2, -1))


def test_groups_that_divide_unevenly_are_refused():
    with refused(ValueError, "group_norm: 8 channels do not divide into 3 groups: choose a divisor"):
        layers.group_norm(3).output_shape((4, 8))
    for groups, channels, filters in ((2, 3, 4), (2, 4, 3)):
        text = f"conv2d: {groups} groups do not divide {channels} channels and {filters} filters evenly"
        with refused(ValueError, text):
            layers.conv2d(filters, 1, groups=groups).output_shape((4, 4, channels))


def test_a_reshape_of_another_number_of_entries_is_refused():
    with refused(ValueError, "reshape: input is (2, 4), 8 entries; the shape (2, 3) has 6"):
        layers.reshape((2, 3)).output_shape((2, 4))


INITIALIZERS = {
    "dense: w_init": lambda f: layers.dense(2, w_init=f),
    "dense: b_init": lambda f: layers.dense(2, b_init=f),
    "conv2d: w_init": lambda f: layers.conv2d(2, 3, w_init=f),
    "conv2d: b_init": lambda f: layers.conv2d(2, 3, b_init=f),
    "conv2d_transpose: w_init": lambda f: layers.conv2d_transpose(2, 3, w_init=f),
    "conv2d_transpose: b_init": lambda f: layers.conv2d_transpose(2, 3, b_init=f),
    "embedding: w_init": lambda f: layers.embedding(2, 3, w_init=f),
    "lenet5: w_init": lambda f: models.lenet5(w_init=f),
    "improved_lenet5: w_init": lambda f: models.improved_lenet5(w_init=f),
    "two_layer_perceptron: w_init": lambda f: models.two_layer_perceptron(w_init=f),
}


@pytest.mark.parametrize("argument", INITIALIZERS)
def test_initializers_that_are_no_functions_are_refused(argument):
    with refused(TypeError, f"{argument} is 'he', expected a function such as initializers.he_normal"):
        INITIALIZERS[argument]("he")


@pytest.mark.parametrize(
    ("start", "kind"), [(5, "a int"), ([1.0], "a list"), (np.ones(2, np.int64), "an array of int64")]
)
def test_what_an_initializer_must_not_return_is_refused_at_once(start, kind):
    layer = layers.dense(2, b_init=lambda rng, shape: start)
    with refused(TypeError, f"dense: init's b is {kind}, expected an array of float32: see its initializer"):
        layer.init(np.random.default_rng(0), (3,))
