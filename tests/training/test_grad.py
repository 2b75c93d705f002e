"""Value and gradient, whole and in chunks."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import keys, layers, losses, models, tree
from tests.refusals import refused

RNG = np.random.default_rng(0)
MODEL = models.lenet5(10)
PARAMS = MODEL.init(RNG, (32, 32, 1))
X = RNG.standard_normal((70, 32, 32, 1)).astype(np.float32)
LABELS = RNG.integers(0, 10, 70)
STEP = fnn.value_and_grad(MODEL, losses.softmax_cross_entropy)


def same_bits(a, b):
    return all(np.array_equal(x, y) for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True))


def test_value_is_the_mean_of_the_examples_losses():
    value, grads = STEP(PARAMS, X[:3], LABELS[:3])
    singles = [STEP(PARAMS, X[i : i + 1], LABELS[i : i + 1]) for i in range(3)]
    assert value == pytest.approx(np.mean([v for v, _ in singles]), rel=1e-6)
    mean = tree.map(lambda *gs: sum(gs) / 3, *[g for _, g in singles])
    for g, expected in zip(tree.leaves(grads), tree.leaves(mean), strict=True):
        np.testing.assert_allclose(g, expected, atol=1e-6)


def test_outputs_come_along_when_asked_for():
    step = fnn.value_and_grad(MODEL, losses.softmax_cross_entropy, outputs=True)
    (value, outputs), _ = step(PARAMS, X, LABELS)
    np.testing.assert_array_equal(outputs, MODEL.apply(PARAMS, X))
    assert value == losses.softmax_cross_entropy.apply(outputs, LABELS)
    (_, in_chunks), _ = fnn.data_parallel(step, chunk=16)(PARAMS, X, LABELS)
    np.testing.assert_allclose(in_chunks, outputs, atol=1e-5)


@pytest.mark.parametrize("chunk", [None, 16, 33])
def test_number_of_workers_does_not_change_a_bit(chunk):
    results = [fnn.data_parallel(STEP, workers, chunk)(PARAMS, X, LABELS) for workers in (1, 2, 3, 8)]
    for value, grads in results[1:]:
        assert value == results[0][0]
        assert same_bits(grads, results[0][1])


def test_chunks_are_weighed_by_their_size():
    value, grads = fnn.data_parallel(STEP, chunk=33)(PARAMS, X, LABELS)  # 33, 33 and 4 images
    whole, whole_grads = STEP(PARAMS, X, LABELS)
    assert value == pytest.approx(whole, rel=1e-6)
    for g, expected in zip(tree.leaves(grads), tree.leaves(whole_grads), strict=True):
        np.testing.assert_allclose(g, expected, atol=1e-6)


@pytest.mark.parametrize(("n", "chunk", "chunks"), [(2, 5, 1), (5, 2, 3)])
def test_key_is_folded_by_chunk_for_one_chunk_too(n, chunk, chunks):
    seen = []

    def grad_fn(params, x, targets, *, key=None):
        seen.append(key)
        return 0.0, {"w": np.zeros(1)}

    fnn.data_parallel(grad_fn, workers=1, chunk=chunk)({}, np.zeros((n, 1)), np.zeros(n), key=(3, 4))
    assert seen == [keys.fold((3, 4), i) for i in range(chunks)]


def test_an_error_in_a_chunk_reaches_the_caller_with_its_path():
    params = {**PARAMS, "c3": {**PARAMS["c3"], "w": PARAMS["c3"]["w"][:, :, :5]}}
    with pytest.raises(ValueError, match=r"^lenet5\.c3: x has 6 channels, w expects 5$"):
        fnn.data_parallel(STEP, workers=2, chunk=8)(params, X, LABELS)


def test_bad_arguments_are_refused():
    for argument in ("workers", "chunk"):
        with refused(ValueError, f"data_parallel: {argument} is 0, expected an int of at least 1"):
            fnn.data_parallel(STEP, **{argument: 0})
    with refused(ValueError, "data_parallel: grad_fn shows no model to choose chunks by; give chunk="):
        fnn.data_parallel(lambda params, x, targets, key=None: None)
    with refused(ValueError, "data_parallel: x has 70 examples, targets 69"):
        fnn.data_parallel(STEP)(PARAMS, X, LABELS[1:])
    empty = "outputs of shape (0, 10) are empty: the mean over no examples is undefined"
    with refused(ValueError, f"softmax_cross_entropy: {empty}"):
        fnn.data_parallel(STEP)(PARAMS, X[:0], LABELS[:0])


def test_gradient_functions_show_print_and_pickle():
    step = fnn.data_parallel(STEP, 2)
    assert pickle.loads(pickle.dumps(step)) == step
    assert (STEP.model, STEP.loss) == (MODEL, losses.softmax_cross_entropy)
    assert "lenet5()" in repr(step)


def test_gradient_has_the_tree_of_the_parameters_whatever_is_bound():
    bound = fnn.bind(MODEL, {"c1": PARAMS["c1"]})
    params = {name: entry for name, entry in PARAMS.items() if name != "c1"}
    _, grads = fnn.value_and_grad(bound, losses.softmax_cross_entropy)(params, X[:2], LABELS[:2])
    assert tree.map(np.shape, grads) == tree.map(np.shape, params)
    _, whole = STEP(PARAMS, X[:2], LABELS[:2])
    assert same_bits(grads, {name: entry for name, entry in whole.items() if name != "c1"})


def test_a_model_without_parameters_has_an_empty_gradient():
    step = fnn.value_and_grad(fnn.serial(a=layers.tanh), losses.mean_squared_error)
    assert step({}, np.ones((2, 3)), np.zeros((2, 3)))[1] == {}
