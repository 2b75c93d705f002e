"""Composition against the chain rule written out by hand."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import keys, layers, models
from functional_nn.testing import check_vjp

RNG = np.random.default_rng(0)


def float64(params):
    return fnn.tree.map(lambda p: p.astype(np.float64), params)


def spy(calls):
    def vjp(params, x, *, key=None, wrt_x=True):
        calls.append(("forward", key, wrt_x))

        def pullback(dy):
            calls.append(("backward", key, wrt_x))
            return {}, dy if wrt_x else None

        return x, pullback

    return fnn.Layer("spy", apply=lambda params, x: x, vjp=vjp)


def test_serial_is_the_composition_of_its_parts():
    f, g = layers.dense(4), layers.dense(2)
    model = fnn.serial(f=f, a=layers.tanh, g=g)
    params = float64(model.init(RNG, (3,)))
    x, dy = RNG.standard_normal((5, 3)), RNG.standard_normal((5, 2))
    hidden = np.tanh(x @ params["f"]["w"] + params["f"]["b"])
    y, pullback = model.vjp(params, x)
    np.testing.assert_allclose(y, hidden @ params["g"]["w"] + params["g"]["b"], rtol=1e-14)
    np.testing.assert_array_equal(y, model.apply(params, x))
    dparams, dx = pullback(dy)
    dz = (dy @ params["g"]["w"].T) * (1 - hidden**2)
    np.testing.assert_allclose(dparams["f"]["w"], x.T @ dz, rtol=1e-13)
    np.testing.assert_allclose(dx, dz @ params["f"]["w"].T, rtol=1e-13)


@pytest.mark.parametrize(
    "model",
    [
        fnn.residual(layers.tanh),
        fnn.residual(layers.dense(3), layers.dense(3)),
        fnn.branch(a=layers.dense(2), b=layers.tanh, c=fnn.serial(d=layers.dense(4), e=layers.silu)),
        fnn.serial(),
    ],
)
def test_combinators_pass_the_gradient_check(model):
    check_vjp(model, float64(model.init(RNG, (3,))), RNG.standard_normal((4, 3)))


def test_residual_adds_and_branch_joins():
    x = RNG.standard_normal((2, 3))
    np.testing.assert_array_equal(fnn.residual(layers.tanh).apply({}, x), np.tanh(x) + x)
    joined = fnn.branch(a=layers.tanh, b=layers.flatten()).apply({}, x)
    np.testing.assert_array_equal(joined, np.concatenate([np.tanh(x), x], axis=1))


def test_shapes_that_do_not_fit_are_refused_before_any_work():
    with pytest.raises(ValueError, match=r"residual: the body gives \(4,\), the shortcut \(3,\)"):
        fnn.residual(layers.dense(4)).output_shape((3,))
    mixed = fnn.branch(a=layers.flatten(), b=layers.tanh)
    with pytest.raises(ValueError, match=r"branch: the parts give"):
        mixed.output_shape((2, 2, 1))
    with pytest.raises(TypeError, match=r"serial\.a: expected a Layer, got .*call it"):
        fnn.serial(a=layers.flatten)


def test_keys_are_folded_by_position():
    calls: list[tuple] = []
    fnn.serial(a=spy(calls), b=spy(calls)).vjp({}, np.zeros((1, 2)), key=7)
    assert [key for _, key, _ in calls] == [keys.fold(7, 0), keys.fold(7, 1)]


def test_without_wrt_x_nothing_runs_back_before_the_first_parameters():
    calls: list[tuple] = []
    model = fnn.serial(a=spy(calls), f=layers.dense(2), b=spy(calls))
    params = float64(model.init(RNG, (3,)))
    _, pullback = model.vjp(params, RNG.standard_normal((2, 3)), wrt_x=False)
    dparams, dx = pullback(np.ones((2, 2)))
    assert dx is None
    assert dparams.keys() == {"f"}
    assert [(what, wrt_x) for what, _, wrt_x in calls] == [("forward", False), ("forward", True), ("backward", True)]


def test_bound_parts_are_gone_and_cost_no_backward():
    calls: list[tuple] = []
    model = fnn.serial(f=layers.dense(4), s=spy(calls), g=layers.dense(2))
    params = float64(model.init(RNG, (3,)))
    bound = fnn.bind(model, {"f": params["f"]})
    assert bound.init(RNG, (3,)).keys() == {"g"}
    x = RNG.standard_normal((2, 3))
    np.testing.assert_array_equal(bound.apply({"g": params["g"]}, x), model.apply(params, x))
    _, pullback = bound.vjp({"g": params["g"]}, x, wrt_x=False)
    assert pullback(np.ones((2, 2)))[0].keys() == {"g"}
    assert [what for what, *_ in calls] == ["forward"]
    check_vjp(bound, {"g": params["g"]}, x)


def test_bind_reaches_into_nested_parts_and_leaves():
    model = fnn.serial(body=fnn.residual(layers.dense(3)), out=layers.dense(2))
    params = float64(model.init(RNG, (3,)))
    fixed = {"body": {"body": {"w": params["body"]["body"]["w"]}}}
    bound = fnn.bind(model, fixed)
    left = {"body": {"body": {"b": params["body"]["body"]["b"]}}, "out": params["out"]}
    assert fnn.tree.map(np.shape, bound.init(RNG, (3,))) == fnn.tree.map(np.shape, left)
    x = RNG.standard_normal((2, 3))
    np.testing.assert_array_equal(bound.apply(left, x), model.apply(params, x))
    check_vjp(bound, left, x)
    assert pickle.loads(pickle.dumps(bound)) == bound != fnn.bind(model, {"out": params["out"]})


def test_bind_names_what_the_model_lacks_and_what_is_bound_already():
    model = models.lenet5(10)
    with pytest.raises(TypeError, match=r"lenet5\.c2: bind: no such part; expected some of c1, a1"):
        fnn.bind(model, {"c2": {}})
    params = {"w": np.zeros((3, 2)), "b": np.zeros(2)}
    with pytest.raises(TypeError, match=r"dense\.w: bound already"):
        fnn.bind(layers.dense(2), {"w": params["w"]}).apply(params, np.zeros((1, 3)))
