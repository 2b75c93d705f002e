"""The chunks that follow from a model's work."""

from __future__ import annotations

import numpy as np

from functional_nn import models
from functional_nn.training.chunks import chunk_size

LENET = models.lenet5(50)
PARAMS = LENET.init(np.random.default_rng(0), (32, 32, 3))


def test_a_perceptron_and_a_single_image_are_not_divided():
    perceptron = models.two_layer_perceptron()
    params = perceptron.init(np.random.default_rng(0), (408,))
    assert chunk_size(perceptron, params, 256, (408,)) == 256
    assert chunk_size(LENET, PARAMS, 1, (32, 32, 3)) == 1


def test_chunks_of_a_large_batch_do_not_grow_with_it():
    sizes = {chunk_size(LENET, PARAMS, n, (32, 32, 3)) for n in (256, 512, 8192)}
    assert len(sizes) == 1
    assert sizes.pop() <= 64
