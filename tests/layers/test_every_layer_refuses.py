"""What every public layer refuses, and that its message says where and what to do; driven by the table too."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functional_nn import layers, tree
from functional_nn.layer import ShapeError, StructureError
from tests.layers.cases import Case, cases
from tests.layers.table import ROWS
from tests.refusals import refused

OF_FLOATS = [name for name, row in ROWS.items() if row.has_dx]
OF_IMAGES = ["conv2d", "conv2d_transpose", "max_pool", "avg_pool", "zero_pad", "global_avg_pool", "upsample"]
OF_TWO_PARAMETERS = ["dense", "conv2d", "conv2d_transpose", "layer_norm", "group_norm", "batch_norm"]
OF_PARAMETERS = [*OF_TWO_PARAMETERS, "embedding"]


def for_layers(names):
    def decorate(test):
        few = settings(max_examples=5)(given(data=st.data())(test))
        return pytest.mark.parametrize("name", sorted(names))(few)

    return decorate


def drawn(name, data, **options) -> Case:
    return data.draw(cases(ROWS[name], **options), label=name)


def both_refuse(case, error, message, *, params=None, x=None):
    """Both passes refuse `params` and `x` with this message, which may be a function of the entries they expect."""
    params, x = case.params if params is None else params, case.x if x is None else x
    moments = {name: moment for name, moment in case.inference.items() if name not in case.params}
    passes = [(case.inference, lambda: case.layer.apply({**moments, **params}, x))]
    passes += [(case.params, lambda: case.vjp(params, x))]
    for entries, run in passes:
        with refused(error, message(", ".join(sorted(entries))) if callable(message) else message):
            run()


@pytest.mark.parametrize("name", ROWS)
@given(data=st.data())
def test_the_lists_above_are_complete(name, data):
    case = drawn(name, data)
    assert (name in OF_PARAMETERS, name in OF_TWO_PARAMETERS) == (len(case.params) > 0, len(case.params) > 1)


@for_layers(OF_FLOATS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.float16, np.complex128])
def test_inputs_that_are_no_float32_or_float64_are_refused_with_the_remedy(name, data, dtype):
    case = drawn(name, data)
    remedy = "expected float32 or float64: convert images with data.standardize(train_images)"
    both_refuse(
        case, StructureError, f"{name}: x is {np.dtype(dtype)}, {remedy}", x=case.x.astype(np.float64).astype(dtype)
    )


@for_layers(ROWS)
def test_inputs_that_are_no_array_are_refused(name, data):
    case = drawn(name, data)
    for x, kind in ((case.x.tolist(), "list"), (1.0, "float"), (None, "NoneType")):
        remedy = ": convert it with np.asarray" if kind == "list" else ""
        both_refuse_x(case, x, f"{name}: x is a {kind}, expected a NumPy array{remedy}")


def both_refuse_x(case, x, message):
    for run in (case.layer.apply, case.layer.vjp):
        with refused(StructureError, message):
            run(case.inference if run == case.layer.apply else case.params, x)


@for_layers(OF_TWO_PARAMETERS)
def test_a_mix_of_float32_and_float64_is_refused(name, data):
    case = drawn(name, data)
    own, other = case.x.dtype, np.dtype(np.float64 if case.x.dtype == np.float32 else np.float32)
    text = "x is {}, the parameter is {}; convert one: nothing is promoted"
    for entry in case.params:
        mixed = {**case.params, entry: case.params[entry].astype(other)}
        both_refuse(case, StructureError, f"{name}.{entry}: " + text.format(own, other), params=mixed)
    with pytest.raises(StructureError, match=rf"^{name}\.\w+: {text.format(other, own)}$"):
        case.vjp(x=case.x.astype(other))


@for_layers(OF_PARAMETERS)
def test_a_missing_parameter_is_named(name, data):
    case = drawn(name, data)
    for entry in case.params:
        rest = {key: value for key, value in case.params.items() if key != entry}
        message = f"{name}.{entry}: missing from the parameters; expected "
        both_refuse(case, StructureError, lambda entries, message=message: message + entries, params=rest)


@for_layers(ROWS)
def test_an_unknown_parameter_is_named(name, data):
    case = drawn(name, data)
    extra = {**case.params, "gamma": np.ones(1, case.dtype)}
    message = f"{name}.gamma: unknown to the layer; expected "
    both_refuse(case, StructureError, lambda entries: message + (entries or "no parameters"), params=extra)


@for_layers(OF_PARAMETERS)
@pytest.mark.parametrize("training", [False, True])
def test_parameters_of_other_shapes_are_refused(name, training, data):
    """So no output contradicts `output_shape`."""
    case = drawn(name, data)
    whole, run = (case.params, case.vjp) if training else (case.inference, case.layer.apply)
    entries = data.draw(st.sets(st.sampled_from(sorted(whole)), min_size=1), label="entries")
    axis = data.draw(st.integers(1, min(whole[entry].ndim for entry in entries)), label="axis from the last")
    by = data.draw(st.sampled_from([-1, 1, 4]), label="larger by")
    for others in (
        {entry: resized(whole[entry], -axis, by) for entry in entries},
        {entry: whole[entry][np.newaxis] for entry in entries},
    ):
        with pytest.raises(ShapeError, match=rf"^{name}(\.\w+)?: .*(shape|x has \d channels, w expects)"):
            run({**whole, **others}, case.x)


def resized(array, axis, by):
    shape = list(array.shape)
    shape[axis] += by
    return np.ones(shape, array.dtype)


@for_layers(ROWS)
def test_a_cotangent_of_another_shape_or_dtype_is_refused(name, data):
    case = drawn(name, data)
    _, pullback = case.vjp()
    for dy in (case.dy[..., np.newaxis], np.concatenate([case.dy, case.dy])):
        with refused(ShapeError, f"{name}: dy has shape {dy.shape}, the output has {case.dy.shape}"):
            pullback(dy)
    other = np.dtype(np.float64 if case.dtype == np.float32 else np.float32)
    with refused(StructureError, f"{name}: dy is {other}, the output is {case.dtype}"):
        pullback(case.dy.astype(other))
    with refused(StructureError, f"{name}: dy is a list, expected a NumPy array: convert it with np.asarray"):
        pullback(case.dy.tolist())


@for_layers(OF_IMAGES)
def test_what_is_no_batch_of_images_is_refused(name, data):
    case = drawn(name, data)
    for x in (case.x[0], case.x[np.newaxis]):
        text = f"input is {x.shape[1:]}, expected images (height, width, channels)"
        if name in ("conv2d", "conv2d_transpose"):
            text = f"x has shape {x.shape}, expected images (n, height, width, channels)"
            text += ": give one image as a batch, x[np.newaxis]" if x.ndim == 3 else ""
        elif x.ndim == 5:
            text += ", without the batch axis: images.shape[1:]"
        both_refuse(case, ShapeError, f"{name}: {text}", x=x)
    for shape in ((), (4,), (4, 4), (1, 4, 4, 4)):
        remedy = ", without the batch axis: images.shape[1:]" if len(shape) == 4 else ""
        with refused(ShapeError, f"{name}: input is {shape}, expected images (height, width, channels){remedy}"):
            case.layer.output_shape(shape)


def test_conv2d_names_the_channels_that_do_not_fit():
    layer = layers.conv2d(2, 3)
    params = layer.init(np.random.default_rng(0), (5, 5, 6))
    for run in (layer.apply, layer.vjp):
        with refused(ShapeError, "conv2d: x has 3 channels, w expects 6"):
            run(params, np.zeros((1, 5, 5, 3), np.float32))


@pytest.mark.parametrize("layer", [layers.conv2d(2, (3, 4)), layers.max_pool((3, 4)), layers.avg_pool((3, 4))])
def test_an_image_smaller_than_the_window_is_refused(layer):
    params = layer.init(np.random.default_rng(0), (3, 4, 1))
    for h, w, text in ((2, 4, "height 2, padding included, is smaller than the window of 3"),
                       (3, 3, "width 3, padding included, is smaller than the window of 4")):  # fmt: skip
        for run in (
            lambda h=h, w=w: layer.apply(params, np.zeros((1, h, w, 1), np.float32)),
            lambda h=h, w=w: layer.vjp(params, np.zeros((1, h, w, 1), np.float32)),
            lambda h=h, w=w: layer.output_shape((h, w, 1)),
        ):
            with refused(ShapeError, f"{layer.name}: input of {text}"):
                run()


def test_dense_on_images_says_to_flatten_first():
    layer = layers.dense(3)
    params, x = layer.init(np.random.default_rng(0), (8,)), np.zeros((1, 2, 2, 2), np.float32)
    for run in (lambda: layer.init(np.random.default_rng(0), (2, 2, 2)), lambda: layer.output_shape((2, 2, 2))):
        with refused(ShapeError, "dense: input is (2, 2, 2), dense needs (features,): put flatten() before it"):
            run()
    for run in (layer.apply, layer.vjp):
        with refused(ShapeError, "dense: x has shape (1, 2, 2, 2), dense needs (n, features): put flatten() before it"):
            run(params, x)


def test_dense_says_which_weights_it_expected():
    layer, x = layers.dense(3), np.zeros((1, 2))
    for run in (layer.apply, layer.vjp):
        with refused(ShapeError, "dense: x has 2 features, w has shape (2, 7), expected (2, 3)"):
            run({"w": np.ones((2, 7)), "b": np.ones(7)}, x)
        with refused(ShapeError, "dense: x has 2 features, w has shape (4, 3), expected (2, 3)"):
            run({"w": np.ones((4, 3)), "b": np.ones(3)}, x)
        with refused(ShapeError, "dense: b has shape (6,), expected (3,)"):
            run({"w": np.ones((2, 3)), "b": np.ones(6)}, x)


def test_conv2d_says_which_weights_it_expected():
    layer, x = layers.conv2d(6, 5), np.zeros((1, 8, 8, 2))
    for w, b in (((3, 3, 2, 6), (6,)), ((5, 5, 2, 6), (7,)), ((5, 2, 6), (6,))):
        for run in (layer.apply, layer.vjp):
            with refused(ShapeError, f"conv2d: w has shape {w}, b {b}; expected (5, 5, 2, 6) and (6,)"):
                run({"w": np.ones(w), "b": np.ones(b)}, x)


def test_parameters_of_a_wrong_structure_leave_no_trace_in_what_was_given():
    params = {"w": np.ones((3, 2)), "b": np.ones(2), "gamma": np.ones(2)}
    before = tree.map(np.copy, params)
    with refused(StructureError, "dense.gamma: unknown to the layer; expected b, w"):
        layers.dense(2).apply(params, np.ones((1, 3)))
    tree.map(np.testing.assert_array_equal, params, before)
