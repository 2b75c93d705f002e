"""Structures that a PyTorch network needs reordered, bound, shared or refused, and state dicts that do not fit."""

import re
import sys

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import Layer, layers
from functional_nn.interop.torch import from_state_dict, to_state_dict
from functional_nn.layer import ShapeError
from tests.interop.drawn import arrays_for, distance
from tests.interop.peers import needs_torch, torch

if torch is not None:
    from tests.interop import twins

IMAGE = (4, 3, 2)
AUTOENCODER = fnn.serial(
    c=layers.conv2d(2, 3, padding=1),
    flat=layers.flatten(),
    n=layers.batch_norm(),
    encoder=layers.dense(5),
    a=layers.tanh,
    decoder=layers.dense(24),
    n2=layers.layer_norm(),
    image=layers.reshape(IMAGE),
    up=layers.conv2d_transpose(3, 2, stride=2),
)
FINE = {
    "a decoder: dense, then reshape to an image": (AUTOENCODER, IMAGE),
    "dense layers added to a flattened image": (
        fnn.serial(
            f=layers.flatten(), r=fnn.residual(fnn.serial(d=layers.dense(24), a=layers.relu)), o=layers.dense(2)
        ),
        IMAGE,
    ),
    "a flattened image added to dense layers": (
        fnn.serial(
            r=fnn.residual(fnn.serial(f=layers.flatten(), d=layers.dense(24)), layers.flatten()), o=layers.dense(2)
        ),
        IMAGE,
    ),
    "a flattened image beside dense layers": (
        fnn.serial(f=layers.flatten(), b=fnn.branch(x=layers.tanh, d=layers.dense(3)), o=layers.dense(2)),
        IMAGE,
    ),
    "one group after flatten": (
        fnn.serial(f=layers.flatten(), g=layers.group_norm(1), d=layers.dense(2)),
        IMAGE,
    ),
    "groups of a dense layer's outputs": (
        fnn.serial(f=layers.flatten(), d=layers.dense(6), g=layers.group_norm(3), o=layers.dense(2)),
        IMAGE,
    ),
    "flattened and reshaped back": (
        fnn.serial(f=layers.flatten(), a=layers.tanh, r=layers.reshape(IMAGE), c=layers.conv2d(3, 2)),
        IMAGE,
    ),
    "rows and columns reshaped, the channels kept": (
        fnn.serial(r=layers.reshape((6, 2, 2)), c=layers.conv2d(3, 2), f=layers.flatten(), d=layers.dense(2)),
        IMAGE,
    ),
    "a layer alone": (layers.conv2d(3, (2, 1), stride=(1, 2), padding=((1, 0), (0, 2))), IMAGE),
    "groups and holes": (layers.conv2d(4, 2, groups=2, dilation=(2, 1)), IMAGE),
    "several heads": (
        fnn.serial(b=fnn.branch(a=layers.dense(3), b=layers.dense(2)), g=layers.group_norm(5), d=layers.dense(2)),
        (4,),
    ),
}


@needs_torch
@pytest.mark.parametrize("name", FINE)
def test_the_outputs_are_equal(name):
    model, shape = FINE[name]
    params, x = arrays_for(model, shape, seed=3)
    state = to_state_dict(model, params, shape)
    network = twins.twin(model, shape).double().eval()
    network.load_state_dict(state)
    assert distance(twins.from_torch(network(twins.to_torch(x))), model.apply(params, x)) < 1e-10
    assert fnn.tree.allclose(from_state_dict(model, state, shape), params, rtol=0.0, atol=0.0)


@needs_torch
def test_an_embedding_of_sequences():
    model = fnn.serial(e=layers.embedding(7, 3), n=layers.layer_norm(), f=layers.flatten(), d=layers.dense(2))
    params = model.init(np.random.default_rng(0), (5,))
    x = np.random.default_rng(1).integers(0, 7, (4, 5))
    network = twins.twin(model, (5,)).eval()
    network.load_state_dict(to_state_dict(model, params, (5,)))
    assert distance(network(torch.tensor(x)).detach().numpy(), model.apply(params, x)) < 1e-5


