"""What a training pass shows layer by layer, against figures computed by hand."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses
from tests.anatomy.nets import LABELS, NETS, PATHS, normal, ready

CROSS_ENTROPY = losses.softmax_cross_entropy


def rms(*arrays):
    return math.sqrt(sum(float((a.astype(np.float64) ** 2).sum()) for a in arrays) / sum(a.size for a in arrays))


def alone(layer, x, params=None):
    """The row of a layer that is a model by itself, under the mean of squares."""
    shape = layer.output_shape(x.shape[1:])
    (row,) = fnn.trace(layer, params or {}, x, np.zeros((len(x), *shape)), losses.mean_squared_error).rows
    return row


def by_path(trace):
    return {row.path: row for row in trace.rows}


def test_sizes_are_those_computed_by_hand():
    model = fnn.serial(f=layers.dense(5), a=layers.sigmoid, out=layers.dense(2))
    params, x = model.init(np.random.default_rng(0), (3,)), normal(4, 3)
    targets = normal(4, 2)
    trace = fnn.trace(model, params, x, targets, losses.mean_squared_error)
    z = x @ params["f"]["w"] + params["f"]["b"]
    a = 1 / (1 + np.exp(-z))
    y = a @ params["out"]["w"] + params["out"]["b"]
    dy = 2 * (y - targets) / y.size
    da = dy @ params["out"]["w"].T
    dz = da * a * (1 - a)
    rows = by_path(trace)
    assert trace.loss == pytest.approx(np.mean((y - targets) ** 2), rel=1e-5)
    for path, output, gradient in (("f", z, dz), ("a", a, da), ("out", y, dy)):
        assert rows[path].output_rms == pytest.approx(rms(output), rel=1e-5)
        assert rows[path].output_largest == pytest.approx(np.abs(output).max(), rel=1e-5)
        assert rows[path].gradient_rms == pytest.approx(rms(gradient), rel=1e-4)
    assert rows["f"].parameter_gradient_rms == pytest.approx(rms(x.T @ dz, dz.sum(axis=0)), rel=1e-4)
    assert rows["out"].parameter_gradient_rms == pytest.approx(rms(a.T @ dy, dy.sum(axis=0)), rel=1e-4)
    assert rows["a"].parameter_gradient_rms is None


@pytest.mark.parametrize("name", NETS)
def test_gradients_by_parameters_are_those_of_the_loss(name):
    model, params, x = ready(name)
    before = copy.deepcopy(params)
    trace = fnn.trace(model, params, x, LABELS, CROSS_ENTROPY, key=3)
    value, grads = fnn.value_and_grad(model, CROSS_ENTROPY)(params, x, LABELS, key=3)
    assert trace.loss == value
    assert trace.first_not_finite is None
    for row in trace.rows:
        assert row.gradient_rms is not None
        if row.parameter_gradient_rms is not None and name != "repeated":
            entry = grads
            for part in row.path.split(".") if model.parts else ():
                entry = entry[part]
            assert row.parameter_gradient_rms == pytest.approx(rms(*fnn.tree.leaves(entry)), rel=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(fnn.tree.leaves(before), fnn.tree.leaves(params), strict=True))


def test_rows_are_those_of_activations_and_print_as_a_table():
    trace = fnn.trace(*ready("images"), LABELS, CROSS_ENTROPY)
    assert [row.path for row in trace.rows] == PATHS
    lines = str(trace).splitlines()
    assert [line.split()[0] for line in lines[2:-1]] == PATHS
    assert lines[0].split()[:2] == ["path", "layer"]
    assert lines[-1] == f"loss {trace.loss:.4g}; all values are finite"
    assert trace.rows[1].layer == "conv2d(2, 1)"


def test_a_layer_that_x_passes_twice_has_two_rows():
    rows = by_path(fnn.trace(*ready("repeated"), LABELS, CROSS_ENTROPY))
    assert list(rows) == ["pair.part", "pair.part#2", "out"]
    assert rows["pair.part"].gradient_rms != rows["pair.part#2"].gradient_rms


def test_the_key_draws_what_is_dropped():
    net = ready("images")
    first, same, other = (fnn.trace(*net, LABELS, CROSS_ENTROPY, key=key).loss for key in (0, 0, 1))
    assert first == same != other


@pytest.mark.parametrize("name", ["words", "lenet5"])
def test_a_bound_front_has_gradients_by_its_output_and_none_by_its_parameters(name):
    model, params, x = ready(name)
    front = model.parts[0][0]
    bound = fnn.bind(model, {front: params[front]})
    rest = {part: entry for part, entry in params.items() if part != front}
    whole, of_bound = (fnn.trace(m, p, x, LABELS, CROSS_ENTROPY) for m, p in ((model, params), (bound, rest)))
    assert whole.rows[0].parameter_gradient_rms is not None
    assert of_bound.rows[0].parameter_gradient_rms is None
    assert of_bound.rows[0].gradient_rms == whole.rows[0].gradient_rms
    assert of_bound.rows[1:] == whole.rows[1:]


SLOW = math.log(4e3)  # sigmoid' there is 1e-3 / 4 but for 3e-4 of it


@pytest.mark.parametrize(
    ("layer", "x", "share"),
    [
        (layers.sigmoid, [0.0, SLOW - 0.01, -SLOW + 0.01, 1.0], 0.0),
        (layers.sigmoid, [0.0, SLOW + 0.01, -SLOW - 0.01, 1.0], 0.5),
        (layers.sigmoid, [30.0, -30.0, 40.0, 50.0], 1.0),  # the largest slope is not that of the batch
        (layers.tanh, [0.0, 0.0, 0.0, 9.0], 0.25),
        (layers.scaled_tanh, [0.0, 0.0, 0.0, 9.0], 0.25),
        (layers.softplus, [-20.0, 20.0, 0.0, 0.0], 0.25),
        (layers.relu, [-1.0, -2.0, -3.0, 1.0], 0.75),
        (layers.leaky_relu(0.1), [-1.0, -2.0, -3.0, 1.0], None),
        (layers.dropout(0.5), [1.0, 2.0, 3.0, 4.0], None),
        (layers.flatten(), [1.0, 2.0, 3.0, 4.0], None),
        (layers.max_pool(1), [1.0, 2.0, 3.0, 4.0], None),
    ],
)
def test_the_share_of_saturated_units(layer, x, share):
    entries = np.asarray(x, np.float32).reshape((2, 1, 1, 2) if layer == layers.max_pool(1) else (2, 2))
    assert alone(layer, entries).saturated == share


def test_a_users_activation_saturates_whatever_its_name():
    def vjp(params, x, *, key=None, wrt_x=True):
        slope = np.exp(-np.abs(x - 5.0))  # steepest at 5
        return np.sign(x - 5.0) * (1.0 - slope), lambda dy: ({}, dy * slope)

    mine = fnn.Layer("mine", vjp=vjp)
    assert alone(mine, np.array([[5.0, 0.0], [-3.0, 14.0]])).saturated == 0.5


def softmax_vjp(params, x, *, key=None, wrt_x=True):
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    return p, lambda dp: ({}, p * (dp - (p * dp).sum(axis=1, keepdims=True)))


@pytest.mark.parametrize(
    "layer",
    [
        layers.dense(3),
        layers.conv2d(3, 3, padding=1),
        layers.batch_norm(),
        layers.layer_norm(),
        fnn.Layer("softmax", vjp=softmax_vjp),
    ],
)
def test_a_layer_that_is_not_elementwise_has_no_saturation(layer):
    x = normal(4, 5, 5, 3) if layer.name == "conv2d" else normal(4, 3)
    assert alone(layer, x, layer.init(np.random.default_rng(0), x.shape[1:])).saturated is None


def test_a_domain_that_ends_hides_no_trace():
    def vjp(params, x, *, key=None, wrt_x=True):
        if (x <= 0).any():
            raise ValueError("expected numbers above 0")
        return np.log(x), lambda dy: ({}, dy / x)

    row = alone(fnn.Layer("log", vjp=vjp), np.array([[1.0, 2.0]]))
    assert row.saturated is None
    assert row.output_largest == pytest.approx(math.log(2))


def test_units_that_no_example_moves_are_dead():
    model = fnn.serial(f=layers.dense(5), a=layers.relu, out=layers.dense(4))
    params, x = model.init(np.random.default_rng(0), (3,)), normal(6, 3)
    params["f"]["b"] = np.array([9, -99, 9, -99, 9], np.float32)
    rows = by_path(fnn.trace(model, params, x, LABELS, CROSS_ENTROPY))
    assert [rows[path].dead for path in ("f", "a", "out")] == [0.4, 0.4, 0.0]


def test_a_unit_that_one_example_moves_is_not_dead():
    model = fnn.serial(a=layers.relu, out=layers.dense(4))
    params = model.init(np.random.default_rng(0), (2,))
    x = np.full((6, 2), -1.0, np.float32)
    x[3, 1] = 1.0
    assert fnn.trace(model, params, x, LABELS, CROSS_ENTROPY).rows[0].dead == 0.5


def test_a_channel_is_one_unit():
    model = fnn.serial(
        c=layers.conv2d(4, 3), a=layers.relu, s=layers.max_pool(2), f=layers.flatten(), o=layers.dense(4)
    )
    params, x = model.init(np.random.default_rng(0), (6, 6, 1)), normal(6, 6, 6, 1)
    params["c"]["b"] = np.array([9, 9, 9, -99], np.float32)
    rows = by_path(fnn.trace(model, params, x, LABELS, CROSS_ENTROPY))
    assert [rows[path].dead for path in ("c", "a")] == [0.25, 0.25]


def test_the_input_is_the_first_that_is_not_finite():
    model, params, x = ready("lenet5")
    x = x.copy()
    x[2, 0, 0, 0] = np.nan
    trace = fnn.trace(model, params, x, LABELS, CROSS_ENTROPY)
    assert trace.first_not_finite == ("", "input")
    assert str(trace).endswith("the first values that are not finite: the input")


@pytest.mark.parametrize("path", ["c1", "f6"])
def test_a_parameter_that_is_not_finite_shows_in_its_layers_output(path):
    model, params, x = ready("lenet5")
    params[path]["b"][0] = np.inf
    trace = fnn.trace(model, params, x, LABELS, CROSS_ENTROPY)
    assert trace.first_not_finite == (path, "output")
    assert str(trace).endswith(f"the first values that are not finite: the output of {path}")


def test_an_output_that_overflows_is_found():
    model = fnn.serial(f=layers.dense(3), g=layers.dense(4))
    params, x = model.init(np.random.default_rng(0), (3,)), normal(6, 3)
    params["f"]["w"] *= 1e30
    params["g"]["w"] *= 1e30
    assert fnn.trace(model, params, x, LABELS, CROSS_ENTROPY).first_not_finite == ("g", "output")


def test_the_loss_comes_after_all_outputs():
    targets = np.full((6, 4), np.nan)
    trace = fnn.trace(*ready("leaf"), targets, losses.mean_squared_error)
    assert trace.first_not_finite == ("", "loss")


def test_the_first_gradient_is_the_last_layers():
    def vjp(params, x, *, key=None, wrt_x=True):
        return np.sqrt(x), lambda dy: ({}, dy / (2 * np.sqrt(x)))  # at 0 the slope is infinite

    model = fnn.serial(f=layers.dense(3), z=layers.relu, root=fnn.Layer("root", vjp=vjp), out=layers.dense(4))
    params, x = model.init(np.random.default_rng(0), (3,)), normal(6, 3)
    trace = fnn.trace(model, params, x, LABELS, CROSS_ENTROPY)
    assert trace.first_not_finite == ("z", "gradient")


def test_large_and_small_values_have_sizes():
    x = np.full((2, 3), 1e200)
    assert alone(layers.flatten(), x).output_rms == pytest.approx(1e200)
    assert alone(layers.flatten(), x / 1e250 / 1e150).output_rms == pytest.approx(1e-200)
    assert alone(layers.flatten(), 0 * x).output_rms == 0.0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model": None}, TypeError, "model is None, expected a Layer"),
        ({"loss": None}, TypeError, "trace: loss is None, expected a Loss"),
        ({"x": [[1.0]]}, TypeError, "trace: x is a list, expected a NumPy array"),
        ({"targets": LABELS[:5]}, ValueError, "5 labels for outputs of shape"),
        ({"x": np.zeros((0, 3), np.float32)}, ValueError, "empty"),
    ],
)
def test_bad_input_is_refused(changes, error, message):
    model, params, x = ready("leaf")
    with pytest.raises(error, match=message):
        fnn.trace(**{"model": model, "params": params, "x": x, "targets": LABELS, "loss": CROSS_ENTROPY, **changes})
