"""Gradients, predictions and statistics on several processes have the bits of one process."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import keys, layers, losses, models, tree
from tests.refusals import refused

RNG = np.random.default_rng(0)
MODEL = models.lenet5()
PARAMS = MODEL.init(RNG, (32, 32, 1))
X, LABELS = RNG.standard_normal((44, 32, 32, 1)).astype(np.float32), RNG.integers(0, 10, 44)
DROPPING = fnn.serial(f=layers.dense(16), d=layers.dropout(0.4), o=layers.dense(3))
ROWS, CLASSES = RNG.standard_normal((44, 6)).astype(np.float32), RNG.integers(0, 3, 44)
OF_ROWS = DROPPING.init(RNG, (6,))
CROSS_ENTROPY = losses.softmax_cross_entropy


@pytest.fixture(params=["two", "four"])
def comm(request):
    return request.getfixturevalue(request.param)


def same(a, b):
    tree.map(lambda x, y: np.testing.assert_array_equal(x, y, strict=True), a, b)


# Gradients


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("chunk", [4, 5, 15, 22, None])  # 11 chunks, the last one short, 3, 2, and the one chosen
@pytest.mark.parametrize("outputs", [False, True])
def test_a_gradient_in_chunks(comm, workers, chunk, outputs):
    step = fnn.value_and_grad(MODEL, CROSS_ENTROPY, outputs)
    expected = fnn.data_parallel(step, 1, chunk)(PARAMS, X, LABELS)
    parallel = fnn.data_parallel(step, workers, chunk, comm)
    for _ in range(2):  # the second time the others have the model
        same(parallel(PARAMS, X, LABELS), expected)


def test_each_chunk_has_its_key(comm):
    step = fnn.value_and_grad(DROPPING, CROSS_ENTROPY)
    for key in (0, (3, 4), 1):
        expected = fnn.data_parallel(step, chunk=3)(OF_ROWS, ROWS, CLASSES, key=key)
        same(fnn.data_parallel(step, chunk=3, comm=comm)(OF_ROWS, ROWS, CLASSES, key=key), expected)


class Line(NamedTuple):
    slope: np.ndarray
    others: tuple


def of_line(params, x, targets, *, key=None):
    """A gradient function of one's own: any tree of parameters, of several dtypes, and outputs."""
    line, pull = params["line"], 2.0 * (params["line"].slope * x - targets)
    noise = 0.0 if key is None else keys.generator(key).standard_normal()
    grads = {"line": Line((pull * x).sum(keepdims=True), (np.float32([len(x)]), [np.zeros((0, 3))], None)), "n": {}}
    return (float((pull**2).mean()) + noise, pull * line.others[0]), grads


def test_a_gradient_function_of_ones_own(comm):
    x = RNG.standard_normal(23)
    params = {"line": Line(np.array([2.0]), (np.float32([1]), [np.zeros((0, 3))], None)), "n": {}}
    for key in (None, 3):
        expected = fnn.data_parallel(of_line, chunk=4)(params, x, 3.0 * x, key=key)
        same(fnn.data_parallel(of_line, chunk=4, comm=comm)(params, x, 3.0 * x, key=key), expected)


def test_batches_and_parameters_may_change_from_call_to_call(comm):
    """Fewer chunks than ranks, too."""
    step = fnn.value_and_grad(fnn.serial(f=layers.dense(3)), losses.mean_squared_error)
    parallel, alone = fnn.data_parallel(step, chunk=4, comm=comm), fnn.data_parallel(step, chunk=4)
    params = step.model.init(RNG, (6,))
    for n, dtype in ((44, np.float32), (5, np.float32), (9, np.float64), (44, np.float32), (3, np.float64)):
        x, p = ROWS[:n].astype(dtype), tree.cast(params, dtype)
        same(parallel(p, x, x[:, :3]), alone(p, x, x[:, :3]))
        params = tree.map(lambda leaf: 2 * leaf, params)


def of_any_tree(params, x, targets, *, key=None):
    return float(x.sum()), tree.map(lambda leaf: leaf * x.sum(), params)


