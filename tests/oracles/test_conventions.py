"""Every row of docs/conventions.md is held to what this library and PyTorch do."""

import re
from pathlib import Path

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, optim
from tests.oracles.torch_table import functional, needs_torch, tensor, torch

TABLE = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text(encoding="utf-8")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 5, 6, 3))
CLAIMS = {}


def claim(row):
    """Register a test for the row of this name."""

    def register(test):
        CLAIMS[row] = test
        return test

    return register


def first(x):
    """(n, h, w, c) to a tensor (n, c, h, w)."""
    return torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def slope(layer, x):
    return layer.vjp({}, np.array(x))[1](np.ones(len(x)))[1].tolist()


def their_slope(function, x):
    x = tensor(np.array(x))
    function(x).sum().backward()
    return x.grad.tolist()


def steps(optimizer, gradients, start=1.0):
    """Where a parameter of one entry goes."""
    params = {"p": np.array([start])}
    state = optimizer.init(params)
    for g in gradients:
        updates, state = optimizer.update({"p": np.array([g])}, state, params)
        params = optim.apply_updates(params, updates)
    return params["p"].item()


def their_steps(make, gradients, start=1.0):
    p = tensor(np.array([start]))
    optimizer = make([p])
    for g in gradients:
        p.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
    return p.item()


@claim("axes of images")
def images():
    assert layers.conv2d(4, 3).output_shape((5, 6, 3)) == (3, 4, 4)
    assert torch.nn.Conv2d(3, 4, 3)(torch.zeros(1, 3, 5, 6)).shape == (1, 4, 3, 4)


@claim("axes of a kernel")
def kernels():
    w = RNG.standard_normal((2, 3, 3, 4))
    assert layers.conv2d(4, (2, 3)).init(RNG, (5, 6, 3))["w"].shape == w.shape
    assert torch.nn.Conv2d(3, 4, (2, 3)).weight.shape == (4, 3, 2, 3)
    y = layers.conv2d(4, (2, 3)).apply({"w": w, "b": np.zeros(4)}, X)
    theirs = functional.conv2d(first(X), torch.tensor(np.ascontiguousarray(w.transpose(3, 2, 0, 1))))
    np.testing.assert_allclose(y, theirs.permute(0, 2, 3, 1).numpy(), atol=1e-12)
    assert y[0, 0, 0, 0] == pytest.approx((X[0, :2, :3] * w[..., 0]).sum())  # not flipped


@claim("transposed convolution")
def transposed():
    w, b = RNG.standard_normal((2, 3, 3, 4)), RNG.standard_normal(4)
    layer = layers.conv2d_transpose(4, (2, 3), stride=2, padding=1)
    y = layer.apply({"w": w, "b": b}, X)
    w_theirs = torch.tensor(np.ascontiguousarray(w.transpose(2, 3, 0, 1)))
    theirs = functional.conv_transpose2d(first(X), w_theirs, torch.tensor(b), stride=2, padding=1)
    np.testing.assert_allclose(y, theirs.permute(0, 2, 3, 1).numpy(), atol=1e-12)
    longer = functional.conv_transpose2d(first(X), w_theirs, torch.tensor(b), stride=2, padding=1, output_padding=1)
    np.testing.assert_allclose(longer[:, :, :-1, :-1], theirs, atol=1e-14)
    _, pullback = layers.conv2d(3, (2, 3), stride=2, padding=1).vjp(
        {"w": w.transpose(0, 1, 3, 2), "b": np.zeros(3)}, np.zeros((2, *y.shape[1:]))
    )
    np.testing.assert_allclose(y - b, pullback(X)[1], atol=1e-12)
    uneven = layers.conv2d_transpose(4, (2, 3), stride=2, padding=((1, 0), (0, 2))).apply({"w": w, "b": b}, X)
    whole = functional.conv_transpose2d(first(X), w_theirs, torch.tensor(b), stride=2).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(uneven, whole[:, 1:, :-2], atol=1e-12)
    with pytest.raises((TypeError, RuntimeError, ValueError)):
        functional.conv_transpose2d(first(X), w_theirs, stride=2, padding=((1, 0), (0, 2)))


@claim("dense weights")
def dense():
    w = layers.dense(4).init(RNG, (3,))["w"].astype(np.float64)
    assert (w.shape, torch.nn.Linear(3, 4).weight.shape) == ((3, 4), (4, 3))
    x = RNG.standard_normal((2, 3))
    y = layers.dense(4).apply({"w": w, "b": np.zeros(4)}, x)
    np.testing.assert_allclose(y, functional.linear(torch.tensor(x), torch.tensor(w.T)).numpy(), atol=1e-14)


@claim("order in `flatten`")
def flat():
    ours, theirs = layers.flatten().apply({}, X), torch.nn.Flatten()(first(X)).numpy()
    assert not np.array_equal(ours, theirs)
    permuted = np.arange(90).reshape(5, 6, 3).transpose(2, 0, 1).ravel()
    np.testing.assert_array_equal(ours[:, permuted], theirs)
    w = RNG.standard_normal((90, 2))
    np.testing.assert_allclose(ours @ w, theirs @ w[permuted], atol=1e-12)