REFUSED = {
    "r": fnn.serial(r=layers.reshape((2, 4, 3)), d=layers.conv2d(1, 2)),
    "b.shortcut.g": fnn.serial(f=layers.flatten(), b=fnn.residual(layers.tanh, fnn.serial(g=layers.group_norm(2)))),
    "i": fnn.serial(b=fnn.branch(a=layers.flatten(), b=layers.flatten()), i=layers.reshape((48, 1))),
    "cube": fnn.serial(cube=Layer("cube", vjp=layers.relu.functions.vjp)),
}


@pytest.mark.parametrize("path", REFUSED)
def test_what_pytorch_cannot_do_is_refused_by_path(path):
    with pytest.raises(TypeError, match=rf"^serial\.{re.escape(path)}: .*PyTorch"):
        from_state_dict(REFUSED[path], {}, IMAGE)


def test_orders_that_differ_are_refused_where_they_are_added():
    flat = fnn.branch(a=layers.flatten(), b=layers.global_avg_pool())
    other = fnn.branch(a=layers.global_avg_pool(), b=layers.flatten())
    with pytest.raises(
        TypeError, match=r"^serial\.r: the entries come in several orders in PyTorch.*put a dense layer"
    ):
        from_state_dict(fnn.serial(r=fnn.residual(flat, other)), {}, IMAGE)


@needs_torch
def test_bound_parameters_are_in_the_state_dict_and_not_in_the_tree():
    params, _ = arrays_for(AUTOENCODER, IMAGE, seed=5)
    fixed = {"encoder": params["encoder"], "n": {"mean": params["n"]["mean"], "var": params["n"]["var"]}}
    model = fnn.bind(AUTOENCODER, fixed)
    rest = {name: entry for name, entry in params.items() if name != "encoder"}
    rest["n"] = {name: rest["n"][name] for name in "wb"}
    state, whole_state = to_state_dict(model, rest, IMAGE), to_state_dict(AUTOENCODER, params, IMAGE)
    assert state.keys() == whole_state.keys()
    assert all(torch.equal(state[name], whole_state[name]) for name in state)
    assert fnn.tree.allclose(from_state_dict(model, state, IMAGE), rest, rtol=0.0, atol=0.0)
    state["encoder.bias"] += 1.0
    with pytest.raises(ValueError, match=r"\n  encoder\.bias is bound to other numbers in the model"):
        from_state_dict(model, state, IMAGE)


@needs_torch
def test_tied_parameters_stand_under_each_of_their_paths():
    body = fnn.serial(a=layers.dense(4), t=layers.tanh, b=layers.dense(4), c=layers.dense(4))
    model = fnn.tie(body, {"b": "a", "c.w": "a.w.T"})
    params = model.init(np.random.default_rng(0), (4,))
    state = to_state_dict(model, params, (4,))
    assert torch.equal(state["a.weight"], state["b.weight"])
    assert torch.equal(state["a.weight"], state["c.weight"].T)
    assert fnn.tree.allclose(from_state_dict(model, state, (4,)), params, rtol=0.0, atol=0.0)
    state["b.weight"] = state["b.weight"] * 2.0
    state["c.weight"] = state["c.weight"] * 2.0
    with pytest.raises(ValueError, match=r"\n  b\.weight is tied to a\.w, .* differ\n  c\.weight is tied to a\.w\.T, "):
        from_state_dict(model, state, (4,))


NET = fnn.serial(c=layers.conv2d(3, 2), n=layers.batch_norm(), f=layers.flatten(), d=layers.dense(2))


