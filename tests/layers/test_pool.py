"""Pooling by hand: which entry wins a tie, what overlaps, and what is left out."""

import numpy as np
import pytest

from functional_nn import layers


def image(rows, dtype=np.float64):
    return np.array(rows, dtype)[np.newaxis, :, :, np.newaxis]


def pooled(layer, x, dy=None):
    """The output and the gradient of one image with one channel, as lists of rows."""
    y, pullback = layer.vjp({}, x)
    dparams, dx = pullback(np.ones_like(y) if dy is None else image(dy, x.dtype))
    assert dparams == {}
    return y[0, :, :, 0].tolist(), dx[0, :, :, 0].tolist()


def first_maximum(x, window, stride, dy):
    """The subgradient in the documented order, by search: the first maximum in row-major order takes all."""
    dx = [[0.0] * len(x[0]) for _ in x]
    for i, row in enumerate(dy):
        for j, cotangent in enumerate(row):
            places = [(i * stride + u, j * stride + v) for u in range(window) for v in range(window)]
            r, c = max(places, key=lambda place: x[place[0]][place[1]])  # max takes the first of equals
            dx[r][c] += cotangent
    return dx


def test_max_pool_gives_the_maximum_its_gradient():
    y, dx = pooled(layers.max_pool(2), image([[1, 2, 5, 3], [4, 3, 2, 1]]), [[10, 20]])
    assert y == [[4, 5]]
    assert dx == [[0, 0, 20, 0], [10, 0, 0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, -0.0, 3.5, -2.0])
def test_a_constant_window_gives_all_to_its_first_entry(dtype, value):
    y, dx = pooled(layers.max_pool(3), np.full((1, 3, 3, 1), value, dtype), [[7]])
    assert y == [[value]]
    assert dx == [[7, 0, 0], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[0, 1], [1, 0]], [[0, 7], [0, 0]]),  # top right against bottom left: the upper row comes first
        ([[1, 0], [0, 1]], [[7, 0], [0, 0]]),
        ([[0, 0], [1, 1]], [[0, 0], [7, 0]]),
        ([[0, 1], [0, 1]], [[0, 7], [0, 0]]),
        ([[1, 1], [0, 0]], [[7, 0], [0, 0]]),
        ([[1, 1], [1, 1]], [[7, 0], [0, 0]]),
        ([[0, 0], [0, 1]], [[0, 0], [0, 7]]),
        ([[0, 1], [1, 1]], [[0, 7], [0, 0]]),
    ],
)
def test_ties_go_to_the_first_in_row_major_order(rows, expected):
    assert pooled(layers.max_pool(2), image(rows), [[7]])[1] == expected


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (3, 3)])
def test_ties_go_to_the_first_wherever_windows_overlap_or_leave_gaps(window, stride):
    rng = np.random.default_rng(window + 10 * stride)
    for _ in range(10):
        x = rng.integers(0, 2, (7, 8)).astype(np.float64)  # two values: ties everywhere
        layer = layers.max_pool(window, stride=stride)
        oh, ow, _ = layer.output_shape((7, 8, 1))
        dy = rng.integers(1, 100, (oh, ow)).tolist()
        assert pooled(layer, image(x), dy)[1] == first_maximum(x.tolist(), window, stride, dy)


def test_the_first_of_equal_maxima_is_found_in_windows_of_more_than_256_rows_too():
    x = np.zeros((1, 300, 2, 1))
    x[0, 260, 0, 0] = x[0, 250, 1, 0] = 1.0
    _, pullback = layers.max_pool((300, 2)).vjp({}, x)
    _, dx = pullback(np.full((1, 1, 1, 1), 7.0))
    assert np.argwhere(dx[0, :, :, 0]).tolist() == [[250, 1]]
    assert dx.sum() == 7.0


def test_overlapping_windows_add_their_gradients():
    y, dx = pooled(layers.max_pool(2, stride=1), image([[0, 0, 0], [0, 9, 0], [0, 0, 0]]), [[1, 2], [3, 4]])
    assert y == [[9, 9], [9, 9]]
    assert dx == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


def test_each_image_and_channel_marks_its_own_maximum():
    x = np.zeros((2, 2, 2, 2))
    winners = [(0, 0, 0, 0), (0, 1, 1, 1), (1, 0, 1, 0), (1, 1, 0, 1)]
    for at in winners:
        x[at] = 1.0
    y, pullback = layers.max_pool(2).vjp({}, x)
    _, dx = pullback(np.ones_like(y))
    np.testing.assert_array_equal(dx, x)  # exactly the winners, one of each image and channel


def test_rows_and_columns_that_no_window_covers_are_left_out():
    x = image(np.arange(25).reshape(5, 5))
    y, dx = pooled(layers.max_pool(2), x)
    assert y == [[6, 8], [16, 18]]
    assert np.flatnonzero(dx).tolist() == [6, 8, 16, 18]
    y, dx = pooled(layers.avg_pool(2), x, [[4, 8], [12, 16]])
    assert y == [[3, 5], [13, 15]]
    assert dx == [[1, 1, 2, 2, 0], [1, 1, 2, 2, 0], [3, 3, 4, 4, 0], [3, 3, 4, 4, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("layer", [layers.max_pool(1, stride=2), layers.avg_pool(1, stride=2)])
def test_a_window_of_one_with_a_stride_samples(layer):
    y, dx = pooled(layer, image(np.arange(9).reshape(3, 3)), [[1, 2], [3, 4]])
    assert y == [[0, 2], [6, 8]]
    assert dx == [[1, 0, 2], [0, 0, 0], [3, 0, 4]]


def test_windows_are_height_by_width():
    x = image([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert pooled(layers.avg_pool((2, 1)), x)[0] == [[3, 4, 5, 6]]
    assert pooled(layers.avg_pool((1, 2)), x)[0] == [[1.5, 3.5], [5.5, 7.5]]
    assert pooled(layers.max_pool((1, 2), stride=(1, 1)), x)[0] == [[2, 3, 4], [6, 7, 8]]


def test_average_of_overlapping_windows_spreads_evenly():
    y, dx = pooled(layers.avg_pool(2, stride=1), image([[1, 3, 5], [1, 3, 5]]), [[4, 8]])
    assert y == [[2, 4]]
    assert dx == [[1, 3, 2], [1, 3, 2]]


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (layers.max_pool(2), "max_pool(2)"),
        (layers.max_pool((2, 2), stride=(1, 1)), "max_pool(2, stride=1)"),
        (layers.avg_pool((2, 3)), "avg_pool((2, 3))"),
    ],
)
def test_pools_print_as_short_as_possible(layer, text):
    assert repr(layer) == text
