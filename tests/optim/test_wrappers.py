"""Masks, accumulated gradients and averages of the parameters, by hand for three steps and more."""

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, optim, tree
from tests.refusals import refused

PARAMS = {
    "c1": {"w": np.array([[1.0, 2.0]]), "b": np.array([3.0])},
    "f2": {"w": np.array([[4.0]]), "b": np.array([5.0])},
}
GRADS = tree.map(np.ones_like, PARAMS)


def updated(transform, params=PARAMS, grads=GRADS):
    return transform.update(grads, transform.init(params), params)[0]


def test_a_mask_lets_biases_go_without_decay():
    updates = updated(optim.masked(optim.add_decayed_weights(0.5), "*.w"))
    assert updates["c1"]["w"].tolist() == [[1.5, 2.0]]
    assert updates["f2"]["w"].tolist() == [[3.0]]
    assert updates["c1"]["b"].tolist() == updates["f2"]["b"].tolist() == [1.0]


def test_a_mask_takes_several_patterns_and_whole_parts():
    updates = updated(optim.masked(optim.scale_by_learning_rate(2.0), ("c1.*", "f2.b")))
    assert tree.map(np.sum, updates) == {"c1": {"w": -4.0, "b": -2.0}, "f2": {"w": 1.0, "b": -2.0}}


def test_a_mask_keeps_the_state_of_what_it_chooses_alone():
    transform = optim.masked(optim.trace(0.5), "*.b")
    state = transform.init(PARAMS)
    for expected in (1.0, 1.5, 1.75):
        updates, state = transform.update(GRADS, state, PARAMS)
        assert updates["c1"]["b"].tolist() == [expected]
        assert updates["c1"]["w"].tolist() == [[1.0, 1.0]]
    assert tree.size(state) == 2


def test_a_pattern_that_matches_nothing_is_refused_with_the_paths():
    with refused(ValueError, "masked: '*.weight' matches none of the parameters, which are c1.b, c1.w, f2.b, f2.w"):
        optim.masked(optim.trace(0.5), ("*.w", "*.weight")).init(PARAMS)


@pytest.mark.parametrize("bad", [(), 3, (3,), None])
def test_paths_that_are_no_patterns_are_refused(bad):
    text = 'expected patterns of paths, such as "*.w", at least one'
    with refused(ValueError, f"masked: paths is {bad!r}, {text}"):
        optim.masked(optim.trace(0.5), bad)


def test_accumulated_gradients_train_as_one_batch():
    model = layers.dense(3)
    rng = np.random.default_rng(0)
    start = tree.map(lambda p: p.astype(np.float64), model.init(rng, (4,)))
    x, labels = rng.standard_normal((12, 4)), rng.integers(0, 3, 12)
    loss_and_grad = fnn.value_and_grad(model, losses.softmax_cross_entropy)
    inner = optim.adam(0.1)
    outer = optim.accumulate(inner, 3)
    params, state, whole, whole_state = start, outer.init(start), start, inner.init(start)
    for epoch in range(3):
        for i in range(3):
            _, grads = loss_and_grad(params, x[4 * i : 4 * i + 4], labels[4 * i : 4 * i + 4])
            updates, state = outer.update(grads, state, params)
            assert any(u.any() for u in tree.leaves(updates)) == (i == 2), epoch
            params = optim.apply_updates(params, updates)
        updates, whole_state = inner.update(loss_and_grad(whole, x, labels)[1], whole_state, whole)
        whole = optim.apply_updates(whole, updates)
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), params, whole)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True])
def test_steps_to_accumulate_are_a_positive_int(bad):
    with refused(ValueError, f"accumulate: steps is {bad!r}, expected an int of at least 1"):
        optim.accumulate(optim.trace(0.5), bad)


@pytest.mark.parametrize("bad", [1.0, -0.1, None])
def test_a_decay_of_the_average_outside_0_to_1_is_refused(bad):
    with refused(ValueError, f"parameter_average: decay is {bad!r}, expected a number from 0 up to but without 1"):
        optim.parameter_average(bad)


def test_the_average_of_the_parameters_by_hand():
    # p = 1, then 0, -1, -2 by steps of -1; a <- 0.5 a + 0.5 p: 1, 0.5, -0.25, -1.125
    transform = optim.chain(optim.sgd(1.0), optim.parameter_average(0.5))
    params, averages = {"p": np.array([1.0])}, []
    state = transform.init(params)
    for _ in range(3):
        updates, state = transform.update({"p": np.array([1.0])}, state, params)
        params = optim.apply_updates(params, updates)
        averages.append(state[-1].average["p"].item())
    assert averages == [0.5, -0.25, -1.125]
    assert params["p"].tolist() == [-2.0]


def test_fit_returns_the_average_in_its_state():
    model = layers.dense(3)
    rng = np.random.default_rng(0)
    params, x, labels = model.init(rng, (4,)), rng.standard_normal((9, 4)).astype(np.float32), np.arange(9) % 3
    optimizer = optim.chain(optim.sgd(0.1), optim.parameter_average(0.9))
    options = {"loss": losses.softmax_cross_entropy, "optimizer": optimizer, "progress": False}
    result = fnn.fit(model, params, (x, labels), **options, epochs=2, batch_size=3, seed=0)
    average = result.state[-1].average
    assert fnn.predict(model, average, x).shape == (9, 3)
    assert not np.array_equal(average["w"], result.params["w"])
