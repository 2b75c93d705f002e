"""Every public layer and loss agrees with PyTorch in float64 to 1e-10, its output and all its gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import layers, losses, tree
from functional_nn.testing import strategies
from tests.layers.cases import cases
from tests.layers.table import ROWS, VJP_IS_APPLY
from tests.oracles.torch_table import LAYERS, LOSSES, needs_torch, tensor, torch


def agree(actual, expected):
    np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=1e-10, atol=1e-10, strict=True)


def test_every_public_layer_has_a_row():
    assert set(LAYERS) == set(layers.__all__)


def test_every_public_loss_has_a_row():
    assert set(LOSSES) == {name for name in losses.__all__ if isinstance(getattr(losses, name), losses.Loss)}


@needs_torch
@pytest.mark.parametrize("name", sorted(LAYERS.keys() - {"dropout", "embedding"}))
@given(st.data())
def test_layers_agree(name, data):
    examples = st.integers(2, 4) if name == "batch_norm" else st.integers(1, 3)  # PyTorch refuses a batch of one
    case = data.draw(cases(ROWS[name], dtypes=(np.float64,), examples=examples), label=name)
    y, pullback = case.layer.vjp(case.params, case.x, key=0)
    dparams, dx = pullback(case.dy)
    params, x = tree.map(tensor, case.params), tensor(case.x)
    expected = LAYERS[name](params, x, **case.arguments)
    expected.backward(torch.tensor(case.dy))
    agree(y, expected)
    if VJP_IS_APPLY not in case.row.but:
        agree(case.layer.apply(case.params, case.x), expected)
    agree(dx, x.grad)
    tree.map(lambda gradient, p: agree(gradient, p.grad), dparams, params)


@needs_torch
@given(st.data())
def test_what_layers_without_a_dx_or_with_draws_infer_agrees(data):
    case = data.draw(cases(ROWS["dropout"], dtypes=(np.float64,)))
    agree(case.layer.apply({}, case.x), LAYERS["dropout"]({}, tensor(case.x), **case.arguments))
    case = data.draw(cases(ROWS["batch_norm"], dtypes=(np.float64,)))
    p, x = tree.map(torch.tensor, case.inference), torch.tensor(case.x).reshape(-1, case.x.shape[-1])
    epsilon = case.arguments.get("epsilon", 1e-5)
    expected = torch.nn.functional.batch_norm(x, p["mean"], p["var"], p["w"], p["b"], eps=epsilon)
    agree(case.layer.apply(case.inference, case.x), expected.reshape(case.x.shape))
    x = np.random.default_rng(0).integers(0, 5, (4, 3))
    w, dy = tensor(data.draw(strategies.batches((2,), min_size=5, max_size=5))), np.ones((4, 3, 2))
    y, pullback = layers.embedding(5, 2).vjp({"w": w.detach().numpy()}, x, wrt_x=False)
    expected = LAYERS["embedding"]({"w": w}, torch.tensor(x), 5, 2)
    expected.backward(torch.tensor(dy))
    agree(y, expected)
    agree(pullback(dy)[0]["w"], w.grad)


@st.composite
def targets(draw, name, n, width):
    """Labels or rows for the cross-entropy, rows of any numbers for the others."""
    if name == "softmax_cross_entropy":
        return draw(st.one_of(strategies.labels(n, width), strategies.probabilities(n, width)))
    if name in ("kl_divergence", "sigmoid_cross_entropy"):
        return draw(strategies.probabilities(n, width))
    return draw(strategies.batches((width,), min_size=n, max_size=n))


@needs_torch
@pytest.mark.parametrize("name", LOSSES)
@given(st.data())
def test_losses_agree(name, data):
    outputs = 3.0 * data.draw(strategies.batches((data.draw(st.integers(1, 6)),)))
    wanted = data.draw(targets(name, *outputs.shape))
    value, pullback = getattr(losses, name).vjp(outputs, wanted)
    theirs = tensor(outputs)
    expected = LOSSES[name](theirs, torch.tensor(wanted))
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-10, abs=1e-10)
    agree(pullback(1.0), theirs.grad)


@needs_torch
@given(st.data())
def test_softmax_agrees(data):
    logits = 5.0 * data.draw(strategies.batches((4,)))
    agree(losses.softmax(logits), torch.softmax(torch.tensor(logits), dim=-1))
