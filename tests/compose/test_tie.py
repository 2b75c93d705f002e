"""Tied parameters against the untied network in which both are set equal, and what the rest of the library sees."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import anatomy, layers, losses, optim
from functional_nn.testing import check_vjp
from tests.compose.test_compose import float64, spy

RNG = np.random.default_rng(0)
WIDTH = 3
AUTOENCODER = fnn.serial(encoder=layers.dense(2), a=layers.tanh, decoder=layers.dense(5))
TIED = fnn.tie(AUTOENCODER, {"decoder.w": "encoder.w.T"})


def square():
    """Networks from vectors of `WIDTH` to vectors of `WIDTH`, nested, with parameters of equal shapes in them."""
    leaf = st.builds(lambda a: fnn.serial(f=layers.dense(WIDTH), a=a), st.sampled_from([layers.tanh, layers.silu]))

    def joined(left, right):
        return fnn.serial(both=fnn.branch(left=left, right=right), out=layers.dense(WIDTH))

    return st.recursive(
        leaf | st.just(layers.dense(WIDTH)),
        lambda body: (
            st.builds(lambda one, two: fnn.serial(one=one, two=two), body, body)
            | st.builds(fnn.residual, body, st.none() | body)
            | st.builds(joined, body, body)
        ),
        max_leaves=4,
    ).map(lambda net: fnn.serial(first=layers.dense(WIDTH), net=net, last=layers.dense(WIDTH)))


@st.composite
def tied_networks(draw):
    """Draw an untied network, its ties, and its initial parameters by path, in float64."""
    model = draw(square())
    params = dict(fnn.tree.items(float64(model.init(np.random.default_rng(draw(st.integers(0, 9))), (WIDTH,)))))
    order = draw(st.permutations(sorted(params)))
    sources, ties = order[: draw(st.integers(1, 3))], {}
    for target in order[len(sources) :]:
        fitting = [source for source in sources if params[source].shape == params[target].shape]
        if fitting and draw(st.booleans()):
            source = draw(st.sampled_from(fitting))
            transposed = params[source].shape == (WIDTH, WIDTH) and draw(st.booleans())
            ties[target] = source + ".T" * transposed
    return model, ties, params


def nested(flat):
    """The tree of entries by dotted paths, written without the library's own."""
    tree = {}
    for path, entry in flat.items():
        *above, name = path.split(".")
        node = tree
        for part in above:
            node = node.setdefault(part, {})
        node[name] = entry
    return tree


@given(tied_networks())
def test_it_is_the_untied_network_with_equal_parameters_and_gradients_add_up(drawn):
    model, ties, params = drawn
    held = {path: entry for path, entry in params.items() if path not in ties}
    equal = {**held, **{t: params[s[:-2]].T if s.endswith(".T") else params[s] for t, s in ties.items()}}
    tied = fnn.tie(model, ties)
    x, dy = RNG.standard_normal((4, WIDTH)), RNG.standard_normal((4, WIDTH))
    y, pullback = tied.vjp(nested(held), x)
    expected_y, untied_pullback = model.vjp(nested(equal), x)
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(tied.apply(nested(held), x), expected_y)
    (dparams, dx), (untied, expected_dx) = pullback(dy), untied_pullback(dy)
    np.testing.assert_array_equal(dx, expected_dx)
    expected = dict(fnn.tree.items(untied))
    for target, source in ties.items():
        share = expected.pop(target)
        source, share = (source[:-2], share.T) if source.endswith(".T") else (source, share)
        expected[source] = expected[source] + share
    fnn.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), dparams, nested(expected))


@given(tied_networks())
def test_it_passes_the_gradient_check(drawn):
    model, ties, params = drawn
    held = nested({path: entry for path, entry in params.items() if path not in ties})
    check_vjp(fnn.tie(model, ties), held, RNG.standard_normal((2, WIDTH)))


