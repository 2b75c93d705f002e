"""A Layer is data: a user's two functions make one, and errors carry their path."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, models
from functional_nn.testing import check_vjp
from tests.refusals import refused


def cube(params, x):
    return x**3


def cube_vjp(params, x, *, key=None, wrt_x=True):
    return x**3, lambda dy: ({}, 3 * x**2 * dy if wrt_x else None)


def test_two_functions_make_a_layer():
    layer = fnn.Layer("cube", apply=cube, vjp=cube_vjp)
    assert layer.init(np.random.default_rng(0), (3,)) == {}
    assert layer.output_shape((3,)) == (3,)
    assert repr(layer) == "cube"
    copy = pickle.loads(pickle.dumps(layer))
    np.testing.assert_array_equal(copy.apply({}, np.array([2.0])), [8.0])
    assert copy != layer  # a layer that no constructor made equals itself alone
    assert layer == layer
    check_vjp(layer, {}, np.random.default_rng(0).standard_normal((2, 3)))


def test_a_vjp_without_the_keywords_of_composed_layers_is_refused():
    takes = "vjp takes (params, x), it must take (params, x, *, key=None, wrt_x=True)"
    with refused(TypeError, f"layer 'cube': {takes}: composed layers are called with both keywords"):
        fnn.Layer("cube", apply=cube, vjp=lambda params, x: cube_vjp(params, x))


def test_error_carries_the_path_of_every_combinator_once():
    model = models.lenet5(10)
    params = model.init(np.random.default_rng(0), (32, 32, 3))
    with pytest.raises(ValueError, match=r"^lenet5\.c1: x has 1 channels, w expects 3$"):
        model.apply(params, np.zeros((1, 32, 32, 1), np.float32))
    outer = fnn.serial(body=fnn.residual(fnn.serial(inner=layers.dense(4))))
    with pytest.raises(TypeError, match=r"^serial\.body\.body\.inner\.b: missing from the parameters; expected b, w$"):
        outer.apply({"body": {"body": {"inner": {"w": np.zeros((4, 4))}}}}, np.zeros((1, 4)))


def test_unknown_entry_is_named_with_its_path():
    model = fnn.serial(hidden=layers.dense(4), a=layers.relu)
    params = model.init(np.random.default_rng(0), (3,))
    x = np.zeros((1, 3), np.float32)
    for function in (model.apply, model.vjp):
        with refused(TypeError, "serial.hiden: unknown to the layer; its parts are hidden, a"):
            function({**params, "hiden": {}}, x)
        with refused(TypeError, "serial.hidden.v: unknown to the layer; expected b, w"):
            function({"hidden": {**params["hidden"], "v": x}}, x)


def test_foreign_exceptions_pass_untouched():
    def explode(params, x):
        raise ZeroDivisionError("mine")

    model = fnn.serial(a=fnn.Layer("bomb", apply=explode, vjp=cube_vjp))
    with pytest.raises(ZeroDivisionError, match=r"^mine$"):
        model.apply({}, np.zeros(1))


def test_errors_pickle_with_their_path():
    model = models.lenet5(10)
    with pytest.raises(ValueError, match="lenet5") as caught:
        model.init(np.random.default_rng(0), (3, 3, 1))
    copy = pickle.loads(pickle.dumps(caught.value))
    assert type(copy) is type(caught.value)
    assert str(copy) == str(caught.value)
    assert (copy.layer, copy.path) == ("lenet5", ("c1",))


def test_layers_are_equal_by_what_they_are():
    assert layers.conv2d(6, (5, 5)) == layers.conv2d(6, 5)
    assert hash(layers.conv2d(6, (5, 5))) == hash(layers.conv2d(6, 5))
    assert layers.conv2d(6, 5) != layers.conv2d(6, 5, padding=1)
    assert layers.sigmoid != layers.tanh
    assert models.lenet5(10) == models.lenet5(10) != models.lenet5(11)
    assert fnn.serial(a=layers.relu) != fnn.serial(b=layers.relu)


def test_models_print_as_their_constructors_call():
    assert repr(models.lenet5(classes=50)) == "lenet5(classes=50)"
    assert repr(fnn.serial(a=layers.dense(3), b=layers.relu)) == "serial(a=dense(3), b=relu)"
