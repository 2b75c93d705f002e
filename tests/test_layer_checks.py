"""What `Layer(...)` and a layer's four functions refuse: wrong kinds are named where they are made or given."""

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers
from functional_nn.layer import Layer, ShapeError, StructureError


def vjp(params, x, *, key=None, wrt_x=True):
    return x, lambda dy: ({}, dy)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": 5}, "Layer: name is 5, expected a string"),
        ({"vjp": None}, "layer 'mine': vjp is None, expected a function"),
        ({"apply": 5}, "apply is 5, expected a function"),
        ({"init": 5}, "init is 5, expected a function"),
        ({"output_shape": (3,)}, r"output_shape is \(3,\), expected a function"),
        ({"parameters": "weight"}, r"parameters is 'weight', expected a tuple of names, such as \('w', 'b'\)"),
        ({"parameters": 5}, "parameters is 5, expected a tuple of names"),
        ({"moments": "mean"}, "moments is 'mean', expected a tuple of names"),
        ({"parts": {"a": layers.relu}}, r"parts is \{'a': relu\}, expected pairs"),
        ({"parts": (layers.relu,)}, "expected pairs"),
        ({"parts": (("a", 5),)}, "expected pairs"),
    ],
    ids=str,
)
def test_arguments_of_a_wrong_kind_are_named(arguments, message):
    with pytest.raises(TypeError, match=message):
        Layer(**{"name": "mine", "vjp": vjp, **arguments})


@pytest.mark.parametrize("shape", [5, None, (3.5,), (-3,), "ab", (2, 2, 1, None)], ids=repr)
def test_what_is_no_shape_is_refused_with_the_path(shape):
    model = fnn.serial(flat=layers.flatten(), out=layers.dense(3))
    for ask in (model.output_shape, lambda shape: model.init(np.random.default_rng(0), shape)):
        with pytest.raises(ShapeError, match=r"^serial: the input's shape is .*without the batch axis, such as"):
            ask(shape)


def test_a_shape_may_be_any_sequence_of_whole_numbers():
    for shape in ([4, 5, 2], np.array([4, 5, 2]), (np.int64(4), 5, 2)):
        assert layers.conv2d(3, 2).output_shape(shape) == (3, 4, 3)


@pytest.mark.parametrize(
    "layer", [layers.sigmoid, layers.flatten(), layers.zero_pad(1), layers.reshape((1,))], ids=repr
)
def test_a_single_number_is_no_batch(layer):
    for call in (layer.apply, layer.vjp):
        with pytest.raises(ShapeError, match=rf"^{layer.name}: x is a single number, expected a batch \(n, ...\)"):
            call({}, np.array(1.0))


@pytest.mark.parametrize("dtype", [np.int64, np.float16])
def test_an_embedding_refuses_a_table_of_other_numbers(dtype):
    with pytest.raises(StructureError, match=rf"^embedding\.w: is {np.dtype(dtype)}, expected float32 or float64"):
        layers.embedding(5, 2).apply({"w": np.zeros((5, 2), dtype)}, np.array([1, 2]))


@pytest.mark.parametrize("returned", [np.ones((2, 3)), (np.ones(2),), ([1.0], None), 3], ids=repr)
def test_a_vjp_that_returns_no_pair_is_named_with_its_path(returned):
    model = fnn.serial(a=Layer("mine", vjp=lambda params, x, **keywords: returned))
    with pytest.raises(StructureError, match=r"^serial\.a: vjp returned a .*expected a pair \(y, pullback\)"):
        model.vjp({}, np.ones((2, 3)))


@pytest.mark.parametrize("returned", [np.ones((2, 3)), None, ({},)], ids=repr)
def test_a_pullback_that_returns_no_pair_is_named_with_its_path(returned):
    model = fnn.serial(a=Layer("mine", vjp=lambda params, x, **keywords: (x, lambda dy: returned)))
    y, pullback = model.vjp({}, np.ones((2, 3)))
    with pytest.raises(StructureError, match=r"^serial\.a: the pullback returned a .*expected a pair \(dparams, dx\)"):
        pullback(y)


def test_an_init_that_returns_no_dict_is_named_with_its_path():
    model = fnn.serial(a=Layer("mine", vjp=vjp, init=lambda rng, shape: [np.ones(3)]))
    with pytest.raises(StructureError, match=r"^serial\.a: init returned a list, expected a dict"):
        model.init(np.random.default_rng(0), (3,))
