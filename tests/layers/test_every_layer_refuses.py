"""What every public layer refuses, and that its message says where and what to do; driven by the table too."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functional_nn import layers, tree
from functional_nn.layer import ShapeError, StructureError
from tests.layers.cases import Case, cases
from tests.layers.table import ROWS

KEY = (3,)
IMAGES = ("conv2d", "max_pool", "avg_pool", "zero_pad", "global_avg_pool", "upsample", "conv2d_transpose")


def for_layers(names):
    def decorate(test):
        few = settings(max_examples=5)(given(data=st.data())(test))
        return pytest.mark.parametrize("name", sorted(names))(few)

    return decorate


def drawn(name, data) -> Case:
    return data.draw(cases(ROWS[name]), label=name)


def refused(case, error, *, params=None, x=None, match):
    """Both passes raise `error`, whose text begins with the layer's name and matches."""
    params, x = case.params if params is None else params, case.x if x is None else x
    for run, statistics in ((case.layer.apply, case.inference), (partial(case.layer.vjp, key=KEY), {})):
        with pytest.raises(error, match=match) as caught:
            run({**{name: p for name, p in statistics.items() if name not in case.params}, **params}, x)
        assert str(caught.value).startswith(case.layer.name)


@for_layers(ROWS)
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_, np.float16, np.complex128])
def test_inputs_that_are_no_float32_or_float64_are_refused_with_the_remedy(name, data, dtype):
    case = drawn(name, data)
    refused(case, TypeError, x=case.x.astype(np.float64).astype(dtype), match=rf"x is {np.dtype(dtype)}.*standardize")


@for_layers(ROWS)
def test_inputs_that_are_no_array_are_refused(name, data):
    case = drawn(name, data)
    refused(case, TypeError, x=case.x.tolist(), match="x is a (list|float), expected a NumPy array")


@for_layers(["dense", "conv2d", "conv2d_transpose", "layer_norm", "group_norm", "batch_norm"])
def test_a_mix_of_float32_and_float64_is_refused(name, data):
    case = drawn(name, data)
    other = np.float64 if case.x.dtype == np.float32 else np.float32
    refused(case, TypeError, x=case.x.astype(other), match="convert one")
    for entry in case.params:
        mixed = {**case.params, entry: case.params[entry].astype(other)}
        refused(case, TypeError, params=mixed, match="convert one")


@for_layers(["dense", "conv2d", "conv2d_transpose", "layer_norm", "group_norm", "batch_norm"])
def test_a_missing_parameter_is_named(name, data):
    case = drawn(name, data)
    for entry in case.params:
        rest = {key: value for key, value in case.params.items() if key != entry}
        refused(case, TypeError, params=rest, match=rf"^{name}\.{entry}: missing")


@for_layers(ROWS)
def test_an_unknown_parameter_is_named(name, data):
    case = drawn(name, data)
    extra = {**case.params, "gamma": np.ones(1, case.x.dtype)}
    refused(case, TypeError, params=extra, match=rf"^{name}\.gamma: unknown")


@for_layers(ROWS)
def test_a_cotangent_of_another_shape_or_dtype_is_refused(name, data):
    case = drawn(name, data)
    _, pullback = case.layer.vjp(case.params, case.x, key=KEY)
    with pytest.raises(ShapeError, match=rf"^{name}: dy has shape"):
        pullback(case.dy[..., np.newaxis])
    with pytest.raises(ShapeError, match=rf"^{name}: dy has shape"):
        pullback(np.concatenate([case.dy, case.dy]))
    with pytest.raises(StructureError, match=rf"^{name}: dy is"):
        pullback(case.dy.astype(np.float64 if case.x.dtype == np.float32 else np.float32))


@for_layers(IMAGES)
def test_what_is_no_batch_of_images_is_refused(name, data):
    case = drawn(name, data)
    refused(case, ValueError, x=case.x[0], match="expected")
    refused(case, ValueError, x=case.x[np.newaxis], match="expected")
    for shape in ((), (4,), (4, 4), (1, 4, 4, 4)):
        with pytest.raises(ValueError, match=r"expected images \(height, width, channels\)"):
            case.layer.output_shape(shape)


def test_conv2d_names_the_channels_that_do_not_fit():
    layer = layers.conv2d(2, 3)
    params = layer.init(np.random.default_rng(0), (5, 5, 6))
    x = np.zeros((1, 5, 5, 3), np.float32)
    for run in (layer.apply, layer.vjp):
        with pytest.raises(ValueError, match=r"^conv2d: x has 3 channels, w expects 6$"):
            run(params, x)


