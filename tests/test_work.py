"""What a model's work is, and the chunks that follow from it."""

from __future__ import annotations

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import models, work

LENET = models.lenet5(50)
PARAMS = LENET.init(np.random.default_rng(0), (32, 32, 3))


def test_leaves_come_in_order_with_their_shapes():
    leaves = work.leaf_layers(LENET, (32, 32, 3))
    assert [leaf.path for leaf in leaves] == [(name,) for name, _ in LENET.parts]
    assert leaves[0].input_shape == (32, 32, 3)
    assert leaves[2].output_shape == (14, 14, 6)
    nested = fnn.residual(fnn.serial(a=fnn.layers.dense(3)), fnn.layers.dense(3))
    assert [leaf.path for leaf in work.leaf_layers(nested, (4,))] == [("body", "a"), ("shortcut",)]


@pytest.mark.parametrize("bound", [False, True])
def test_multiply_adds_are_those_counted_by_hand(bound):
    by_hand = {"c1": 28 * 28 * 6 * 75, "c3": 10 * 10 * 16 * 150, "f5": 400 * 120, "f6": 120 * 84, "f7": 84 * 50}
    model, params = LENET, PARAMS
    if bound:
        model = fnn.bind(LENET, {"c1": PARAMS["c1"]})
        params = {name: entry for name, entry in PARAMS.items() if name != "c1"}
    counted = {leaf.path[0]: work.multiply_adds(leaf, params) for leaf in work.leaf_layers(model, (32, 32, 3))}
    assert {name: count for name, count in counted.items() if count} == by_hand


def test_a_perceptron_and_a_single_image_are_not_divided():
    perceptron = models.two_layer_perceptron()
    params = perceptron.init(np.random.default_rng(0), (408,))
    assert work.chunk_size(perceptron, params, (256, 408)) == 256
    assert work.chunk_size(LENET, PARAMS, (1, 32, 32, 3)) == 1


def test_chunks_of_a_large_batch_do_not_grow_with_it():
    sizes = {work.chunk_size(LENET, PARAMS, (n, 32, 32, 3)) for n in (256, 512, 8192)}
    assert len(sizes) == 1
    assert sizes.pop() <= 64