@given(tied_networks())
def test_init_is_that_of_the_untied_network_without_the_targets(drawn):
    model, ties, _ = drawn
    whole = dict(fnn.tree.items(model.init(np.random.default_rng(5), (WIDTH,))))
    expected = nested({path: entry for path, entry in whole.items() if path not in ties})
    fnn.tree.map(np.testing.assert_array_equal, fnn.tie(model, ties).init(np.random.default_rng(5), (WIDTH,)), expected)


@given(tied_networks())
def test_leaves_are_those_of_the_untied_network_with_their_parameters(drawn):
    model, ties, params = drawn
    tied, held = fnn.tie(model, ties), {path: entry for path, entry in params.items() if path not in ties}
    for leaf, untied in zip(anatomy.leaf_layers(tied, (WIDTH,)), anatomy.leaf_layers(model, (WIDTH,)), strict=True):
        assert leaf[:4] == untied[:4]
        own, shapes = anatomy.leaf_params(leaf, nested(held)), anatomy.leaf_params(untied, nested(params))
        assert fnn.tree.map(np.shape, own) == fnn.tree.map(np.shape, shapes)
        assert anatomy.multiply_adds(leaf, nested(held)) == anatomy.multiply_adds(untied, nested(params))


def test_gradients_of_an_autoencoder_worked_out_by_hand():
    model = fnn.tie(fnn.serial(f=layers.dense(1), g=layers.dense(2)), {"g.w": "f.w.T"})
    params = {"f": {"w": np.array([[2.0], [3.0]]), "b": np.zeros(1)}, "g": {"b": np.zeros(2)}}
    y, pullback = model.vjp(params, np.array([[1.0, 10.0]]))
    assert y.tolist() == [[64.0, 96.0]]  # h = 2 + 30 = 32
    dparams, dx = pullback(np.array([[1.0, 100.0]]))
    dh = 2.0 + 300.0
    assert dparams["f"]["w"].tolist() == [[dh + 32.0], [10.0 * dh + 3200.0]]
    assert dparams["g"]["b"].tolist() == [1.0, 100.0]
    assert dparams["g"].keys() == {"b"}
    assert dx.tolist() == [[2.0 * dh, 3.0 * dh]]


def test_a_whole_part_uses_anothers_parameters():
    block = fnn.serial(f=layers.dense(WIDTH), n=layers.layer_norm())
    model = fnn.serial(one=block, two=block, three=block)
    tied = fnn.tie(model, {"two": "one", "three": "one"})
    params = float64(tied.init(RNG, (WIDTH,)))
    assert params.keys() == {"one"}
    x = RNG.standard_normal((4, WIDTH))
    np.testing.assert_array_equal(
        tied.apply(params, x), model.apply(dict.fromkeys(("one", "two", "three"), params["one"]), x)
    )
    check_vjp(tied, params, x)


def test_an_embedding_shares_its_table_with_the_output():
    model = fnn.serial(words=layers.embedding(7, 2), mix=layers.tanh, output=layers.dense(7))
    tied = fnn.tie(model, {"output.w": "words.w.T"})
    params = float64(tied.init(RNG, ()))
    x, dy = np.array([1, 2, 2]), RNG.standard_normal((3, 7))
    y, pullback = tied.vjp(params, x, wrt_x=False)
    table = params["words"]["w"]
    np.testing.assert_allclose(y, np.tanh(table[x]) @ table.T + params["output"]["b"], rtol=1e-14)
    dw = pullback(dy)[0]["words"]["w"]
    expected = dy.T @ np.tanh(table[x])  # (7, 3) @ (3, 2): every word as an output
    for word, share in zip(x, dy @ table * (1.0 - np.tanh(table[x]) ** 2), strict=True):
        expected[word] += share
    np.testing.assert_allclose(dw, expected, rtol=1e-12)


def test_a_transposed_kernel_swaps_the_channels_for_conv2d_transpose():
    model = fnn.serial(down=layers.conv2d(4, 3, stride=2), up=layers.conv2d_transpose(2, 3, stride=2))
    tied = fnn.tie(model, {"up.w": "down.w.T"})
    params = float64(tied.init(RNG, (5, 7, 2)))
    zero = {**params["down"], "b": np.zeros(4)}
    x = RNG.standard_normal((2, 5, 7, 2))
    code, pullback = layers.conv2d(4, 3, stride=2).vjp(zero, x)
    np.testing.assert_allclose(tied.apply({**params, "down": zero}, x), pullback(code)[1], rtol=1e-12)
    check_vjp(tied, params, x)


