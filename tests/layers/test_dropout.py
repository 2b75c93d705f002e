"""Dropout: what is drawn, how often, and by which key."""

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import keys, layers, losses
from tests.refusals import refused


def test_kept_entries_are_scaled_and_the_others_zero():
    x = np.ones((50, 40))
    y, pullback = layers.dropout(0.2).vjp({}, x, key=1)
    assert set(np.unique(y)) == {0.0, 1.25}
    np.testing.assert_array_equal(pullback(x)[1], y)  # the same entries are kept on the way back


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_dropped_is_the_rate(rate):
    n = 200_000
    y, _ = layers.dropout(rate).vjp({}, np.ones((n, 1), np.float32), key=7)
    deviation = np.sqrt(rate * (1 - rate) / n)
    assert abs((y == 0).mean() - rate) < 4 * deviation


def test_rate_zero_and_inference_keep_everything():
    x = np.random.default_rng(0).standard_normal((3, 4))
    np.testing.assert_array_equal(layers.dropout(0.0).vjp({}, x, key=0)[0], x)
    np.testing.assert_array_equal(layers.dropout(0.9).apply({}, x), x)


def test_equal_keys_drop_equal_entries_and_others_other_ones():
    x = np.ones((4, 6, 6, 3), np.float32)
    layer = layers.dropout(0.5)
    first, again, other = (layer.vjp({}, x, key=key)[0] for key in (3, (3,), 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    batch_innermost = np.ascontiguousarray(x.transpose(1, 2, 3, 0)).transpose(3, 0, 1, 2)
    np.testing.assert_array_equal(layer.vjp({}, batch_innermost.astype(np.float64), key=3)[0], first)


def test_training_without_a_key_says_what_to_give():
    with refused(TypeError, "dropout: training draws what to drop: give key=, as fit does (an int, or a tuple)"):
        layers.dropout(0.5).vjp({}, np.ones((1, 2)))


def test_number_of_workers_does_not_change_what_is_dropped():
    model = fnn.serial(flat=layers.flatten(), d=layers.dropout(0.5), f=layers.dense(5), e=layers.dropout(0.2))
    params = model.init(np.random.default_rng(0), (4, 4, 1))
    x = np.random.default_rng(1).standard_normal((12, 4, 4, 1)).astype(np.float32)
    labels = np.arange(12) % 5
    grad_fn = fnn.value_and_grad(model, losses.softmax_cross_entropy)
    steps = [fnn.data_parallel(grad_fn, workers=w, chunk=3)(params, x, labels, key=(8,)) for w in (1, 2, 8)]
    for value, grads in steps[1:]:
        assert value == steps[0][0]
        fnn.tree.map(np.testing.assert_array_equal, grads, steps[0][1])


def test_layers_of_one_model_drop_by_their_own_keys():
    model = fnn.serial(a=layers.dropout(0.5), b=layers.dropout(0.5))
    x = np.ones((1, 4000))
    y, _ = model.vjp({}, x, key=5)
    first, _ = layers.dropout(0.5).vjp({}, x, key=keys.fold(5, 0))
    second, _ = layers.dropout(0.5).vjp({}, x, key=keys.fold(5, 1))
    np.testing.assert_array_equal(y, first * second)
    assert (first != second).any()
