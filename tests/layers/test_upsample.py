"""Upsampling by hand: every pixel becomes a block, and its gradient is the block's sum."""

import numpy as np
import pytest

from functional_nn import layers


def image(rows, dtype=np.float64):
    return np.array(rows, dtype)[np.newaxis, :, :, np.newaxis]


def upsampled(layer, x, dy):
    """The output and the gradient of one image with one channel, as lists of rows."""
    y, pullback = layer.vjp({}, x)
    dparams, dx = pullback(image(dy, x.dtype))
    assert dparams == {}
    return y[0, :, :, 0].tolist(), dx[0, :, :, 0].tolist()


def test_every_pixel_becomes_a_block_and_gets_its_sum():
    y, dx = upsampled(layers.upsample(2), image([[1, 2]]), [[1, 10, 3, 30], [100, 1000, 300, 3000]])
    assert y == [[1, 1, 2, 2], [1, 1, 2, 2]]
    assert dx == [[1111, 3333]]


def test_the_factor_is_height_by_width():
    y, dx = upsampled(layers.upsample((3, 1)), image([[1, 2], [3, 4]]), [[i, 10 * i] for i in range(6)])
    assert y == [[1, 2]] * 3 + [[3, 4]] * 3
    assert dx == [[3, 30], [12, 120]]
    y, dx = upsampled(layers.upsample((1, 2)), image([[1, 2]]), [[1, 2, 3, 4]])
    assert y == [[1, 1, 2, 2]]
    assert dx == [[3, 7]]


def test_images_and_channels_stay_apart():
    x = np.arange(8.0).reshape(2, 1, 2, 2)
    y, pullback = layers.upsample(3).vjp({}, x)
    np.testing.assert_array_equal(y, np.kron(x, np.ones((1, 3, 3, 1))))
    np.testing.assert_array_equal(pullback(y)[1], 9.0 * x)


def test_a_mean_over_the_blocks_gives_the_image_back():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 2))
    y = layers.upsample((2, 3)).apply({}, x)
    np.testing.assert_allclose(layers.avg_pool((2, 3)).apply({}, y), x, rtol=1e-15)


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (1, 3, 2, 0), (3, 0, 2, 1)])
def test_images_keep_their_order_of_memory(axes):
    inverse = np.argsort(axes)
    x = np.zeros([(3, 4, 5, 2)[axis] for axis in axes], np.float32).transpose(inverse)
    y, pullback = layers.upsample(2).vjp({}, x)
    for array in (y, pullback(y)[1]):
        assert array.transpose(axes).flags.c_contiguous


@pytest.mark.parametrize(
    ("layer", "text"),
    [(layers.upsample((2, 2)), "upsample(2)"), (layers.upsample(factor=(2, 1)), "upsample((2, 1))")],
)
def test_it_prints_as_short_as_possible(layer, text):
    assert repr(layer) == text