def state_of_net():
    """A state dict of arrays, which needs no PyTorch: an example is its own oracle in the tests above."""
    shapes = {"c.weight": (3, 2, 2, 2), "d.weight": (2, 18), "d.bias": (2,)}
    shapes |= dict.fromkeys(("c.bias", "n.weight", "n.bias", "n.running_mean", "n.running_var"), (3,))
    return {name: np.arange(np.prod(shape), dtype=np.float32).reshape(shape) for name, shape in shapes.items()}


def test_arrays_need_no_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    state = {**state_of_net(), "n.num_batches_tracked": np.array(7)}
    params = from_state_dict(NET, state, IMAGE)
    assert params["c"]["w"].shape == (2, 2, 2, 3)
    assert params["c"]["w"][0, 1, 1, 2] == state["c.weight"][2, 1, 0, 1]
    # our entry (i, j, channel) = (2, 1, 1) of a flattened (3, 2, 3) image is PyTorch's (channel, i, j)
    assert params["d"]["w"].reshape(3, 2, 3, 2)[2, 1, 1, 0] == state["d.weight"].reshape(2, 3, 3, 2)[0, 1, 2, 1]
    assert set(params["n"]) == {"w", "b", "mean", "var"}
    assert not any(np.shares_memory(p, array) for p in fnn.tree.leaves(params) for array in state.values())
    with pytest.raises(ImportError, match=r"to_state_dict needs torch.*\[torch\]"):
        to_state_dict(NET, params, IMAGE)


def test_all_entries_that_do_not_fit_are_listed():
    state = state_of_net()
    del state["c.bias"], state["n.running_mean"]
    with pytest.raises(TypeError) as caught:
        from_state_dict(NET, {**state, "e.weight": np.ones(1, np.float32)}, IMAGE)
    assert str(caught.value).splitlines() == [
        "serial: the state dict does not fit the model:",
        "  c.bias is missing",
        "  n.running_mean is missing",
        "  e.weight is unexpected",
    ]
    changed = {"c.weight": np.ones((2, 2, 2, 3), np.float32), "n.running_var": np.ones(2, np.float32)}
    with pytest.raises(ShapeError) as caught:
        from_state_dict(NET, {**state_of_net(), **changed}, IMAGE)
    assert str(caught.value).splitlines()[1:] == [
        "  c.weight has shape (2, 2, 2, 3), expected (3, 2, 2, 2)",
        "  n.running_var has shape (2,), expected (3,)",
    ]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (np.ones(3), "c.bias is float64, and c.weight is float32"),
        (np.ones(3, np.float16), "c.bias is float16"),
        ([1.0, 2.0, 3.0], "c.bias is a list, expected a NumPy array"),
    ],
)
def test_other_dtypes_and_kinds_are_refused(entry, words):
    state = {"c.weight": state_of_net()["c.weight"], **state_of_net(), "c.bias": entry}
    with pytest.raises(TypeError, match=words):
        from_state_dict(NET, state, IMAGE)


@needs_torch
def test_half_precision_and_modules_are_refused():
    module = torch.nn.Linear(2, 3)
    with pytest.raises(TypeError, match=r"is a Linear, expected a dict: give its \.state_dict\(\)"):
        from_state_dict(layers.dense(3), module, (2,))
    with pytest.raises(TypeError, match=r"weight is torch\.bfloat16, expected float32 or float64"):
        from_state_dict(layers.dense(3), module.bfloat16().state_dict(), (2,))


@needs_torch
def test_the_tensors_are_copies_and_the_statistics_are_needed():
    params, _ = arrays_for(NET, IMAGE, seed=0)
    before = fnn.tree.map(np.copy, params)
    for tensor in to_state_dict(NET, params, IMAGE).values():
        assert tensor.is_contiguous()
        tensor.zero_()
    assert fnn.tree.allclose(params, before, rtol=0.0, atol=0.0)
    del params["n"]["mean"], params["n"]["var"]
    with pytest.raises(TypeError, match=r"^serial\.n\.mean: missing; .*fnn\.statistics"):
        to_state_dict(NET, params, IMAGE)
