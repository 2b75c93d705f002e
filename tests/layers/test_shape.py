"""Flattening and padding by hand."""

import numpy as np
import pytest

from functional_nn import layers


def test_flatten_takes_entries_in_row_major_order_whatever_their_memory_order():
    x = np.arange(12.0).reshape(1, 2, 3, 2)
    for given_x in (x, np.asfortranarray(x), np.ascontiguousarray(x.transpose(1, 3, 2, 0)).transpose(3, 0, 2, 1)):
        assert layers.flatten().apply({}, given_x).tolist() == [list(range(12))]


def test_flatten_keeps_vectors_and_makes_scalars_a_feature():
    assert layers.flatten().apply({}, np.ones((2, 3))).shape == (2, 3)
    assert layers.flatten().apply({}, np.ones(2)).shape == (2, 1)
    assert layers.flatten().output_shape(()) == (1,)
    assert layers.flatten().output_shape((4, 5, 6)) == (120,)


def test_flatten_gives_the_cotangent_back_in_the_images_shape_and_memory_order():
    x = np.zeros((2, 3, 4, 5)).transpose(1, 0, 3, 2)
    _, pullback = layers.flatten().vjp({}, x)
    dy = np.arange(120.0).reshape(3, 40)
    _, dx = pullback(dy)
    np.testing.assert_array_equal(dx, dy.reshape(x.shape))
    assert dx.strides == x.strides


def test_zero_pad_puts_margins_where_they_belong():
    x = np.ones((1, 1, 2, 1))
    y, pullback = layers.zero_pad(((1, 0), (0, 2))).vjp({}, x)
    assert y[0, :, :, 0].tolist() == [[0, 0, 0, 0], [1, 1, 0, 0]]
    _, dx = pullback(np.arange(8.0).reshape(1, 2, 4, 1))
    assert dx[0, :, :, 0].tolist() == [[4, 5]]


def test_zero_pad_of_nothing_is_a_copy():
    x = np.ones((1, 2, 2, 1))
    y = layers.zero_pad(0).apply({}, x)
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(x, y)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (layers.flatten(), "flatten()"),
        (layers.zero_pad(2), "zero_pad(2)"),
        (layers.zero_pad([[1, 1], [1, 1]]), "zero_pad(1)"),
        (layers.zero_pad(((0, 1), (0, 1))), "zero_pad(((0, 1), (0, 1)))"),
    ],
)
def test_shape_layers_print_as_their_call(layer, text):
    assert repr(layer) == text
