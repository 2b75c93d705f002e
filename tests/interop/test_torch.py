"""Networks of torch.nn give the outputs of this library's under converted parameters, and parameters come back."""

import copy

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import layers, models
from functional_nn.interop.tables import key_of
from functional_nn.interop.torch import from_state_dict, to_state_dict
from functional_nn.interop.torch.entries import RULES
from tests.interop.drawn import arrays_for, distance, in_float32, networks
from tests.interop.peers import needs_torch, torch

if torch is not None:
    from tests.interop import torch_models, twins

# What may have no counterpart: where and why is tested below.
SMALL = 1e-6  # rounding in float32; a network that magnifies it, by a norm of equal entries, is not compared
CONVERTED = ("improved_lenet5", "lenet5", "small_resnet", "two_layer_perceptron")
REFUSED = {layers.reshape, layers.group_norm, fnn.residual}


def converted(model, params, shape):
    """The state dict, or None where PyTorch's orders of entries do not allow it."""
    try:
        return to_state_dict(model, params, shape)
    except fnn.layer.StructureError as refused:
        error, layer = refused, model
    for name in error.path:
        layer = dict(layer.parts)[name]
    assert key_of(layer) in REFUSED
    assert "PyTorch" in error.message
    return None


def output(network, state, x):
    """The output of a PyTorch network under a state dict, in our layout."""
    network = network.to(torch.float64 if x.dtype == np.float64 else torch.float32).eval()
    network.load_state_dict(state)  # strict: neither missing nor unexpected entries
    return twins.from_torch(network(twins.to_torch(x)))


def assert_equal_outputs(model, network, params, x):
    """Equal to 1e-10 in float64 and to 1e-5 in float32."""
    for dtype, tolerance in ((np.float64, 1e-10), (np.float32, 1e-5)):
        p, batch = fnn.tree.cast(params, dtype), x.astype(dtype)
        y = output(network, to_state_dict(model, p, x.shape[1:]), batch)
        expected = model.apply(p, batch)
        assert y.dtype == dtype
        assert y.shape == expected.shape
        assert distance(y, expected) < tolerance


def assert_same_bits(a, b):
    """Two trees of the same structure, dtypes and bytes."""
    assert [path for path, _ in fnn.tree.items(a)] == [path for path, _ in fnn.tree.items(b)]
    for left, right in zip(fnn.tree.leaves(a), fnn.tree.leaves(b), strict=True):
        assert (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())


def test_every_public_layer_has_a_rule():
    assert {key_of(getattr(layers, name)) for name in layers.__all__} <= RULES.keys()
    assert RULES.keys() - {fnn.serial, fnn.residual, fnn.branch} == {key_of(getattr(layers, n)) for n in layers.__all__}


@needs_torch
def test_every_public_layer_has_a_twin():
    assert set(twins.LAYERS) == set(layers.__all__)


def test_every_model_is_converted_or_refused():
    assert {*CONVERTED, "lenet5_1998", "penalty_loss"} == set(models.__all__)  # the last is a loss


@needs_torch
@pytest.mark.parametrize("name", CONVERTED)
def test_every_model_gives_equal_outputs(name):
    model, network, shape = torch_models.MODELS[name]
    params, x = arrays_for(model, shape, seed=0, n=4)
    assert_equal_outputs(model, network(), params, x)


@needs_torch
@pytest.mark.parametrize("name", CONVERTED)
def test_every_models_parameters_come_back_with_the_same_bits(name):
    model, _, shape = torch_models.MODELS[name]
    params, _ = arrays_for(model, shape, seed=1)
    for p in (params, fnn.tree.cast(params, np.float32)):
        assert_same_bits(from_state_dict(model, to_state_dict(model, p, shape), shape), p)


@needs_torch
@given(st.data())
def test_drawn_networks_give_equal_outputs(data):
    model, shape, params, x = data.draw(networks())
    model, params = with_dense_after_vectors(data, model, shape, params)
    state = converted(model, params, shape)
    y, rounding = in_float32(model, params, x)
    assume(state is not None and rounding < SMALL)
    network = twins.twin(model, shape)
    exact = output(network, state, x)
    assert distance(exact, model.apply(params, x)) < 1e-10
    assert_same_bits(from_state_dict(model, state, shape), params)
    p = fnn.tree.cast(params, np.float32)
    assume(rounding_in_torch(network, x, exact) < SMALL)
    assert distance(output(network, to_state_dict(model, p, shape), x.astype(np.float32)), y) < 1e-5


@needs_torch
@given(st.data())
def test_drawn_networks_take_what_pytorch_trained(data):
    model, shape, params, x = data.draw(networks())
    model, params = with_dense_after_vectors(data, model, shape, params)
    assume(converted(model, params, shape) is not None)
    network = twins.twin(model, shape).double()
    network.train()(twins.to_torch(np.concatenate([x, -x])))  # batch norm's running statistics
    expected = twins.from_torch(network.eval()(twins.to_torch(x)))
    params = from_state_dict(model, network.state_dict(), shape)
    assume(in_float32(model, params, x)[1] < SMALL and rounding_in_torch(network, x, expected) < SMALL)
    assert distance(model.apply(params, x), expected) < 1e-10


def rounding_in_torch(network, x, exact):
    """How far PyTorch's float32 is from its own float64."""
    return distance(twins.from_torch(copy.deepcopy(network).float()(twins.to_torch(x.astype(np.float32)))), exact)


def with_dense_after_vectors(data, model, shape, params):
    """The network with a dense layer at its end: the entries of a vector may be in another order in PyTorch."""
    goal = model.output_shape(shape)
    if len(goal) == 3 and data.draw(st.booleans()):
        return model, params
    rng = np.random.default_rng(0)
    end = {"out": {"w": rng.standard_normal((int(np.prod(goal)), 3)), "b": rng.standard_normal(3)}}
    longer = fnn.serial(net=model, flat=layers.flatten(), a=layers.tanh, out=layers.dense(3))
    return longer, {**({"net": params} if params else {}), **end}


def test_the_layers_of_1998_are_refused_by_path():
    model = models.lenet5_1998()
    params = model.init(np.random.default_rng(0), (32, 32, 1))
    for convert in (to_state_dict, from_state_dict):
        with pytest.raises(TypeError, match=r"^lenet5_1998\.s2: PyTorch has no layer like subsampling\(\)"):
            convert(model, params, (32, 32, 1))


def test_a_name_that_is_no_str_is_refused():
    with pytest.raises(TypeError, match="the name 1 is a int, expected a str"):
        from_state_dict(layers.dense(2), {1: np.zeros(2)}, (3,))
