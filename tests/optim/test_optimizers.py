"""`sgd` and `adam` against their equations worked out by hand, and the laws that every optimizer keeps."""

import math

import numpy as np
import pytest

from functional_nn import optim, tree
from tests.refusals import refused

OPTIMIZERS = {
    "sgd": optim.sgd(0.1),
    "momentum": optim.sgd(0.1, momentum=0.9),
    "nesterov": optim.sgd(0.1, momentum=0.9, nesterov=True),
    "decayed": optim.sgd(0.1, momentum=0.5, weight_decay=0.01),
    "scheduled": optim.sgd(optim.step_decay(0.1, every=2)),
    "adam": optim.adam(1e-3),
    "adamw": optim.adam(optim.cosine(1e-3, steps=10, warmup=2), weight_decay=0.1),
    "rmsprop": optim.rmsprop(1e-3, momentum=0.5),
    "adagrad": optim.adagrad(1e-2, weight_decay=0.1),
    "decayed weights": optim.chain(
        optim.trace(0.9), optim.masked(optim.add_decayed_weights(0.1), "*w"), optim.sgd(0.1)
    ),
    "averaged": optim.chain(optim.adam(1e-3), optim.parameter_average(0.9)),
    "clipped": optim.chain(optim.clip_by_global_norm(0.5), optim.adam(1e-3)),
}


def path_of(optimizer, start, gradient, steps):
    """The parameter after each step, for a parameter of one entry and its gradient as a function of it."""
    params, positions = {"p": np.array([start])}, []
    state = optimizer.init(params)
    for _ in range(steps):
        updates, state = optimizer.update({"p": np.array([gradient(params["p"].item())])}, state, params)
        params = optim.apply_updates(params, updates)
        positions.append(params["p"].item())
    return positions


def test_sgd_on_a_quadratic_is_its_closed_form():
    curvature, rate = 3.0, 0.1  # f(p) = 3/2 p^2: p_k = (1 - rate curvature)^k p_0
    actual = path_of(optim.sgd(rate), 2.0, lambda p: curvature * p, 20)
    np.testing.assert_allclose(actual, [2.0 * (1.0 - rate * curvature) ** k for k in range(1, 21)], rtol=1e-13)


def test_momentum_on_a_quadratic_is_its_closed_form():
    curvature, rate, momentum = 2.0, 0.1, 0.5
    # p_{k+1} = (1 + m - rate c) p_k - m p_{k-1}: a sum of powers of the roots of z^2 - (1 + m - rate c) z + m
    middle, root = (1 + momentum - rate * curvature) / 2, None
    root = complex(middle, math.sqrt(momentum - middle**2))
    # p_k = Re(a root^k), with p_0 = 1 and p_1 = 1 - rate c
    a = complex(1.0, (root.real - (1.0 - rate * curvature)) / root.imag)
    expected = [(a * root**k).real for k in range(1, 31)]
    actual = path_of(optim.sgd(rate, momentum=momentum), 1.0, lambda p: curvature * p, 30)
    np.testing.assert_allclose(actual, expected, atol=1e-14)


def test_nesterov_by_hand():
    # v <- 0.5 v + g, p <- p - 0.1 (g + 0.5 v), g = 1, 2, 4
    gradients = iter([1.0, 2.0, 4.0])
    actual = path_of(optim.sgd(0.1, momentum=0.5, nesterov=True), 0.0, lambda p: next(gradients), 3)
    first = -0.1 * (1.0 + 0.5 * 1.0)
    second = first - 0.1 * (2.0 + 0.5 * 2.5)
    third = second - 0.1 * (4.0 + 0.5 * 5.25)
    np.testing.assert_allclose(actual, [first, second, third], rtol=1e-14)


def test_weight_decay_of_sgd_is_decoupled_from_the_momentum():
    # v <- 0.5 v + 1, p <- p - 0.1 (v + 0.2 p): the decay never enters v
    actual = path_of(optim.sgd(0.1, momentum=0.5, weight_decay=0.2), 10.0, lambda p: 1.0, 3)
    first = 10.0 - 0.1 * (1.0 + 0.2 * 10.0)
    second = first - 0.1 * (1.5 + 0.2 * first)
    third = second - 0.1 * (1.75 + 0.2 * second)
    np.testing.assert_allclose(actual, [first, second, third], rtol=1e-14)


def adam_by_hand(gradients, rate=0.001, b1=0.9, b2=0.999, eps=1e-8, decay=0.0, start=1.0):
    """Algorithm 1 of Kingma and Ba (2015), and algorithm 2 of Loshchilov and Hutter (2019), in Python floats."""
    p, m, v, positions = start, 0.0, 0.0, []
    for t, g in enumerate(gradients, start=1):
        m = b1 * m + (1.0 - b1) * g
        v = b2 * v + (1.0 - b2) * g**2
        m_hat, v_hat = m / (1.0 - b1**t), v / (1.0 - b2**t)
        p = p - rate * (m_hat / (math.sqrt(v_hat) + eps) + decay * p)
        positions.append(p)
    return positions


