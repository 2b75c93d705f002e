"""Exported files give the model's outputs: every public layer, combinator and model, and drawn networks."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import layers, models
from functional_nn.compose import __all__ as combinators
from functional_nn.interop.tables import key_of
from tests.interop.drawn import arrays_for, in_float32, networks
from tests.interop.peers import needs_onnx, onnxruntime
from tests.layers.cases import cases
from tests.layers.table import ROWS

if onnxruntime is not None:
    from functional_nn.interop.onnx.files import EXPORTERS
    from tests.interop.onnx_runs import assert_exported

MANY = st.just(16)  # the scale of an output is that of all its examples
IMAGE = (6, 5, 2)
BODY = fnn.serial(c=layers.conv2d(2, 3, padding=1), n=layers.batch_norm(), d=layers.dropout(0.5), a=layers.relu)
SQUARE = fnn.serial(a=layers.dense(4), t=layers.tanh, b=layers.dense(4), c=layers.dense(4))
FIXED = {"n": {name: np.array([0.5, 2.0], np.float32) for name in ("w", "b", "mean", "var")}}
COMPOSED = {
    "serial": (fnn.serial(b=BODY, up=layers.upsample((2, 3))), IMAGE),
    "residual": (fnn.serial(r=fnn.residual(BODY), s=fnn.residual(BODY, layers.conv2d(2, 1))), IMAGE),
    "branch": (fnn.serial(b=fnn.branch(x=BODY, y=layers.conv2d(3, 1)), p=layers.max_pool(2, stride=1)), IMAGE),
    "bind": (fnn.bind(BODY, FIXED), IMAGE),
    "tie": (fnn.tie(SQUARE, {"b": "a", "c.w": "a.w.T"}), (4,)),
    "improved_lenet5": (models.improved_lenet5(), (32, 32, 1)),
    "lenet5": (models.lenet5(), (32, 32, 3)),
    "lenet5_1998": (models.lenet5_1998(), (32, 32, 1)),
    "small_resnet": (models.small_resnet(width=8), (8, 8, 3)),
    "two_layer_perceptron": (models.two_layer_perceptron(), (4, 4, 3)),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A file that is replaced by every example."""
    return tmp_path_factory.mktemp("onnx") / "model.onnx"


def test_every_public_layer_combinator_and_model_is_in_the_tables():
    assert set(ROWS) == set(layers.__all__)
    assert set(COMPOSED) | {"penalty_loss"} == {*combinators, *models.__all__}  # that is a loss


@needs_onnx
def test_every_public_layer_has_an_exporter():
    assert {key_of(getattr(layers, name)) for name in layers.__all__} <= EXPORTERS.keys()


@needs_onnx
@pytest.mark.parametrize("name", sorted(COMPOSED))
def test_combinators_and_models(name, path):
    model, shape = COMPOSED[name]
    params, x = arrays_for(model, shape, seed=0, n=4, dtype=np.float32)
    assert_exported(path, model, params, x)


@needs_onnx
@pytest.mark.parametrize("name", sorted(ROWS))
@given(data=st.data())
def test_every_layer(name, path, data):
    case = data.draw(cases(ROWS[name], dtypes=(np.float32,), examples=MANY), label=name)
    assume(case.row.magnifies(case.x, **case.arguments) < 30.0)  # else it magnifies rounding
    assert_exported(path, case.layer, case.inference, case.x)


@needs_onnx
@given(drawn=networks(n=16))
def test_drawn_networks(path, drawn):
    model, _, params, x = drawn
    assume(in_float32(model, params, x)[1] < 1e-6)  # else the network magnifies rounding, by a norm of equal entries
    assert_exported(path, model, fnn.tree.cast(params, np.float32), x.astype(np.float32))