def test_ties_within_parts_and_chains_of_them():
    inner = fnn.tie(fnn.serial(f=layers.dense(WIDTH), g=layers.dense(WIDTH)), {"g.w": "f.w.T"})
    model = fnn.serial(first=layers.dense(WIDTH), body=fnn.residual(inner), last=layers.dense(WIDTH))
    tied = fnn.tie(fnn.tie(model, {"body.body.f.w": "first.w"}), {"first.w": "last.w.T"})
    params = float64(tied.init(RNG, (WIDTH,)))
    paths = [path for path, _ in fnn.tree.items(params)]
    assert paths == ["body.body.f.b", "body.body.g.b", "first.b", "last.b", "last.w"]
    check_vjp(tied, params, RNG.standard_normal((4, WIDTH)))
    w = {".".join(leaf.path): anatomy.leaf_params(leaf, params)["w"] for leaf in anatomy.leaf_layers(tied, (WIDTH,))}
    last = params["last"]["w"]
    for path, expected in {"first": last.T, "body.body.f": last.T, "body.body.g": last, "last": last}.items():
        np.testing.assert_array_equal(w[path], expected)


@pytest.mark.parametrize("first", ["tie", "bind"])
def test_binding_a_source_binds_its_targets(first):
    params = float64(TIED.init(RNG, (5,)))
    fixed = {"encoder": {"w": params["encoder"]["w"]}}
    tied_later = fnn.tie(fnn.bind(AUTOENCODER, fixed), {"decoder.w": "encoder.w.T"})
    bound = fnn.bind(TIED, fixed) if first == "tie" else tied_later
    left = {name: {"b": params[name]["b"]} for name in ("encoder", "decoder")}
    assert fnn.tree.map(np.shape, bound.init(RNG, (5,))) == fnn.tree.map(np.shape, left)
    x = RNG.standard_normal((3, 5))
    np.testing.assert_array_equal(bound.apply(left, x), TIED.apply(params, x))
    check_vjp(bound, left, x)
    for leaf in anatomy.leaf_layers(bound, (5,)):
        assert anatomy.leaf_params(leaf, left).keys() == set("wb" if leaf.path != ("a",) else "")


def test_binding_what_is_not_tied_keeps_the_tie():
    params = float64(TIED.init(RNG, (5,)))
    bound = fnn.bind(TIED, {"decoder": params["decoder"]})
    x = RNG.standard_normal((3, 5))
    left = {"encoder": params["encoder"]}
    assert bound.init(RNG, (5,)).keys() == left.keys()
    np.testing.assert_array_equal(bound.apply(left, x), TIED.apply(params, x))
    check_vjp(bound, left, x)


def test_a_bound_front_costs_no_backward_and_a_tied_target_does():
    calls: list[tuple] = []
    model = fnn.serial(s=spy(calls), f=layers.dense(WIDTH), t=spy(calls), g=layers.dense(WIDTH))
    tied = fnn.tie(model, {"f": "g"})
    params = float64(tied.init(RNG, (WIDTH,)))
    _, pullback = tied.vjp(params, RNG.standard_normal((2, WIDTH)), wrt_x=False)
    dparams, dx = pullback(np.ones((2, WIDTH)))
    assert dx is None
    assert dparams.keys() == {"g"}
    assert [(what, wrt_x) for what, _, wrt_x in calls] == [("forward", False), ("forward", True), ("backward", True)]


