"""Each gradient transformation by itself."""

import math

import numpy as np
import pytest

from functional_nn import optim, tree
from tests.refusals import refused


def run(transform, *gradients, params=None):
    """The updates of one step after another, for a tree {"p": [...]} each."""
    params = {"p": np.zeros(len(gradients[0]))} if params is None else params
    state, found = transform.init(params), []
    for gradient in gradients:
        updates, state = transform.update({"p": np.array(gradient, float)}, state, params)
        found.append(updates["p"].tolist())
    return found


def test_trace_accumulates_a_velocity():
    assert run(optim.trace(0.5), [1, 0], [2, 4], [0, 0]) == [[1, 0], [2.5, 4], [1.25, 2]]
    assert run(optim.trace(0.5, nesterov=True), [1], [2]) == [[1.5], [2 + 0.5 * 2.5]]
    assert run(optim.trace(0.0), [1], [2]) == [[1], [2]]


def test_decayed_weights_are_added_to_the_updates():
    assert run(optim.add_decayed_weights(0.5), [1, 1], params={"p": np.array([2.0, -4.0])}) == [[2, -1]]


def test_learning_rate_turns_gradients_into_descent():
    assert run(optim.scale_by_learning_rate(0.25), [4, -8]) == [[-1, 2]]
    assert run(optim.scale_by_learning_rate(lambda step: float(step)), [1], [1], [1]) == [[0], [-1], [-2]]
    assert run(optim.scale_by_learning_rate(0.0), [3]) == [[0]]


def test_clip_bounds_the_norm_of_the_whole_tree():
    clip = optim.clip_by_global_norm(1.0)
    grads = {"a": np.array([3.0]), "b": {"c": np.array([[0.0, 4.0]])}}
    updates, _ = clip.update(grads, clip.init(grads), grads)
    np.testing.assert_allclose(updates["a"], [0.6], rtol=1e-15)
    np.testing.assert_allclose(updates["b"]["c"], [[0.0, 0.8]], rtol=1e-15)


def test_clip_leaves_a_small_gradient_as_it_is():
    assert run(optim.clip_by_global_norm(5.0), [3, 4]) == [[3, 4]]
    assert run(optim.clip_by_global_norm(1.0), [0, 0]) == [[0, 0]]


def test_clip_measures_float32_in_float64():
    clip = optim.clip_by_global_norm(1.0)
    grads = {"p": np.array([3e30, 4e30], np.float32)}  # its square overflows in float32
    updates, _ = clip.update(grads, clip.init(grads), grads)
    np.testing.assert_allclose(updates["p"], [0.6, 0.8], rtol=1e-6)
    assert updates["p"].dtype == np.float32


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_clip_passes_what_is_not_finite(value):
    updates = run(optim.clip_by_global_norm(1.0), [value, 1.0])[0]
    np.testing.assert_array_equal(updates, [value, 1.0])


def test_adam_starts_with_steps_of_one_whatever_the_gradients_size():
    gradient = np.array([1e-3, -1e4])
    updates = run(optim.scale_by_adam(eps=1e-8), gradient)[0]
    np.testing.assert_allclose(updates, gradient / (np.abs(gradient) + 1e-8), rtol=1e-14)


def test_chain_applies_in_order_and_keeps_each_ones_state():
    params = {"p": np.zeros(1)}
    first_scaled = optim.chain(optim.scale_by_learning_rate(2.0), optim.clip_by_global_norm(1.0))
    first_clipped = optim.chain(optim.clip_by_global_norm(1.0), optim.scale_by_learning_rate(2.0))
    assert run(first_scaled, [10], params=params) == [[-1]]
    assert run(first_clipped, [10], params=params) == [[-2]]
    both = optim.chain(optim.trace(0.5), optim.scale_by_learning_rate(lambda step: 1.0 + step))
    assert run(both, [1], [1]) == [[-1], [-3]]
    state = both.init(params)
    assert len(state) == 2
    assert state[0].velocity["p"].tolist() == [0.0]
    assert state[1].step == 0


def test_chain_of_nothing_is_the_identity():
    assert run(optim.chain(), [3, 4]) == [[3, 4]]


def test_chains_nest():
    inner = optim.chain(optim.trace(0.5), optim.add_decayed_weights(0.0))
    nested = optim.chain(inner, optim.scale_by_learning_rate(1.0))
    flat = optim.chain(optim.trace(0.5), optim.add_decayed_weights(0.0), optim.scale_by_learning_rate(1.0))
    assert run(nested, [1], [2]) == run(flat, [1], [2])


def test_a_chain_refuses_the_state_of_another():
    params = {"p": np.zeros(1)}
    chain = optim.chain(optim.trace(0.5), optim.scale_by_learning_rate(1.0))
    remedy = "pass the state that this optimizer's init or update returned"
    text = f"expected a tuple of 2, one for each transformation: {remedy}"
    for state, kind in (
        (chain.init(params)[:1], "a tuple of 1"),
        (chain.init(params)[0], "a TraceState"),
        (None, "a NoneType"),
    ):
        with refused(ValueError, f"chain: the state is {kind}, {text}"):
            chain.update(params, state, params)