def test_another_tree_of_parameters_is_sent_anew(comm):
    one = np.arange(3.0)
    for params in ({"a": one}, {"b": one}, {"a": {"b": one}}, {"a": [one, one], "b": np.ones(2, np.float32)}, {}):
        expected = fnn.data_parallel(of_any_tree, chunk=4)(params, ROWS, ROWS)
        same(fnn.data_parallel(of_any_tree, chunk=4, comm=comm)(params, ROWS, ROWS), expected)


@settings(max_examples=15)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", "predict", "fit"]), st.integers(1, 30)), min_size=2, max_size=6))
def test_calls_of_all_kinds_may_follow_each_other(two, calls):
    steps = {
        "a": fnn.value_and_grad(DROPPING, CROSS_ENTROPY),
        "b": fnn.value_and_grad(DROPPING, losses.hinge(), outputs=True),
    }

    def result(kind, n, comm):
        if kind == "predict":
            return fnn.predict(DROPPING, OF_ROWS, ROWS[:n], comm=comm)
        if kind == "fit":
            options = {"loss": CROSS_ENTROPY, "optimizer": fnn.optim.sgd(0.1), "epochs": 1, "batch_size": 8, "chunk": 3}
            train = ROWS[:n], CLASSES[:n]
            return fnn.fit(DROPPING, OF_ROWS, train, **options, seed=0, progress=False, comm=comm).params
        return fnn.data_parallel(steps[kind], chunk=4, comm=comm)(OF_ROWS, ROWS[:n], CLASSES[:n], key=1)

    for kind, n in calls:
        same(result(kind, n, two), result(kind, n, None))


def test_weights_of_examples_count(comm):
    both = losses.weighted_targets(CLASSES, RNG.uniform(0.2, 5.0, 44))
    step = fnn.value_and_grad(DROPPING, losses.weighted(CROSS_ENTROPY))
    expected = fnn.data_parallel(step, chunk=5)(OF_ROWS, ROWS, both, key=1)
    same(fnn.data_parallel(step, chunk=5, comm=comm)(OF_ROWS, ROWS, both, key=1), expected)


def test_results_are_ones_own_and_stay_as_they_are(comm):
    """They do not lie in memory that the next call writes to."""
    parallel = fnn.data_parallel(fnn.value_and_grad(DROPPING, CROSS_ENTROPY, outputs=True), chunk=4, comm=comm)
    (_, outputs), grads = parallel(OF_ROWS, ROWS, CLASSES, key=1)
    kept = outputs.copy(), tree.map(np.copy, grads)
    for key in range(3):
        parallel(OF_ROWS, ROWS, CLASSES, key=key)
    same((outputs, grads), kept)
    for leaf in (outputs, *tree.leaves(grads)):
        leaf += 1.0


def test_what_cannot_pass_is_refused_and_the_next_call_works(two):
    step = fnn.data_parallel(of_line, chunk=4, comm=two)
    x = np.ones(8)
    with refused(TypeError, "data_parallel: params: slope is a float, expected a NumPy array"):
        step({"slope": 2.0}, x, x)
    remedy = "convert it to numbers or to text of one length, such as dtype U8"
    with refused(TypeError, f"an array of dtype object holds addresses, which no other process knows: {remedy}"):
        step({"slope": np.ones(1)}, x, x.astype(object))
    params = {"line": Line(np.array([2.0]), (np.float32([1]), [np.zeros((0, 3))], None)), "n": {}}
    same(step(params, x, x), fnn.data_parallel(of_line, chunk=4)(params, x, x))


# Predictions and statistics


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 44, 300])
def test_predictions(comm, n, workers):
    x = np.concatenate([X] * 7)[:n]
    same(fnn.predict(MODEL, PARAMS, x, workers=workers, comm=comm), fnn.predict(MODEL, PARAMS, x))


def test_predictions_of_one_chunk_are_ones_own(comm):
    """They come from one process alone, through shared memory."""
    model = layers.dense(100)
    params, x = model.init(RNG, (6,)), np.ones((1000, 6), np.float32)
    outputs = fnn.predict(model, params, x, comm=comm)
    same(outputs, fnn.predict(model, params, x))
    outputs += 1.0


