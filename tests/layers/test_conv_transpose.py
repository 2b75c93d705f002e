"""Transposed convolutions: small ones by hand, and the adjoint of `conv2d` with the same arguments."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import layers
from tests.layers.cases import cases
from tests.layers.table import ROWS


def image(rows):
    """A batch of one image with one channel."""
    return np.array(rows, np.float64)[np.newaxis, :, :, np.newaxis]


def kernel(rows, bias=0.0):
    return {"w": np.array(rows, np.float64)[:, :, np.newaxis, np.newaxis], "b": np.array([bias])}


W = kernel([[1, 10], [100, 1000]], bias=0.5)


def test_every_pixel_writes_the_kernel_as_it_is():
    y = layers.conv2d_transpose(1, 2, stride=2).apply(W, image([[1, 2]]))
    assert y[0, :, :, 0].tolist() == [[1.5, 10.5, 2.5, 20.5], [100.5, 1000.5, 200.5, 2000.5]]


def test_gradients_of_a_hand_worked_example():
    y, pullback = layers.conv2d_transpose(1, 2).vjp(W, image([[1, 2]]))
    assert y[0, :, :, 0].tolist() == [[1.5, 12.5, 20.5], [100.5, 1200.5, 2000.5]]
    dparams, dx = pullback(image([[1, 2, 3], [4, 5, 6]]))
    assert dx[0, :, :, 0].tolist() == [[1 + 20 + 400 + 5000, 2 + 30 + 500 + 6000]]
    assert dparams["w"][:, :, 0, 0].tolist() == [[1 + 2 * 2, 2 + 2 * 3], [4 + 2 * 5, 5 + 2 * 6]]
    assert dparams["b"].tolist() == [21]


def test_padding_cuts_off_and_may_differ_on_every_side():
    x = image([[1, 2], [3, 4]])
    whole = layers.conv2d_transpose(1, 2, stride=2).apply(W, x)
    y = layers.conv2d_transpose(1, 2, stride=2, padding=((1, 0), (0, 2))).apply(W, x)
    np.testing.assert_array_equal(y, whole[:, 1:, :2])


def test_a_stride_beyond_the_kernel_leaves_the_bias_between():
    y = layers.conv2d_transpose(1, 1, stride=(2, 3)).apply(kernel([[2]], bias=0.25), image([[1, 2], [3, 4]]))
    assert y[0, :, :, 0].tolist() == [[2.25, 0.25, 0.25, 4.25], [0.25] * 4, [6.25, 0.25, 0.25, 8.25]]


def test_channels_are_summed_and_filters_are_not():
    w = np.zeros((1, 1, 2, 3))
    w[0, 0] = [[1, 2, 3], [10, 20, 30]]
    x = np.array([5.0, 7.0]).reshape(1, 1, 1, 2)
    y = layers.conv2d_transpose(3, 1).apply({"w": w, "b": np.array([0.0, 0.5, 1.0])}, x)
    assert y.ravel().tolist() == [75.0, 150.5, 226.0]


@given(st.data())
def test_it_is_the_adjoint_of_conv2d_with_the_same_arguments(data):
    """<T x, z> = <x, C z> for all x and z: T with kernel w, C with w's last two axes swapped, both without bias."""
    case = data.draw(cases(ROWS["conv2d_transpose"], dtypes=(np.float64,)))
    w, n, channels = case.params["w"], len(case.x), case.x.shape[3]
    z = np.random.default_rng(0).standard_normal(case.dy.shape)
    conv = layers.conv2d(**{**case.arguments, "filters": channels})
    assert conv.output_shape(z.shape[1:]) == case.x.shape[1:]
    forth = case.layer.apply({"w": w, "b": np.zeros(w.shape[3])}, case.x)
    back = conv.apply({"w": w.transpose(0, 1, 3, 2), "b": np.zeros(channels)}, z)
    for i in range(n):
        assert np.vdot(forth[i], z[i]) == pytest.approx(np.vdot(case.x[i], back[i]), rel=1e-10, abs=1e-10)


def test_images_come_out_with_the_batch_innermost_in_memory():
    layer = layers.conv2d_transpose(3, 3, stride=2, padding=1)
    params = layer.init(np.random.default_rng(0), (6, 6, 2))
    y, pullback = layer.vjp(params, np.ones((4, 6, 6, 2), np.float32))
    for array in (y, pullback(y)[1]):
        assert array.transpose(1, 3, 2, 0).flags.c_contiguous


@pytest.mark.parametrize(("padding", "size"), [(1, "2 x 2"), (((2, 0), (0, 0)), "2 x 2"), (((0, 0), (0, 3)), "2 x 2")])
def test_a_padding_that_leaves_nothing_is_refused(padding, size):
    layer = layers.conv2d_transpose(1, 2, padding=padding)
    for run in (
        lambda: layer.output_shape((1, 1, 1)),
        lambda: layer.apply(W, image([[1]])),
        lambda: layer.vjp(W, image([[1]])),
    ):
        with pytest.raises(ValueError, match=f"^conv2d_transpose: padding .* leaves nothing of an output of {size}"):
            run()


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (layers.conv2d_transpose(6, 5), "conv2d_transpose(6, 5)"),
        (layers.conv2d_transpose(6, (3, 3), 2, ((1, 1), (1, 1))), "conv2d_transpose(6, 3, stride=2, padding=1)"),
        (layers.conv2d_transpose(6, 3, padding=((0, 1), (0, 1))), "conv2d_transpose(6, 3, padding=((0, 1), (0, 1)))"),
    ],
)
def test_it_prints_as_short_as_possible(layer, text):
    assert repr(layer) == text