@claim("padding")
def padding():
    assert layers.conv2d(1, 2, padding=((1, 0), (0, 2))).output_shape((5, 6, 3)) == (5, 7, 1)
    with pytest.raises((TypeError, RuntimeError, ValueError)):
        functional.conv2d(first(X), torch.ones(1, 3, 2, 2, dtype=torch.float64), padding=((1, 0), (0, 2)))
    padded = layers.zero_pad(((1, 0), (0, 2))).apply({}, X)
    np.testing.assert_array_equal(padded, functional.pad(first(X), (0, 2, 1, 0)).permute(0, 2, 3, 1).numpy())


@claim("windows that do not fit")
def windows():
    assert layers.max_pool(2).output_shape((5, 6, 3)) == layers.avg_pool(2).output_shape((5, 6, 3)) == (2, 3, 3)
    assert functional.max_pool2d(first(X), 2).shape == (2, 3, 2, 3)
    assert functional.max_pool2d(first(X), 2, ceil_mode=True).shape == (2, 3, 3, 3)
    with pytest.raises(TypeError, match="padding"):
        layers.max_pool(2, padding=1)


@claim("ties in a max pool")
def ties():
    x = np.array([[0.0, 1.0], [1.0, 1.0]])
    _, pullback = layers.max_pool(2).vjp({}, x.reshape(1, 2, 2, 1))
    ours = pullback(np.ones((1, 1, 1, 1)))[1].reshape(2, 2).tolist()
    assert ours == [[0.0, 1.0], [0.0, 0.0]]
    assert their_slope(lambda t: functional.max_pool2d(t[None, None], 2), x) == ours
    np.testing.assert_allclose(their_slope(torch.amax, x), [[0.0, 1 / 3], [1 / 3, 1 / 3]])


@claim("relu at 0")
def relu():
    assert slope(layers.relu, [0.0]) == their_slope(functional.relu, [0.0]) == [0.0]
    assert their_slope(lambda x: torch.maximum(x, torch.zeros_like(x)), [0.0]) == [0.5]


@claim("leaky relu at 0")
def leaky_relu():
    assert slope(layers.leaky_relu(0.3), [0.0]) == [0.3]
    assert their_slope(lambda x: functional.leaky_relu(x, 0.3), [0.0]) == [0.3]


@claim("softplus of large x")
def softplus():
    x = np.array([20.001, 25.0, 30.0])
    np.testing.assert_array_equal(layers.softplus.apply({}, x), np.log1p(np.exp(-x)) + x)
    theirs = functional.softplus(torch.tensor(x)).numpy()
    np.testing.assert_array_equal(theirs, x)
    assert 1e-9 < np.abs(layers.softplus.apply({}, x) - theirs).max() < 2.1e-9


@claim("sigmoid of very negative x")
def sigmoid():
    x = np.array([-38.0, -40.0, -100.0])
    assert layers.sigmoid.apply({}, x).tolist() == [0.0, 0.0, 0.0]
    np.testing.assert_allclose(torch.sigmoid(torch.tensor(x)).numpy(), np.exp(x), rtol=1e-14)


@claim("gelu")
def gelu():
    x = np.array([[0.5, -1.0, 2.0]])
    y, theirs = layers.gelu.apply({}, x), torch.tensor(x)
    np.testing.assert_allclose(y, functional.gelu(theirs, approximate="tanh").numpy(), atol=1e-15)
    assert 1e-6 < np.abs(y - functional.gelu(theirs).numpy()).max() < 5e-4


@claim("batch norm in inference")
def inference_statistics():
    x = RNG.standard_normal((12, 2)) + 5.0
    known = fnn.statistics(layers.batch_norm(), {"w": np.ones(2), "b": np.zeros(2)}, x, batch_size=4)
    np.testing.assert_allclose(known["mean"], x.mean(axis=0))
    theirs = torch.nn.BatchNorm1d(2, dtype=torch.float64)
    moving = 0.0
    for i in range(0, 12, 4):
        theirs(torch.tensor(x[i : i + 4]))
        moving = 0.9 * moving + 0.1 * x[i : i + 4].mean(axis=0)
    np.testing.assert_allclose(theirs.running_mean.numpy(), moving)


@claim("batch norm of one example")
def one_example():
    params = {"w": np.ones(2), "b": np.zeros(2)}
    assert not layers.batch_norm().vjp(params, np.ones((1, 2)))[0].any()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        functional.batch_norm(torch.ones(1, 2), None, None, training=True)


@claim("labels outside the classes")
def labels():
    logits = RNG.standard_normal((2, 3))
    with pytest.raises(ValueError, match="label -100 at index 1"):
        losses.softmax_cross_entropy.apply(logits, np.array([0, -100]))
    ignoring = functional.cross_entropy(torch.tensor(logits), torch.tensor([0, -100])).item()
    assert ignoring == pytest.approx(losses.softmax_cross_entropy.apply(logits[:1], np.array([0])))
    with pytest.raises(IndexError):
        functional.cross_entropy(torch.tensor(logits), torch.tensor([0, 3]))


