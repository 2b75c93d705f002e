"""Binding: what is fixed is gone from the tree, and every leaf stays what it is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import anatomy, layers, losses, models, optim, tree
from functional_nn.layer import StructureError
from functional_nn.testing import check_vjp
from tests.refusals import refused

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 5)).astype(np.float32)
LABELS = X[:, :3].argmax(axis=1)


def float64(params):
    return tree.map(lambda p: p.astype(np.float64), params)


def batch_normed():
    """A network with two batch norms, and its parameters."""
    model = fnn.serial(
        f1=layers.dense(6), n1=layers.batch_norm(), a1=layers.tanh, n2=layers.batch_norm(), f2=layers.dense(3)
    )
    return model, model.init(np.random.default_rng(0), (5,))


def trained(model, params, **options):
    return fnn.fit(
        model, params, (X, LABELS), loss=losses.softmax_cross_entropy, optimizer=optim.adam(0.02), epochs=2,
        batch_size=10, seed=0, progress=False, validation=(X, LABELS), **options,
    )  # fmt: skip


def moments_of(known, names):
    return {name: {moment: known[name][moment] for moment in ("mean", "var")} for name in names}


def test_bound_parts_are_gone_and_cost_no_backward():
    calls = []

    def spying(params, x, *, key=None, wrt_x=True):
        calls.append("forward")
        return x, lambda dy: calls.append("backward") or ({}, dy if wrt_x else None)

    model = fnn.serial(f=layers.dense(4), s=fnn.Layer("spy", vjp=spying), g=layers.dense(2))
    params = float64(model.init(RNG, (3,)))
    bound = fnn.bind(model, {"f": params["f"]})
    assert bound.init(RNG, (3,)).keys() == {"g"}
    x = RNG.standard_normal((2, 3))
    np.testing.assert_array_equal(bound.apply({"g": params["g"]}, x), model.apply(params, x))
    calls.clear()
    _, pullback = bound.vjp({"g": params["g"]}, x, wrt_x=False)
    assert pullback(np.ones((2, 2)))[0].keys() == {"g"}
    assert calls == ["forward"]
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
    parts = ", ".join(name for name, _ in model.parts)
    with refused(StructureError, f"lenet5.c2: bind: no such part; expected some of {parts}"):
        fnn.bind(model, {"c2": {}})
    with refused(StructureError, "lenet5.c1.gamma: bind: no such parameter; expected some of w, b"):
        fnn.bind(model, {"c1": {"gamma": np.zeros(1)}})
    with refused(StructureError, "relu.w: bind: no such parameter; there are none to fix"):
        fnn.bind(layers.relu, {"w": np.zeros(1)})
    params = {"w": np.zeros((3, 2)), "b": np.zeros(2)}
    bound = fnn.bind(layers.dense(2), {"w": params["w"]})
    with refused(StructureError, "dense.w: bind: bound already; expected some of b"):
        fnn.bind(bound, {"w": params["w"]})
    for run in (bound.apply, bound.vjp):
        with refused(StructureError, "dense.w: bound already: leave it out of the parameters"):
            run(params, np.zeros((1, 3)))


@pytest.mark.parametrize("bad", [None, 0.0, np.zeros(2), fnn.FitResult({}, (), [])], ids=lambda bad: type(bad).__name__)
def test_what_is_no_dict_of_parameters_cannot_be_fixed(bad):
    remedy = ": give its .params" if isinstance(bad, fnn.FitResult) else ""
    text = f"bind: the parameters are a {type(bad).__name__}, expected a dict as init returns it{remedy}"
    with refused(StructureError, f"serial: {text}"):
        fnn.bind(fnn.serial(a=layers.dense(2)), bad)
    with refused(StructureError, f"serial.a: {text}"):
        fnn.bind(fnn.serial(a=layers.dense(2)), {"a": bad})


@pytest.mark.parametrize(
    "bad", [None, 0.0, np.float32(0), np.ones((3, 2)).view(np.matrix), {}], ids=lambda bad: type(bad).__name__
)
def test_what_is_no_array_cannot_be_fixed(bad):
    kind = "float" if isinstance(bad, np.float32) else type(bad).__name__  # NumPy's numbers become Python's
    with refused(StructureError, f"serial.a.w: bind: is a {kind}, expected a NumPy array"):
        fnn.bind(fnn.serial(a=layers.dense(2)), {"a": {"w": bad}})


def test_a_combinator_that_cannot_be_made_of_other_parts_says_what_it_lacks():
    inner = layers.dense(2)

    def vjp(params, x, *, key=None, wrt_x=True):
        return inner.vjp(params["inner"], x, key=key, wrt_x=wrt_x)

    outer = fnn.Layer("outer", vjp=vjp, parts=(("inner", inner),))
    with refused(TypeError, "outer: its parts cannot be replaced; make it with Layer(..., parts=, combine=)"):
        fnn.bind(outer, {"inner": {"b": np.zeros(2)}})


def test_what_is_fixed_is_copied():
    w = np.ones((3, 2))
    bound = fnn.bind(layers.dense(2), {"w": w})
    w[...] = 5.0
    assert bound.apply({"b": np.zeros(2)}, np.ones((1, 3))).tolist() == [[3.0, 3.0]]


@pytest.mark.parametrize("fixed", ["w", "b"])
def test_fixed_and_other_parameters_of_two_dtypes_are_refused(fixed):
    params = layers.dense(2).init(RNG, (3,))
    bound = fnn.bind(layers.dense(2), {fixed: params[fixed].astype(np.float64)})
    rest = {name: entry for name, entry in params.items() if name != fixed}
    for x, entry in ((np.zeros((1, 3), np.float32), fixed), (np.zeros((1, 3)), *rest)):
        own, other = x.dtype, {"float32": "float64", "float64": "float32"}[x.dtype.name]
        for run in (bound.apply, bound.vjp):
            with refused(
                StructureError, f"dense.{entry}: x is {own}, the parameter is {other}; convert one: nothing is promoted"
            ):
                run(rest, x)


def test_a_bound_leaf_keeps_its_name_its_facts_and_its_functions():
    w, b = np.ones(3, np.float32), np.zeros(3, np.float32)
    table = np.ones((5, 4), np.float32)
    for leaf, fixed in (
        (layers.dense(3), {"w": np.ones((2, 3), np.float32)}),
        (layers.embedding(5, 4), {"w": table}),
        (layers.batch_norm(), {"w": w, "b": b}),
        (layers.conv2d(3, 1), {"b": b}),
    ):
        bound = fnn.bind(leaf, fixed)
        assert bound.name == leaf.name
        assert bound.functions == leaf.functions
        assert bound.parameters == tuple(name for name in leaf.parameters if name not in fixed)
        for fact in ("moments", "couples_examples", "integer_input", "parts", "combine"):
            assert getattr(bound, fact) == getattr(leaf, fact), fact
        tree.map(np.testing.assert_array_equal, bound.fixed, fixed)


def test_a_bound_combinator_keeps_its_name_and_its_parts_names():
    model = models.lenet5(10)
    params = model.init(RNG, (32, 32, 1))
    bound = fnn.bind(model, {"c1": params["c1"]})
    assert bound.name == "lenet5"
    assert [name for name, _ in bound.parts] == [name for name, _ in model.parts]
    assert [part for name, part in bound.parts if name != "c1"] == [part for name, part in model.parts if name != "c1"]
    rest = {name: entry for name, entry in params.items() if name != "c1"}
    with refused(ValueError, "lenet5.c1: x has 3 channels, w expects 1"):
        bound.apply(rest, np.zeros((1, 32, 32, 3), np.float32))


def test_a_bound_model_can_be_bound_again():
    model, x = fnn.serial(f=layers.dense(4), a=layers.tanh, g=layers.dense(2)), RNG.standard_normal((2, 3))
    params = float64(model.init(RNG, (3,)))
    steps = [{"f": {"w": params["f"]["w"]}}, {"f": {"b": params["f"]["b"]}, "g": {"b": params["g"]["b"]}}]
    bound = fnn.bind(fnn.bind(model, steps[0]), steps[1])
    rest = {"g": {"w": params["g"]["w"]}}
    assert tree.map(np.shape, bound.init(RNG, (3,))) == {"g": {"w": (4, 2)}}
    np.testing.assert_array_equal(bound.apply(rest, x), model.apply(params, x))
    check_vjp(bound, rest, x)
    assert repr(bound).startswith("bind(bind(serial(f=dense(4), a=tanh, g=dense(2)), {'f': {'w': float64[3, 4]}}), ")
    assert pickle.loads(pickle.dumps(bound)) == bound
    whole = fnn.bind(bound, rest)
    assert whole.init(RNG, (3,)) == {}
    np.testing.assert_array_equal(whole.apply({}, x), model.apply(params, x))


def test_a_batch_norm_with_fixed_w_and_b_gets_statistics_and_validates():
    model, params = batch_normed()
    bound = fnn.bind(model, {"n1": params["n1"]})
    rest = {name: entry for name, entry in params.items() if name != "n1"}
    known, whole = fnn.statistics(bound, rest, X), fnn.statistics(model, params, X)
    assert known["n1"].keys() == {"mean", "var"}
    tree.map(np.testing.assert_array_equal, moments_of(known, ("n1", "n2")), moments_of(whole, ("n1", "n2")))
    np.testing.assert_array_equal(fnn.predict(bound, known, X), fnn.predict(model, whole, X))
    remedy = "inference needs the training data's: params = fnn.statistics(model, params, x)"
    with refused(StructureError, f"serial.n1.mean: missing; {remedy}"):
        fnn.predict(bound, rest, X)
    result = trained(bound, rest)
    assert result.params.keys() == rest.keys()
    scores = fnn.evaluate(
        bound, fnn.statistics(bound, result.params, X, batch_size=10), X, LABELS, loss=losses.softmax_cross_entropy
    )
    assert scores["loss"] == result.history[-1]["val_loss"]


def test_a_batch_norm_with_fixed_moments_trains_and_infers_by_them():
    model, params = batch_normed()
    known = fnn.statistics(model, params, X)
    frozen = fnn.bind(model, moments_of(known, ("n1", "n2")))
    assert fnn.statistics(frozen, params, X) is params  # there are none to compute
    np.testing.assert_array_equal(frozen.apply(params, X), model.apply(known, X))
    np.testing.assert_array_equal(frozen.vjp(params, X)[0], model.apply(known, X))
    assert (model.output_shape((5,)), anatomy.couples_examples(model)) == ((3,), True)
    assert (frozen.output_shape((5,)), anatomy.couples_examples(frozen)) == ((3,), False)
    one, _ = frozen.vjp(params, X[:1])
    np.testing.assert_allclose(one, frozen.vjp(params, X)[0][:1], rtol=1e-5, atol=1e-6)
    result = trained(frozen, params)
    scores = fnn.evaluate(frozen, result.params, X, LABELS, loss=losses.softmax_cross_entropy)
    assert scores["loss"] == result.history[-1]["val_loss"]
    assert tree.map(np.shape, result.params) == tree.map(np.shape, params)


def test_one_batch_norm_of_two_with_fixed_moments_still_couples_the_examples():
    model, params = batch_normed()
    frozen = fnn.bind(model, moments_of(fnn.statistics(model, params, X), ["n1"]))
    assert anatomy.couples_examples(frozen)
    assert fnn.statistics(frozen, params, X)["n1"].keys() == {"w", "b"}


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 3)])
def test_gradients_of_a_batch_norm_with_fixed_moments_are_those_of_w_and_b(shape):
    rng = np.random.default_rng(1)
    x, dy = rng.standard_normal(shape), rng.standard_normal(shape)
    moments = {"mean": rng.standard_normal(3), "var": 0.5 + rng.random(3)}
    params = {"w": rng.standard_normal(3), "b": rng.standard_normal(3)}
    layer = fnn.bind(layers.batch_norm(epsilon=0.1), moments)
    check_vjp(layer, params, x)
    y, pullback = layer.vjp(params, x)
    z = (x - moments["mean"]) / np.sqrt(moments["var"] + 0.1)
    np.testing.assert_allclose(y, params["w"] * z + params["b"], rtol=1e-12)
    dparams, dx = pullback(dy)
    assert dparams.keys() == {"w", "b"}
    axes = tuple(range(len(shape) - 1))
    np.testing.assert_allclose(dparams["w"], (dy * z).sum(axis=axes), rtol=1e-12)
    np.testing.assert_allclose(dparams["b"], dy.sum(axis=axes), rtol=1e-12)
    np.testing.assert_allclose(dx, dy * params["w"] / np.sqrt(moments["var"] + 0.1), rtol=1e-12)


def test_fixing_one_of_the_moments_alone_is_refused():
    for fixed, other in (("mean", "var"), ("var", "mean")):
        with refused(StructureError, f"serial.n.{other}: bind: fix mean and var together"):
            fnn.bind(fnn.serial(n=layers.batch_norm()), {"n": {fixed: np.zeros(3)}})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_facts_of_a_bound_model_are_those_of_the_model(dtype, capsys):
    model = fnn.serial(words=layers.embedding(5, 4), flat=layers.flatten(), n=layers.batch_norm(), out=layers.dense(2))
    params = model.init(RNG, (3,))
    fixed = tree.map(lambda p: p.astype(dtype), {"words": params["words"], "out": {"w": params["out"]["w"]}})
    bound = fnn.bind(model, fixed)
    facts, whole = anatomy.layer_facts(bound, (3,)), anatomy.layer_facts(model, (3,))
    assert [fact._replace(layer="") for fact in facts] == [fact._replace(layer="") for fact in whole]
    assert facts[0].layer == f"bind(embedding(5, 4), {{'w': {np.dtype(dtype)}[5, 4]}})"
    fnn.summary(bound, (3,))
    rows = capsys.readouterr().out.splitlines()
    assert rows[2].split()[0] == "words"
    assert rows[2].split()[-3:] == ["20", "0", "24"]  # parameters, multiply-adds (it looks up), the three int64
    x = np.array([[0, 4, 2]])
    rest = {"n": params["n"], "out": {"b": params["out"]["b"]}}
    if dtype == np.float32:
        np.testing.assert_array_equal(bound.vjp(rest, x, wrt_x=False)[0], model.vjp(params, x, wrt_x=False)[0])
