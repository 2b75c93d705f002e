"""Rotation, scale and shift: SciPy's interpolation is the oracle, and blobs show what was drawn."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import data
from functional_nn.data.affine import _warped


def noise(n: int = 8, height: int = 9, width: int = 7, channels: int = 2, dtype: type = np.float64) -> np.ndarray:
    x = np.random.default_rng(0).random((n, height, width, channels))
    return (255 * x).astype(np.uint8) if dtype is np.uint8 else x.astype(dtype)


def blobs(n: int, row: float, column: float, size: int = 33) -> np.ndarray:
    """Return n equal images of a smooth spot at (row, column) from the centre."""
    i, j = np.mgrid[:size, :size] - (size - 1) / 2
    spot = np.exp(-((i - row) ** 2 + (j - column) ** 2) / 4.0)
    return np.repeat(spot[None, :, :, None], n, axis=0)


def centres(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the spots' centres of mass (n,), rows and columns from the images' centres."""
    i, j = np.mgrid[: x.shape[1], : x.shape[2]] - (x.shape[1] - 1) / 2
    mass = x[..., 0].sum(axis=(1, 2))
    return (x[..., 0] * i).sum(axis=(1, 2)) / mass, (x[..., 0] * j).sum(axis=(1, 2)) / mass


@given(st.floats(-7, 7), st.floats(-1.5, 1.5), st.floats(-12, 12), st.floats(-12, 12))
def test_pixels_are_those_of_scipys_linear_interpolation(angle: float, log_factor: float, down: float, right: float):
    ndimage = pytest.importorskip("scipy.ndimage")
    x, factor, offset = noise(1), float(np.exp(log_factor)), np.array([down, right])
    found = _warped(x, np.array([angle]), np.array([factor]), offset[:, None])
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / factor
    middle = np.array([4.0, 3.0])
    for c in range(2):
        expected = ndimage.affine_transform(
            x[0, :, :, c], back, offset=middle - back @ (middle + offset), order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(found[0, :, :, c], expected, atol=1e-12)


def test_a_quarter_turn_goes_against_the_clock():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    turned = _warped(x, np.array([np.pi / 2]), np.ones(1), np.zeros((2, 1)))
    np.testing.assert_allclose(turned[0, :, :, 0], np.rot90(x[0, :, :, 0]), atol=1e-12)


def test_half_a_pixel_to_the_right_is_the_mean_of_two():
    x = np.array([[[10], [20], [31]]], np.uint8)[None]
    moved = _warped(x, np.zeros(1), np.ones(1), np.array([[0.0], [0.5]]))
    assert moved[0, 0, :, 0].tolist() == [5, 15, 26]  # (0 + 10) / 2, (10 + 20) / 2, 25.5 to the nearest even
    assert moved.dtype == np.uint8


def test_angles_are_uniform_up_to_the_largest():
    rows, columns = centres(data.random_affine(30)(blobs(2000, 0.0, 9.0), 0))
    angles = np.degrees(np.arctan2(-rows, columns))
    np.testing.assert_allclose(np.hypot(rows, columns), 9.0, atol=0.05)
    assert angles.min() > -30.1
    assert angles.max() < 30.1
    assert abs(np.mean(angles)) < 4 * 30 / np.sqrt(3 * 2000)
    np.testing.assert_allclose(np.quantile(angles, [0.25, 0.75]), [-15, 15], atol=2.0)


def test_factors_lie_between_the_scale_and_its_inverse():
    rows, columns = centres(data.random_affine(0, scale=0.5)(blobs(2000, 5.0, 0.0), 0))
    factors = rows / 5.0
    np.testing.assert_allclose(columns, 0.0, atol=1e-6)
    assert factors.min() > 1 / 1.505
    assert factors.max() < 1.505
    np.testing.assert_allclose(np.quantile(np.log(factors), [0.25, 0.5, 0.75]) / np.log(1.5), [-0.5, 0, 0.5], atol=0.06)


def test_offsets_are_uniform_in_both_directions_and_independent():
    rows, columns = centres(data.random_affine(0, pixels=3.5)(blobs(2000, 0.0, 0.0), 0))
    for offsets in (rows, columns):
        assert abs(offsets).max() < 3.51
        np.testing.assert_allclose(np.quantile(offsets, [0.25, 0.5, 0.75]), [-1.75, 0, 1.75], atol=0.2)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.1


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_the_dtype_is_kept_and_values_stay_between_zero_and_the_largest(dtype: type):
    x = noise(dtype=dtype)
    y = data.random_affine(180, scale=1.0, pixels=3)(x, 0)
    assert y.dtype == dtype
    assert y.shape == x.shape
    assert y.min() >= 0
    assert y.max() <= x.max() * (1 + 1e-6)


def test_whole_numbers_are_the_rounded_fractions():
    transform, x = data.random_affine(20, scale=0.2, pixels=1), noise(dtype=np.uint8)
    exact = transform(x.astype(np.float64), 5)
    assert abs(transform(x, 5) - exact).max() <= 0.5 + 1e-3


@given(st.integers(0, 2**31), st.floats(-3, 3), st.floats(-3, 3))
def test_it_is_linear_in_the_image(key: int, a: float, b: float):
    transform, x = data.random_affine(40, scale=0.3, pixels=2), noise()
    y = x[::-1] ** 2
    np.testing.assert_allclose(transform(a * x + b * y, key), a * transform(x, key) + b * transform(y, key), atol=1e-12)


def test_nothing_drawn_is_nothing_changed():
    x = noise()
    assert data.random_affine(0)(x, 1) is x
    assert data.random_affine(10, 0.1, 1)(x) is x
    assert data.random_affine(10)(x[:0], 1).shape == (0, 9, 7, 2)


def test_channels_move_together():
    x = np.repeat(noise(channels=1), 3, axis=-1)
    y = data.random_affine(30, scale=0.1, pixels=1)(x, 0)
    np.testing.assert_array_equal(y, np.repeat(y[..., :1], 3, axis=-1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1,), "random_affine: degrees is -1, expected a finite number that is not negative"),
        ((181,), "random_affine: degrees is 181, expected at most 180, which is every direction"),
        (("10",), "random_affine: degrees is '10', expected a finite number that is not negative"),
        ((10, 1e4), "random_affine: scale is 10000.0, expected at most 1000; 0.1 is a tenth larger"),
        ((10, -0.1), "random_affine: scale is -0.1, expected a finite number that is not negative"),
        ((10, 0.1, float("inf")), "random_affine: pixels is inf, expected a finite number that is not negative"),
    ],
)
def test_bad_arguments_are_named(arguments: tuple[float, ...], message: str):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        data.random_affine(*arguments)


def test_what_is_no_batch_of_such_images_is_named():
    transform = data.random_affine(10, pixels=7)
    with pytest.raises(TypeError, match="random_affine: x is of int64, expected uint8, float32 or float64: convert"):
        transform(np.zeros((1, 9, 9, 1), np.int64), 0)
    with pytest.raises(ValueError, match=r"random_affine: x has shape \(9, 9, 1\), expected images"):
        transform(np.zeros((9, 9, 1)), 0)
    with pytest.raises(ValueError, match=re.escape("7.0 pixels would shift a 9x7 image out of sight")):
        transform(noise(), 0)