def test_adam_by_hand():
    gradients = [0.5, -1.5, 4.0]
    queue = iter(gradients)
    actual = path_of(optim.adam(0.001), 1.0, lambda p: next(queue), 3)
    np.testing.assert_allclose(actual, adam_by_hand(gradients), rtol=1e-15)
    # the first step written out: m^ = g and v^ = g^2, so it is rate g / (|g| + eps)
    assert actual[0] == pytest.approx(1.0 - 0.001 * 0.5 / (0.5 + 1e-8), rel=1e-15)
    # the second: m = 0.9 * 0.05 - 0.15 = -0.105, v = 0.999 * 0.00025 + 0.00225 = 0.00249975
    second = (-0.105 / 0.19) / (math.sqrt(0.00249975 / 0.001999) + 1e-8)
    assert actual[1] == pytest.approx(actual[0] - 0.001 * second, rel=1e-13)
    # the third: m = 0.9 * -0.105 + 0.4 = 0.3055, v = 0.999 * 0.00249975 + 0.016 = 0.01849725025
    third = (0.3055 / 0.271) / (math.sqrt(0.01849725025 / 0.002997001) + 1e-8)
    assert actual[2] == pytest.approx(actual[1] - 0.001 * third, rel=1e-13)


def test_adam_with_other_settings_and_decay_by_hand():
    gradients = [1e-9, 3.0, -2.0, 1e3, 0.0]
    queue = iter(gradients)
    settings = {"b1": 0.8, "b2": 0.9, "eps": 1e-3}
    actual = path_of(optim.adam(0.05, weight_decay=0.1, **settings), 2.0, lambda p: next(queue), 5)
    np.testing.assert_allclose(actual, adam_by_hand(gradients, 0.05, decay=0.1, start=2.0, **settings), rtol=1e-13)


def test_rmsprop_by_hand():
    # v <- 0.9 v + 0.1 g^2, p <- p - 0.1 g / (sqrt(v) + 0.01)
    queue, p, v, expected = iter([2.0, -1.0, 3.0]), 1.0, 0.0, []
    for g in (2.0, -1.0, 3.0):
        v = 0.9 * v + 0.1 * g**2
        p -= 0.1 * g / (math.sqrt(v) + 0.01)
        expected.append(p)
    actual = path_of(optim.rmsprop(0.1, decay=0.9, eps=0.01), 1.0, lambda p: next(queue), 3)
    np.testing.assert_allclose(actual, expected, rtol=1e-14)
    assert actual[0] == pytest.approx(1.0 - 0.2 / (math.sqrt(0.4) + 0.01), rel=1e-14)


def test_rmsprop_with_momentum_and_decay_by_hand():
    queue, p, v, u, expected = iter([2.0, -1.0, 3.0]), 1.0, 0.0, 0.0, []
    for g in (2.0, -1.0, 3.0):
        v = 0.5 * v + 0.5 * g**2
        u = 0.8 * u + g / (math.sqrt(v) + 1e-8)
        p -= 0.1 * (u + 0.3 * p)
        expected.append(p)
    optimizer = optim.rmsprop(0.1, decay=0.5, momentum=0.8, weight_decay=0.3)
    np.testing.assert_allclose(path_of(optimizer, 1.0, lambda p: next(queue), 3), expected, rtol=1e-14)


def test_adagrad_by_hand():
    # s = 4, 5, 14: p <- p - 0.1 g / (sqrt(s) + 0.5)
    queue = iter([2.0, -1.0, 3.0])
    actual = path_of(optim.adagrad(0.1, eps=0.5), 0.0, lambda p: next(queue), 3)
    steps = [0.1 * 2.0 / (2.0 + 0.5), -0.1 / (math.sqrt(5) + 0.5), 0.3 / (math.sqrt(14) + 0.5)]
    expected = [-sum(steps[: i + 1]) for i in range(3)]
    np.testing.assert_allclose(actual, expected, rtol=1e-14)


def test_adam_does_not_move_where_the_gradient_is_zero():
    assert path_of(optim.adam(0.1), 3.0, lambda p: 0.0, 3) == [3.0, 3.0, 3.0]


def test_a_schedule_sets_the_rate_of_each_update():
    rates = [0.5, 0.25, 0.125]
    for optimizer in (optim.sgd(lambda step: rates[step]), optim.sgd(optim.step_decay(0.5, every=1, factor=0.5))):
        np.testing.assert_allclose(path_of(optimizer, 0.0, lambda p: 1.0, 3), [-0.5, -0.75, -0.875], rtol=1e-15)