@pytest.mark.parametrize("layer", [layers.conv2d(2, (3, 4)), layers.max_pool((3, 4)), layers.avg_pool((3, 4))])
def test_an_image_smaller_than_the_window_is_refused(layer):
    params = layer.init(np.random.default_rng(0), (3, 4, 1))
    for (h, w), axis in (((2, 4), "height 2"), ((3, 3), "width 3")):
        for run in (
            lambda h=h, w=w: layer.apply(params, np.zeros((1, h, w, 1), np.float32)),
            lambda h=h, w=w: layer.vjp(params, np.zeros((1, h, w, 1), np.float32)),
            lambda h=h, w=w: layer.output_shape((h, w, 1)),
        ):
            with pytest.raises(ValueError, match=rf"{axis}.* smaller than the window"):
                run()


def test_dense_on_images_says_to_flatten_first():
    layer = layers.dense(3)
    params = layer.init(np.random.default_rng(0), (8,))
    for run in (
        lambda: layer.init(np.random.default_rng(0), (2, 2, 2)),
        lambda: layer.output_shape((2, 2, 2)),
        lambda: layer.apply(params, np.zeros((1, 2, 2, 2), np.float32)),
        lambda: layer.vjp(params, np.zeros((1, 2, 2, 2), np.float32)),
    ):
        with pytest.raises(ValueError, match=r"put flatten\(\) before it"):
            run()


@for_layers(["dense"])
def test_dense_refuses_weights_that_do_not_fit(name, data):
    case = drawn(name, data)
    w, b = case.params["w"], case.params["b"]
    refused(case, ValueError, params={"w": w[:-1], "b": b}, match="features")
    refused(case, ValueError, params={"w": w, "b": np.append(b, b)}, match="b has shape")
    refused(case, ValueError, params={"w": w[0], "b": b}, match="w has shape")


@for_layers(["conv2d", "conv2d_transpose"])
def test_convolutions_refuse_weights_that_do_not_fit(name, data):
    case = drawn(name, data)
    w, b = case.params["w"], case.params["b"]
    refused(case, ValueError, params={"w": w[0], "b": b}, match="expected")
    refused(case, ValueError, params={"w": w, "b": np.append(b, b)}, match="expected")


@pytest.mark.parametrize("bad", [0, -1, 1.0, "2", None, True, (1, 2)])
def test_sizes_that_are_no_positive_ints_are_refused(bad):
    for make in (layers.dense, lambda filters: layers.conv2d(filters, 3), partial(layers.conv2d_transpose, kernel=3)):
        with pytest.raises(ValueError, match=r"(units|filters) is .*expected an int of at least 1"):
            make(bad)


@pytest.mark.parametrize("bad", [0, -1, 1.5, "same", (1,), (1, 2, 3), (1, 0), True])
def test_windows_and_strides_that_are_no_positive_int_or_pair_are_refused(bad):
    makers = {
        "kernel": [lambda kernel: layers.conv2d(2, kernel), lambda kernel: layers.conv2d_transpose(2, kernel)],
        "window": [layers.max_pool, layers.avg_pool],
        "factor": [layers.upsample],
        "stride": [
            lambda stride: layers.conv2d(2, 3, stride=stride),
            lambda stride: layers.conv2d_transpose(2, 3, stride=stride),
            lambda stride: layers.max_pool(2, stride=stride),
            lambda stride: layers.avg_pool(2, stride=stride),
        ],
    }
    for argument, constructors in makers.items():
        for make in constructors:
            with pytest.raises(ValueError, match=f"{argument} is .*expected an int"):
                make(bad)


@pytest.mark.parametrize("bad", [-1, "same", (1, 1), ((1, 1), 2), ((1, -1), (0, 0)), ((1, 1, 1), (1, 1, 1)), None])
def test_paddings_that_are_no_int_or_margins_are_refused(bad):
    convolutions = (partial(convolution, 2, 3) for convolution in (layers.conv2d, layers.conv2d_transpose))
    for make in (layers.zero_pad, *convolutions):
        with pytest.raises(ValueError, match=r"padding is .*expected an int"):
            make(padding=bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf, "0.1", None, True])
def test_a_slope_that_is_no_finite_number_is_refused(bad):
    with pytest.raises(ValueError, match=r"slope is .*expected a finite number"):
        layers.leaky_relu(bad)


def test_parameters_of_a_wrong_structure_leave_no_trace_in_what_was_given():
    layer = layers.dense(2)
    params = {"w": np.ones((3, 2)), "b": np.ones(2), "gamma": np.ones(2)}
    before = tree.map(np.copy, params)
    with pytest.raises(TypeError):
        layer.apply(params, np.ones((1, 3)))
    tree.map(np.testing.assert_array_equal, params, before)
