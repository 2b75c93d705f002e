"""The norms' sums over many positions in float32: their error does not grow with the length of a sequence."""

import numpy as np
import pytest

from functional_nn import layers


@pytest.mark.parametrize("shape", [(4, 65_536, 3), (2, 1000, 2), (1, 4096, 2, 3)], ids=str)
@pytest.mark.parametrize("layer", [layers.batch_norm(), layers.group_norm(1)], ids=repr)
def test_b11_long_sequences_with_a_large_mean_are_normalized(layer, shape):
    x = (1e4 + np.random.default_rng(0).standard_normal(shape)).astype(np.float32)
    params = layer.init(np.random.default_rng(0), shape[1:])
    y, pullback = layer.vjp(params, x)
    exact = x.astype(np.float64)
    axes = tuple(range(len(shape) - 1)) if layer.couples_examples else tuple(range(1, len(shape)))
    z = (exact - exact.mean(axis=axes, keepdims=True)) / np.sqrt(exact.var(axis=axes, keepdims=True) + 1e-5)
    np.testing.assert_allclose(y, z, rtol=0, atol=0.02)  # as far as PyTorch's; float32 spaces x by 0.001
    dy = np.full(shape, 0.1, np.float32)
    count = x.size // shape[-1]
    np.testing.assert_allclose(pullback(dy)[0]["b"], np.full(shape[-1], 0.1 * count), rtol=1e-5)
