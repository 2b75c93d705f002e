"""Composition against the chain rule written out by hand."""

from __future__ import annotations

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import keys, layers
from functional_nn.testing import check_vjp
from tests.refusals import refused

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
    np.testing.assert_allclose(dparams["g"]["w"], hidden.T @ dy, rtol=1e-13)
    np.testing.assert_allclose(dparams["g"]["b"], dy.sum(axis=0), rtol=1e-13)
    np.testing.assert_allclose(dparams["f"]["w"], x.T @ dz, rtol=1e-13)
    np.testing.assert_allclose(dparams["f"]["b"], dz.sum(axis=0), rtol=1e-13)
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
    x = np.ones((1, 3), np.float32)
    residual = fnn.residual(layers.dense(4))
    params = {"body": layers.dense(4).init(RNG, (3,))}
    text = "the shortcut {}: give a shortcut= layer to the same shape"
    with refused(ValueError, f"residual: the body gives (4,), {text.format((3,))}"):
        residual.output_shape((3,))
    for run in (residual.apply, residual.vjp):
        with refused(ValueError, f"residual: the body gives (1, 4), {text.format((1, 3))}"):
            run(params, x)
    mixed = fnn.branch(a=layers.flatten(), b=layers.tanh)
    joined = "which can be joined only if all but the last axis agree"
    with refused(ValueError, f"branch: the parts give [(4,), (2, 2, 1)], {joined}"):
        mixed.output_shape((2, 2, 1))
    for run in (mixed.apply, mixed.vjp):
        with refused(ValueError, f"branch: the parts give [(1, 4), (1, 2, 2, 1)], {joined}"):
            run({}, np.ones((1, 2, 2, 1)))


def test_what_is_no_layer_is_refused_as_a_part():
    text = "expected a Layer, got flatten: call it to make one"
    for make, part in (
        (lambda: fnn.serial(a=layers.flatten), "serial.a"),
        (lambda: fnn.branch(a=layers.flatten), "branch.a"),
        (lambda: fnn.residual(layers.flatten), "residual.body"),
        (lambda: fnn.residual(layers.relu, layers.flatten), "residual.shortcut"),
        (lambda: fnn.bind(layers.flatten, {}), "bind: model"),
    ):
        with refused(TypeError, f"{part}: {text}"):
            make()
    with refused(TypeError, "serial.a: expected a Layer, got 3"):
        fnn.serial(a=3)
    with refused(ValueError, "branch: expected at least one part, got none"):
        fnn.branch()


def test_keys_are_folded_by_position():
    calls: list[tuple] = []
    a, b = spy(calls), spy(calls)
    for model in (fnn.serial(a=a, b=b), fnn.branch(a=a, b=b), fnn.residual(a, b)):
        calls.clear()
        model.vjp({}, np.zeros((1, 2)), key=7)
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