@claim("an empty batch")
def empty():
    assert layers.conv2d(4, 3).apply({"w": np.ones((3, 3, 3, 4)), "b": np.ones(4)}, X[:0]).shape == (0, 3, 4, 4)
    with pytest.raises(ValueError, match="mean over no examples"):
        losses.softmax_cross_entropy.apply(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert torch.isnan(functional.cross_entropy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)))


@claim("rows of targets")
def rows():
    logits, targets = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 3))
    ours = losses.softmax_cross_entropy.apply(logits, targets)
    assert ours == pytest.approx(functional.cross_entropy(torch.tensor(logits), torch.tensor(targets)).item())


@claim("squared error")
def squared_error():
    y, t = np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2))
    assert losses.mean_squared_error.apply(y, t) == 7.5
    assert functional.mse_loss(torch.tensor(y), torch.tensor(t)).item() == 7.5


@claim("weight decay")
def weight_decay():
    gradients = [1.0, -2.0, 0.5]
    settings = {"lr": 0.1, "weight_decay": 0.3}
    decoupled = steps(optim.adam(0.1, weight_decay=0.3), gradients)
    assert decoupled == pytest.approx(their_steps(lambda p: torch.optim.AdamW(p, **settings), gradients), abs=1e-14)
    assert decoupled != pytest.approx(their_steps(lambda p: torch.optim.Adam(p, **settings), gradients), abs=1e-3)
    ours = steps(optim.sgd(0.1, momentum=0.9, weight_decay=0.3), gradients)
    theirs = their_steps(lambda p: torch.optim.SGD(p, momentum=0.9, **settings), gradients)
    assert ours != pytest.approx(theirs, abs=1e-3)
    for found, decay, decay_in_gradient in ((ours, 0.3, 0.0), (theirs, 0.0, 0.3)):
        p, v = 1.0, 0.0
        for g in gradients:
            v = 0.9 * v + g + decay_in_gradient * p
            p -= 0.1 * (v + decay * p)
        assert found == pytest.approx(p, abs=1e-14)


@claim("momentum")
def momentum():
    def falling(parameters):
        optimizer = torch.optim.SGD(parameters, 0.5, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
        optimizer.register_step_post_hook(lambda *_: scheduler.step())
        return optimizer

    ours = steps(optim.sgd(optim.step_decay(0.5, every=1, factor=0.1), momentum=0.9), [1.0, 0.0], start=0.0)
    assert ours == pytest.approx(-0.5 - 0.05 * 0.9)  # the new rate on the old velocity
    assert their_steps(falling, [1.0, 0.0], start=0.0) == pytest.approx(ours, abs=1e-14)


@claim("Adam's eps")
def adams_eps():
    # one step: m^ = g and v^ = g^2, so p falls by rate g / (|g| + eps)
    expected = 1.0 - 0.1 * 0.01 / (0.01 + 0.03)
    assert steps(optim.adam(0.1, eps=0.03), [0.01]) == pytest.approx(expected, abs=1e-14)
    assert their_steps(lambda p: torch.optim.Adam(p, 0.1, eps=0.03), [0.01]) == pytest.approx(expected, abs=1e-14)


@claim("clipping by the global norm")
def clipping():
    clip, g = optim.clip_by_global_norm(1e-3), np.array([3e-3, 4e-3])
    updates, _ = clip.update({"p": g}, clip.init({"p": g}), {"p": g})
    np.testing.assert_allclose(updates["p"], [6e-4, 8e-4], rtol=1e-14)
    p = tensor(g)
    p.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_([p], 1e-3)
    np.testing.assert_allclose(p.grad.numpy(), g * 1e-3 / (5e-3 + 1e-6), rtol=1e-14)


@claim("the cosine schedule after its end")
def cosine():
    schedule = optim.cosine(1.0, steps=4, final=0.25)
    assert [schedule(step) for step in (4, 5, 8)] == [0.25, 0.25, 0.25]
    optimizer = torch.optim.SGD([tensor(np.zeros(1))], 1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4, eta_min=0.25)
    rates = []
    for _ in range(9):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[4] == pytest.approx(0.25)
    assert rates[8] == pytest.approx(1.0)


@claim("first weights")
def first_weights():
    ours, theirs = layers.dense(300).init(RNG, (100,)), torch.nn.Linear(100, 300)
    assert np.abs(ours["w"]).max() == pytest.approx(np.sqrt(6.0 / 400.0), rel=1e-3)
    assert not ours["b"].any()
    for tensors in (theirs.weight, theirs.bias):
        assert 0.95 * 0.1 < tensors.abs().max().item() <= 0.1


def test_every_row_of_the_table_has_a_test_and_every_test_a_row():
    rows = re.findall(r"^\| (.+?) \|", TABLE, flags=re.MULTILINE)[1:]
    assert rows == list(CLAIMS)


@needs_torch
@pytest.mark.parametrize("row", CLAIMS)
def test_the_row_holds(row):
    CLAIMS[row]()
