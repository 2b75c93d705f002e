"""Convolutions small enough to work out by hand."""

import numpy as np
import pytest

from functional_nn import initializers, layers
from functional_nn.layers import _correlation


def image(rows):
    """A batch of one image with one channel."""
    return np.array(rows, np.float64)[np.newaxis, :, :, np.newaxis]


def kernel(rows, bias=0.0):
    return {"w": np.array(rows, np.float64)[:, :, np.newaxis, np.newaxis], "b": np.array([bias])}


X = image([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
W = kernel([[1, 10], [100, 1000]], bias=0.5)


def test_kernel_is_not_flipped():
    y = layers.conv2d(1, 2).apply(W, X)
    assert y[0, :, :, 0].tolist() == [[5421.5, 6532.5], [8754.5, 9865.5]]


def test_gradients_of_a_hand_worked_example():
    _, pullback = layers.conv2d(1, 2).vjp(W, X)
    dparams, dx = pullback(image([[1, 2], [3, 4]]))
    assert dparams["w"][:, :, 0, 0].tolist() == [[37, 47], [67, 77]]  # 1*1 + 2*2 + 3*4 + 4*5, ...
    assert dparams["b"].tolist() == [10]
    assert dx[0, :, :, 0].tolist() == [[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]]


def test_padding_is_of_zeros_and_may_differ_on_every_side():
    y = layers.conv2d(1, 2, padding=((1, 0), (0, 2))).apply(kernel([[1, 10], [100, 1000]]), X)
    assert y[0, :, :, 0].tolist() == [
        [2100, 3200, 300, 0],
        [5421, 6532, 603, 0],
        [8754, 9865, 906, 0],
    ]


def test_stride_skips_and_leaves_out_what_no_window_covers():
    layer = layers.conv2d(1, 1, stride=2)
    one = kernel([[1]])
    x = image(np.arange(16).reshape(4, 4))
    y, pullback = layer.vjp(one, x)
    assert y[0, :, :, 0].tolist() == [[0, 2], [8, 10]]
    dparams, dx = pullback(np.ones_like(y))
    assert dparams["w"].item() == 20
    assert dx[0, :, :, 0].tolist() == [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]


def test_stride_takes_rows_first():
    x = image(np.arange(12).reshape(3, 4))
    assert layers.conv2d(1, 1, stride=(2, 3)).apply(kernel([[1]]), x)[0, :, :, 0].tolist() == [[0, 3], [8, 11]]


def test_channels_are_summed_and_filters_are_not():
    w = np.zeros((1, 1, 2, 3))
    w[0, 0] = [[1, 2, 3], [10, 20, 30]]
    x = np.array([5.0, 7.0]).reshape(1, 1, 1, 2)
    y = layers.conv2d(3, 1).apply({"w": w, "b": np.array([0.0, 0.5, 1.0])}, x)
    assert y.ravel().tolist() == [75.0, 150.5, 226.0]


def test_a_window_within_the_padding_gives_the_bias():
    y = layers.conv2d(1, 1, padding=2).apply(kernel([[3]], bias=0.25), image([[1]]))
    assert y[0, :, :, 0].tolist() == [[0.25] * 5, [0.25] * 5, [0.25, 0.25, 3.25, 0.25, 0.25], [0.25] * 5, [0.25] * 5]


def test_images_come_out_with_the_batch_innermost_in_memory():
    layer = layers.conv2d(3, 3)
    params = layer.init(np.random.default_rng(0), (6, 6, 2))
    x = np.ones((4, 6, 6, 2), np.float32)
    y, pullback = layer.vjp(params, x)
    for array in (y, pullback(y)[1]):
        assert array.transpose(1, 3, 2, 0).flags.c_contiguous


def test_a_batch_whose_products_are_cut_into_blocks_gives_what_its_images_give():
    layer, rng = layers.conv2d(16, 5), np.random.default_rng(0)
    x, dy = rng.standard_normal((64, 14, 14, 6)), rng.standard_normal((64, 10, 10, 16))
    params = {"w": rng.standard_normal((5, 5, 6, 16)), "b": rng.standard_normal(16)}
    assert _correlation._blocks(params["w"].size * len(x), 10) > 1
    assert _correlation._blocks(params["w"].size, 10) == 1
    y, pullback = layer.vjp(params, x)
    dparams, dx = pullback(dy)
    total = {"w": 0.0, "b": 0.0}
    for i in range(64):
        one, one_pullback = layer.vjp(params, x[i : i + 1])
        one_dparams, one_dx = one_pullback(dy[i : i + 1])
        np.testing.assert_allclose(y[i : i + 1], one, atol=1e-11)
        np.testing.assert_allclose(dx[i : i + 1], one_dx, atol=1e-11)
        total = {name: total[name] + one_dparams[name] for name in total}
    for name, expected in total.items():
        np.testing.assert_allclose(dparams[name], expected, atol=1e-10)


def test_initializers_are_kept_and_printed():
    layer = layers.conv2d(4, 3, w_init=initializers.he_normal, b_init=initializers.zeros)
    assert repr(layer) == "conv2d(4, 3, w_init=he_normal)"
    params = layer.init(np.random.default_rng(3), (8, 8, 2))
    drawn = initializers.he_normal(np.random.default_rng(3), (3, 3, 2, 4))
    np.testing.assert_array_equal(params["w"], drawn)
    assert params["b"].tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (layers.conv2d(6, 5), "conv2d(6, 5)"),
        (layers.conv2d(6, (3, 5), stride=(2, 2)), "conv2d(6, (3, 5), stride=2)"),
        (layers.conv2d(6, (3, 3), padding=((1, 1), (1, 1))), "conv2d(6, 3, padding=1)"),
        (layers.conv2d(6, 5, padding=((0, 1), (0, 1))), "conv2d(6, 5, padding=((0, 1), (0, 1)))"),
        (layers.conv2d(np.int64(6), 5, stride=1, padding=0), "conv2d(6, 5)"),
    ],
)
def test_arguments_are_kept_in_their_shortest_form(layer, text):
    assert repr(layer) == text