def test_what_is_not_asked_for_takes_no_memory():
    params = {"p": np.ones(5)}
    for optimizer, numbers in ((optim.sgd(0.1), 0), (optim.rmsprop(0.1), 5), (optim.adagrad(0.1), 5)):
        assert tree.size(optimizer.init(params)) == numbers
    assert len(optim.sgd(0.1).init(params)) == 1
    assert len(optim.sgd(0.1, weight_decay=0.1).init(params)) == 2


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_nothing_is_written_and_dtypes_stay(name, trees):
    (params, gradients), optimizer = trees, OPTIMIZERS[name]
    state = optimizer.init(params)
    for grads in gradients:  # read-only arrays: a write raises
        before = tree.map(np.copy, (params, grads, state))
        for leaf in tree.leaves(state):
            if isinstance(leaf, np.ndarray):
                leaf.flags.writeable = False
        updates, new_state = optimizer.update(grads, state, params)
        new_params = optim.apply_updates(params, updates)
        tree.map(np.testing.assert_array_equal, (params, grads, state), before)
        for leaf in tree.leaves((updates, new_params, new_state)):
            if isinstance(leaf, np.ndarray):
                assert leaf.dtype == params["c1"]["w"].dtype
        for old, new in zip(tree.leaves(params), tree.leaves(new_params), strict=True):
            assert not np.shares_memory(old, new)
            assert not np.array_equal(old, new)
        state, params = new_state, new_params


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_follows_from_its_arguments_alone(name, trees):
    (params, gradients), optimizer = trees, OPTIMIZERS[name]
    _, state = optimizer.update(gradients[0], optimizer.init(params), params)
    first, again = (optimizer.update(gradients[1], state, params) for _ in range(2))
    tree.map(np.testing.assert_array_equal, first, again)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_states_are_namedtuples_of_trees(name, trees):
    (params, gradients), optimizer = trees, OPTIMIZERS[name]
    state = optimizer.init(params)
    _, after = optimizer.update(gradients[0], state, params)
    assert type(state) is type(after) is tuple

    def check(node):
        if type(node) is tuple:  # a chain within a chain
            for child in node:
                check(child)
        else:
            assert isinstance(node, tuple)
            assert hasattr(node, "_fields")

    check(state)
    vector, unravel = tree.ravel([leaf for leaf in tree.leaves(after) if isinstance(leaf, np.ndarray)])
    assert len(unravel(vector)) == sum(isinstance(leaf, np.ndarray) for leaf in tree.leaves(state))
    assert [path for path, _ in tree.items(state)] == [path for path, _ in tree.items(after)]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gradients_of_another_tree_are_refused_by_path(name, trees):
    (params, gradients), optimizer = trees, OPTIMIZERS[name]
    part = {"c1": gradients[0]["c1"]}
    with pytest.raises(
        TypeError, match=r"^trees differ at the root: dict with [\w., ]+ against dict with [\w.]+"
    ) as caught:
        optim.apply_updates(params, optimizer.update(part, optimizer.init(params), params)[0])
    assert "c1" in str(caught.value)


NOT_NEGATIVE = "expected a finite number that is not negative"
FRACTION = "expected a number from 0 up to but without 1"
POSITIVE = "expected a finite number above 0"


@pytest.mark.parametrize("make", [optim.sgd, optim.adam, optim.rmsprop, optim.adagrad])
@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, "0.1", None, True])
def test_a_bad_learning_rate_is_refused_by_the_optimizers_name(make, bad):
    with refused(ValueError, f"{make.__name__}: learning_rate is {bad!r}, {NOT_NEGATIVE}"):
        make(bad)


@pytest.mark.parametrize(
    ("make", "setting", "bad", "expected"),
    [
        (optim.sgd, "momentum", 1.0, FRACTION),
        (optim.sgd, "momentum", -0.5, FRACTION),
        (optim.sgd, "weight_decay", -1.0, NOT_NEGATIVE),
        (optim.sgd, "nesterov", "no", "expected True or False"),
        (optim.adam, "b1", 1.0, FRACTION),
        (optim.adam, "b2", -0.1, FRACTION),
        (optim.adam, "eps", 0.0, POSITIVE),
        (optim.adam, "weight_decay", math.nan, NOT_NEGATIVE),
        (optim.rmsprop, "decay", 2, FRACTION),
        (optim.rmsprop, "eps", -1e-8, POSITIVE),
        (optim.rmsprop, "momentum", 1.0, FRACTION),
        (optim.rmsprop, "weight_decay", -1.0, NOT_NEGATIVE),
        (optim.adagrad, "eps", 0.0, POSITIVE),
        (optim.adagrad, "weight_decay", -1.0, NOT_NEGATIVE),
    ],
)
def test_settings_without_a_meaning_are_refused_by_the_optimizers_name(make, setting, bad, expected):
    with refused(ValueError, f"{make.__name__}: {setting} is {bad!r}, {expected}"):
        make(0.1, **{setting: bad})


def test_nesterov_needs_a_momentum():
    with refused(ValueError, "sgd: nesterov=True needs a momentum above 0, got 0.0"):
        optim.sgd(0.1, nesterov=True)