def test_apply_updates_adds_and_names_what_differs():
    params = {"a": {"w": np.ones(2)}, "b": np.zeros(1)}
    updates = {"a": {"w": np.array([1.0, -3.0])}, "b": np.ones(1)}
    new = optim.apply_updates(params, updates)
    assert new["a"]["w"].tolist() == [2.0, -2.0]
    assert params["a"]["w"].tolist() == [1.0, 1.0]
    with refused(TypeError, "trees differ at a: dict with w against dict with v"):
        optim.apply_updates(params, {"a": {"v": np.ones(2)}, "b": np.ones(1)})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.trace(1.0), "trace: decay is 1.0, expected a number from 0 up to but without 1"),
        (lambda: optim.trace(math.nan), "trace: decay is nan, expected a number from 0 up to but without 1"),
        (lambda: optim.trace(0.5, nesterov=1), "trace: nesterov is 1, expected True or False"),
        (lambda: optim.scale_by_adam(b1=1.0), "scale_by_adam: b1 is 1.0, expected a number from 0 up to but without 1"),
        (
            lambda: optim.scale_by_adam(b2=-1.0),
            "scale_by_adam: b2 is -1.0, expected a number from 0 up to but without 1",
        ),
        (lambda: optim.scale_by_adam(eps=-1e-8), "scale_by_adam: eps is -1e-08, expected a finite number above 0"),
        (lambda: optim.scale_by_rms(decay=1), "scale_by_rms: decay is 1, expected a number from 0 up to but without 1"),
        (lambda: optim.scale_by_rms(eps=0), "scale_by_rms: eps is 0, expected a finite number above 0"),
        (lambda: optim.scale_by_adagrad(0.0), "scale_by_adagrad: eps is 0.0, expected a finite number above 0"),
        (
            lambda: optim.add_decayed_weights(-0.1),
            "add_decayed_weights: rate is -0.1, expected a finite number that is not negative",
        ),
        (lambda: optim.clip_by_global_norm(0.0), "clip_by_global_norm: limit is 0.0, expected a finite number above 0"),
        (
            lambda: optim.clip_by_global_norm(math.inf),
            "clip_by_global_norm: limit is inf, expected a finite number above 0",
        ),
        (
            lambda: optim.scale_by_learning_rate(-1.0),
            "scale_by_learning_rate: rate is -1.0, expected a finite number that is not negative",
        ),
    ],
)
def test_settings_without_a_meaning_are_refused(make, message):
    with refused(ValueError, message):
        make()


def test_what_is_no_transformation_is_refused_wherever_one_is_taken():
    text = "expected a transformation, such as scale_by_adam()"
    for make, argument in (
        (lambda: optim.chain(optim.trace(0.5), 0.1), "chain: transforms[1] is 0.1"),
        (lambda: optim.masked(0.1, "*.w"), "masked: transform is 0.1"),
        (lambda: optim.accumulate(0.1, 2), "accumulate: transform is 0.1"),
    ):
        with refused(TypeError, f"{argument}, {text}"):
            make()


def test_a_users_transform_chains_with_ours():
    sign = optim.Transform(lambda params: None, lambda grads, state, params: (tree.map(np.sign, grads), state))
    assert run(optim.chain(sign, optim.scale_by_learning_rate(0.5)), [7, -3]) == [[-0.5, 0.5]]


def numpy_numbers():
    half = np.float64(0.5)
    yield optim.sgd(half)
    yield optim.sgd(0.1, momentum=half, weight_decay=half)
    yield optim.adam(half, b1=half, b2=half, eps=half, weight_decay=half)
    yield optim.rmsprop(half, decay=half, eps=half, momentum=half, weight_decay=half)
    yield optim.adagrad(half, eps=half)
    yield optim.sgd(optim.cosine(half, steps=np.int64(9), final=half))
    yield optim.sgd(optim.one_cycle(half, steps=np.int64(9), warmup=half))
    yield optim.sgd(lambda step: half)
    yield optim.chain(optim.clip_by_global_norm(half), optim.parameter_average(half))
    yield optim.accumulate(optim.sgd(half), np.int64(2))


@pytest.mark.parametrize("optimizer", list(numpy_numbers()), ids=repr)
def test_numpy_numbers_as_hyperparameters_do_not_promote(optimizer):
    params = {"w": np.ones(3, np.float32), "s": np.ones((), np.float32)}
    state = optimizer.init(params)
    for _ in range(3):
        grads = tree.map(np.ones_like, params)
        updates, state = optimizer.update(grads, state, params)
        params = optim.apply_updates(params, updates)
    arrays = [leaf for leaf in tree.leaves((params, updates, state)) if not isinstance(leaf, int)]
    assert {type(leaf) for leaf in arrays} == {np.ndarray}  # those without axes stay arrays
    assert {leaf.dtype for leaf in arrays} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "update",
    [np.ones((3, 1)), np.ones(1), np.ones(3, np.float32), 1.0, None, [1.0, 1.0, 1.0]],
    ids=["column", "one", "float32", "number", "None", "list"],
)
def test_updates_of_another_shape_or_dtype_are_refused_with_their_path(update):
    with pytest.raises(TypeError, match=r"f\.w"):
        optim.apply_updates({"f": {"w": np.ones(3)}}, {"f": {"w": update}})


@pytest.mark.parametrize("optimizer", [optim.sgd(0.1, momentum=0.9), optim.adam(0.1), optim.adagrad(0.1)], ids=repr)
def test_gradients_of_another_shape_than_the_state_are_refused_with_their_path(optimizer):
    params = {"f": {"w": np.ones(3)}}
    with pytest.raises(TypeError, match=r"trees differ at f\.w: float64 of shape \(3,\) against .*\(3, 1\)"):
        optimizer.update({"f": {"w": np.ones((3, 1))}}, optimizer.init(params), params)