def test_a_transform_prepares_each_part(comm):
    images = RNG.integers(0, 256, (300, 32, 32, 1), dtype=np.uint8)
    prepare = fnn.data.standardize(images)
    same(
        fnn.predict(MODEL, PARAMS, images, transform=prepare, comm=comm),
        fnn.predict(MODEL, PARAMS, images, transform=prepare),
    )


def test_evaluations(comm):
    for loss in (CROSS_ENTROPY, losses.cross_entropy(class_weights=tuple(range(1, 11)))):
        expected = fnn.evaluate(MODEL, PARAMS, X, LABELS, loss=loss)
        assert fnn.evaluate(MODEL, PARAMS, X, LABELS, loss=loss, comm=comm) == expected


@pytest.mark.parametrize("options", [{"batch_size": 10}, {"batch_size": 10, "chunk": 3}, {}])
def test_statistics(comm, options):
    """The batches of the second norm pass the first one."""
    model = fnn.serial(f=layers.dense(8), m=layers.batch_norm(), a=layers.tanh, n=layers.batch_norm())
    params = model.init(RNG, (6,))
    known = fnn.statistics(model, params, ROWS, **options, comm=comm)
    same(known, fnn.statistics(model, params, ROWS, **options))
    same(fnn.predict(model, known, ROWS, comm=comm), fnn.predict(model, known, ROWS))


def summing(params, x, *, key=None, wrt_x=True):
    """Adds the sum of all parameters: its last bits depend on how they lie in memory."""
    w = params["w"]
    return x + w.sum(), lambda dy: ({"w": np.full(w.shape, dy.sum())}, dy)


SUMMING = fnn.Layer("summing", vjp=summing, parameters=("w",))


def test_parameters_may_lie_in_memory_in_any_way(comm):
    orders = {
        "columns first": np.asfortranarray,
        "with gaps": lambda a: np.pad(a, 1)[1:-1, 1:-1],
        "backwards": lambda a: a[::-1, ::-1],
        "one row for all": lambda a: np.broadcast_to(a[0], a.shape),
    }
    step, rows = fnn.value_and_grad(SUMMING, losses.mean_squared_error), np.repeat(ROWS, 100, axis=0)
    for order in orders.values():
        params = tree.map(order, {"w": RNG.standard_normal((300, 400)).astype(np.float32)})
        same(fnn.predict(SUMMING, params, rows, comm=comm), fnn.predict(SUMMING, params, rows))
        for n in (4, 44):
            batch = params, ROWS[:n], ROWS[:n]
            same(fnn.data_parallel(step, chunk=4, comm=comm)(*batch), fnn.data_parallel(step, chunk=4)(*batch))


# What belongs to the caller's process


def overflowing(x, key):
    return x * np.float32(1e38) * np.float32(1e38)


@pytest.mark.parametrize("errors", ["raise", "ignore"])
def test_numpys_errors_are_treated_as_the_caller_asks(two, errors, capfd):
    """In the others, too: each has one of two batches, or chunks."""
    model = fnn.serial(n=layers.batch_norm())
    x = np.zeros((8, 2), np.float32)
    x[4:] = 1.0  # in the part of the other process alone
    step = fnn.value_and_grad(fnn.serial(t=layers.tanh), losses.mean_squared_error)

    def prepared(params, x, targets, *, key=None):
        return step(params, overflowing(x, key), targets)

    calls = [
        lambda: fnn.predict(layers.tanh, {}, np.repeat(x, 1000, axis=0), transform=overflowing, comm=two),
        lambda: fnn.statistics(model, model.init(RNG, (2,)), x, batch_size=4, transform=overflowing, comm=two),
        lambda: fnn.data_parallel(prepared, chunk=4, comm=two)({}, x, x),
    ]
    for call in calls:
        with np.errstate(all=errors):
            if errors == "raise":
                with pytest.raises(FloatingPointError, match="overflow"):
                    call()
            else:
                call()
    assert capfd.readouterr() == ("", "")