def test_parts_with_batch_norm_share_their_parameters_and_have_their_own_statistics():
    block = fnn.serial(f=layers.dense(WIDTH), n=layers.batch_norm())
    model = fnn.serial(one=block, a=layers.tanh, two=block)
    tied, x = fnn.tie(model, {"two": "one"}), RNG.standard_normal((12, WIDTH))
    params = float64(tied.init(RNG, (WIDTH,)))
    known = fnn.statistics(tied, params, x, batch_size=4)
    untied = fnn.statistics(model, {"one": params["one"], "two": params["one"]}, x, batch_size=4)
    assert known["two"]["n"].keys() == {"mean", "var"}
    for name in ("mean", "var"):
        np.testing.assert_array_equal(known["two"]["n"][name], untied["two"]["n"][name])
    assert not np.array_equal(known["one"]["n"]["mean"], known["two"]["n"]["mean"])
    expected = model.apply(untied, x)
    np.testing.assert_array_equal(tied.apply(known, x), expected)
    known_moments = {name: {"n": {key: known[name]["n"][key] for key in ("mean", "var")}} for name in ("one", "two")}
    for bound in (fnn.bind(tied, known_moments), fnn.tie(fnn.bind(model, known_moments), {"two": "one"})):
        np.testing.assert_allclose(bound.apply(params, x), expected, rtol=1e-12)
    assert anatomy.couples_examples(tied)


def test_training_is_the_same_for_every_number_of_workers_and_keeps_the_tree():
    x = RNG.standard_normal((40, 5)).astype(np.float32)
    params = TIED.init(RNG, (5,))
    results = [
        fnn.fit(
            TIED, params, (x, x), loss=losses.mean_squared_error, optimizer=optim.adam(0.01), epochs=3, batch_size=20,
            seed=1, workers=workers, chunk=5, progress=False,
        )
        for workers in (1, 3)
    ]  # fmt: skip
    fnn.tree.map(np.testing.assert_array_equal, results[0].params, results[1].params)
    assert fnn.tree.map(np.shape, results[0].params) == fnn.tree.map(np.shape, params)
    before, after = (result["loss"] for result in (results[0].history[0], results[0].history[-1]))
    assert after < before
    outputs = fnn.predict(TIED, results[0].params, x)
    np.testing.assert_allclose(outputs, TIED.apply(results[0].params, x), rtol=1e-5, atol=1e-6)


def test_chunks_are_those_of_the_untied_network():
    from functional_nn.training.chunks import chunk_size

    model = fnn.serial(f=layers.dense(900), g=layers.dense(784))
    tied = fnn.tie(model, {"g.w": "f.w.T"})
    sizes = [chunk_size(net, net.init(RNG, (784,)), 512, (784,)) for net in (model, tied)]
    assert sizes[0] == sizes[1] < 512


def test_the_summary_shows_what_is_tied_and_counts_it_once(capsys):
    fnn.summary(TIED, (5,))
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert rows["decoder"][3:] == ["15", "10", "8"]  # as untied: its input is what it keeps
    assert rows["serial"][1] == "17"
    assert sum(int(rows[name][3]) for name in ("encoder", "decoder")) == 27


def test_it_is_a_value():
    again = fnn.tie(AUTOENCODER, {"decoder.w": "encoder.w.T"})
    assert again == TIED != fnn.tie(AUTOENCODER, {})
    assert hash(again) == hash(TIED)
    assert repr(TIED) == f"tie({AUTOENCODER!r}, {{'decoder.w': 'encoder.w.T'}})"
    copy = pickle.loads(pickle.dumps(TIED))
    assert copy == TIED
    params = float64(TIED.init(RNG, (5,)))
    x = RNG.standard_normal((2, 5))
    np.testing.assert_array_equal(copy.apply(params, x), TIED.apply(params, x))
    assert TIED.parts == AUTOENCODER.parts


def test_the_order_of_the_ties_changes_no_bit():
    names = [f"l{i}" for i in range(6)]
    model = fnn.serial(**{name: layers.dense(WIDTH) for name in names})
    targets = [f"{name}.w" for name in names[1:]]
    forth, back = (dict.fromkeys(order, "l0.w") for order in (targets, targets[::-1]))
    params = fnn.tie(model, forth).init(RNG, (WIDTH,))
    x = RNG.standard_normal((4, WIDTH)).astype(np.float32)
    results = [fnn.tie(model, ties).vjp(params, x)[1](x) for ties in (forth, back)]
    fnn.tree.map(np.testing.assert_array_equal, *results)
