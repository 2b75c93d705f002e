"""Every public layer agrees with PyTorch in float64 to 1e-10, its output and all its gradients."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import layers, tree
from tests.layers.cases import cases
from tests.layers.table import ROWS, VJP_IS_APPLY
from tests.oracles.torch_table import LAYERS, needs_torch, tensor, torch

DRAWS = "dropout"  # what it drops is nobody else's


def agree(actual, expected):
    np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=1e-10, atol=1e-10, strict=True)


def test_every_public_layer_has_a_row():
    assert set(LAYERS) == set(layers.__all__)


@needs_torch
@pytest.mark.parametrize("name", sorted(LAYERS.keys() - {DRAWS}))
@given(st.data())
def test_layers_agree(name, data):
    examples = st.integers(2, 4) if name == "batch_norm" else st.integers(1, 3)  # PyTorch refuses a batch of one
    case = data.draw(cases(ROWS[name], dtypes=(np.float64,), examples=examples), label=name)
    y, dparams, dx = case.run()
    params, x = tree.map(tensor, case.params), tensor(case.x) if case.row.has_dx else torch.tensor(case.x)
    expected = LAYERS[name](params, x, **case.arguments)
    expected.backward(torch.tensor(case.dy))
    agree(y, expected)
    if VJP_IS_APPLY not in case.row.but:
        agree(case.layer.apply(case.params, case.x), expected)
    if case.row.has_dx:
        agree(dx, x.grad)
    tree.map(lambda gradient, p: agree(gradient, p.grad), dparams, params)


@needs_torch
@given(st.data())
def test_inference_agrees_where_it_is_not_the_training_pass(data):
    case = data.draw(cases(ROWS[DRAWS], dtypes=(np.float64,)))
    agree(case.layer.apply({}, case.x), LAYERS[DRAWS]({}, tensor(case.x), **case.arguments))
    case = data.draw(cases(ROWS["batch_norm"], dtypes=(np.float64,)))
    p, x = tree.map(torch.tensor, case.inference), torch.tensor(case.x).reshape(-1, case.x.shape[-1])
    epsilon = case.arguments.get("epsilon", 1e-5)
    expected = torch.nn.functional.batch_norm(x, p["mean"], p["var"], p["w"], p["b"], eps=epsilon)
    agree(case.layer.apply(case.inference, case.x), expected.reshape(case.x.shape))
