"""Pooling over windows: the maximum, or the mean (LeCun et al. 1998, section II-B; Ranzato et al. 2007).

Both are separable: each runs along the height and then along the width, on slices of x that NumPy reads in x's own
memory order. Whole rows are the longest runs, so the height comes first. Windows may overlap; rows and columns that no
whole window covers are left out (floor). Where several entries of a window share its maximum, the first of them in
row-major order gets the whole gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np

from functional_nn.arguments import Pair, as_pair, optional, pair
from functional_nn.layer import Layer, Params, Pullback, Shape, ShapeError, check_image
from functional_nn.layers._memory import empty_in_order, memory_order
from functional_nn.layers._windows import windows_along
from functional_nn.value import constructor

HEIGHT, WIDTH = 1, 2
Cotangent = Callable[[np.ndarray], np.ndarray]
Positions = Callable[[], np.ndarray]


@constructor(window=pair, stride=optional(pair))
def max_pool(window: Pair, stride: Pair | None = None) -> Layer:
    """Return the layer of each window's maximum, x (n, h, w, c) -> (n, oh, ow, c), oh = (h - window) // stride + 1.

    `window` and `stride` are ints or (height, width); the stride is the window where it is None. The pullback keeps the
    winners' positions. Raises `ValueError` for a bad argument, and for an input that is no image or smaller than the
    window.

    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> layers.max_pool(2).apply({}, x)[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])
    >>> layers.max_pool((1, 3), stride=1).output_shape((4, 4, 1))
    (4, 2, 1)
    """
    (kh, kw), (sh, sw) = as_pair(window), as_pair(window if stride is None else stride)

    def forward(x: np.ndarray, wrt_x: bool) -> tuple[np.ndarray, Cotangent]:
        columns, columns_pullback, rows = _max_along(x, HEIGHT, kh, sh, wrt_x)
        y, y_pullback, _ = _max_along(columns, WIDTH, kw, sw, wrt_x, rows)
        return y, lambda dy: columns_pullback(y_pullback(dy))

    return _pooling("max_pool", (kh, kw), (sh, sw), forward, takes_maxima=True)


@constructor(window=pair, stride=optional(pair))
def avg_pool(window: Pair, stride: Pair | None = None) -> Layer:
    """Return the layer of each window's mean; shapes, arguments and errors are those of `max_pool`.

    >>> x = np.arange(16.0).reshape(1, 4, 4, 1)
    >>> layers.avg_pool(2).apply({}, x)[0, :, :, 0]
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    (kh, kw), (sh, sw) = as_pair(window), as_pair(window if stride is None else stride)

    def forward(x: np.ndarray, wrt_x: bool) -> tuple[np.ndarray, Cotangent]:
        columns, columns_pullback = _mean_along(x, HEIGHT, kh, sh)
        y, y_pullback = _mean_along(columns, WIDTH, kw, sw)
        return y, lambda dy: columns_pullback(y_pullback(dy))

    return _pooling("avg_pool", (kh, kw), (sh, sw), forward)


@constructor
def global_avg_pool() -> Layer:
    """Return the layer of each channel's mean, images (n, h, w, c) -> (n, c) (Lin et al. 2014, section 3.2).

    Raises `ValueError` for an input that is no image, or one without a pixel.

    >>> layers.global_avg_pool().apply({}, np.arange(8.0).reshape(1, 2, 2, 2))
    array([[3., 4.]])
    """

    def output_shape(input_shape: Shape) -> Shape:
        check_image(input_shape)
        if 0 in input_shape[:2]:
            raise ShapeError(f"input is {input_shape}: there is no mean of no pixels")
        return input_shape[2:]

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        output_shape(x.shape[1:])
        return np.asarray(np.einsum("nhwc->nc", x)) * (1.0 / (x.shape[HEIGHT] * x.shape[WIDTH]))

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        y, shape, dtype, order = apply(params, x), x.shape, x.dtype, memory_order(x)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            if not wrt_x:
                return {}, None
            dx = empty_in_order(order, shape, dtype)
            dx[...] = (dy * (1.0 / (shape[HEIGHT] * shape[WIDTH])))[:, np.newaxis, np.newaxis]
            return {}, dx

        return y, pullback

    return Layer("global_avg_pool", apply=apply, vjp=vjp, output_shape=output_shape)


def _pooling(
    name: str,
    window: tuple[int, int],
    stride: tuple[int, int],
    forward: Callable[[np.ndarray, bool], tuple[np.ndarray, Cotangent]],
    takes_maxima: bool = False,
) -> Layer:
    """Return the layer of `forward(x, wrt_x) -> (y, dy -> dx)` for images into which the window fits."""

    def output_shape(input_shape: Shape) -> Shape:
        check_image(input_shape)
        h, w, c = input_shape
        oh = windows_along("height", h, window[0], stride[0])
        return (oh, windows_along("width", w, window[1], stride[1]), c)

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        output_shape(x.shape[1:])
        y, cotangent = forward(x, wrt_x)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            return {}, cotangent(dy) if wrt_x else None

        return y, pullback

    return Layer(name, vjp=vjp, output_shape=output_shape, takes_maxima=takes_maxima)


def _max_along(
    x: np.ndarray, axis: int, window: int, stride: int, wrt_x: bool, rows: Positions | None = None
) -> tuple[np.ndarray, Cotangent, Positions]:
    """Return the maxima over windows along one axis, their pullback, and a function that numbers the winners.

    Entry j of a window wins where it is larger than all before it, so of equal entries the first wins. Along the width
    the entries are maxima of columns, and `rows()` says in which row of the window each of them stood: of equal ones
    the one in the highest row wins. The function that is returned gives the winners' positions, 0 .. window - 1.
    """
    slices = _slices(x.shape, axis, window, stride)
    y = x[slices[0]]
    wins: list[np.ndarray] = []  # wins[j - 1]: where entry j wins over all before it; only the pullback needs it
    for j, at in enumerate(slices[1:], start=1):
        if wrt_x:
            wins.append(x[at] > y)
            if rows is not None and (ties := x[at] == y).any():
                row = rows()
                wins[-1] |= ties & (row[at] < _row_of_best(row, slices[:j], wins))
        y = np.maximum(y, x[at])
    y = y if window > 1 else y.copy(order="K")
    overlap = stride < window
    new_dx = _allocator(x, covered=not overlap and window > 1 and y.size * window == x.size)

    def pullback(dy: np.ndarray) -> np.ndarray:
        dx, rest = new_dx(), dy
        for at, won in zip(slices[:0:-1], reversed(wins), strict=True):
            # The last entry that won takes all; what it leaves goes on to those before it.
            share = np.multiply(rest, won, out=None if overlap else dx[at])
            rest = np.subtract(rest, share, out=None if overlap else dx[slices[0]])
            if overlap:
                dx[at] += share
        if overlap or not wins:
            dx[slices[0]] += rest
        return dx

    def winners() -> np.ndarray:
        position = wins[0].view(np.uint8) if wins else np.zeros(y.shape, np.uint8)
        for j, won in enumerate(wins[1:], start=2):
            position = np.maximum(position, won * np.min_scalar_type(window).type(j))
        return position

    return y, pullback, winners


def _row_of_best(row: np.ndarray, slices: tuple[tuple[slice, ...], ...], wins: list[np.ndarray]) -> np.ndarray:
    """Return the row of the best of a window's first entries, those of `slices`."""
    best = row[slices[0]]
    for at, won in zip(slices[1:], wins, strict=False):
        best = np.where(won, row[at], best)
    return best


def _mean_along(x: np.ndarray, axis: int, window: int, stride: int) -> tuple[np.ndarray, Cotangent]:
    """Return the means over windows along one axis, and their pullback."""
    slices = _slices(x.shape, axis, window, stride)
    y = x[slices[0]] * (1.0 / window)
    for at in slices[1:]:
        y += x[at] * (1.0 / window)
    overlap = stride < window
    new_dx = _allocator(x, covered=not overlap and window > 1 and y.size * window == x.size)

    def pullback(dy: np.ndarray) -> np.ndarray:
        dx = new_dx()
        for at in slices:
            share = np.multiply(dy, 1.0 / window, out=None if overlap else dx[at])
            if overlap:
                dx[at] += share
        return dx

    return y, pullback


@lru_cache(maxsize=256)  # a few shapes come at every step
def _slices(shape: Shape, axis: int, window: int, stride: int) -> tuple[tuple[slice, ...], ...]:
    """Return, for each position in the window, the index of the entries of x that stand there, one a window."""
    count = (shape[axis] - window) // stride + 1
    whole = (slice(None),) * axis
    return tuple((*whole, slice(j, j + (count - 1) * stride + 1, stride)) for j in range(window))


def _allocator(x: np.ndarray, covered: bool) -> Callable[[], np.ndarray]:
    """Return the allocation of dx in the memory order of x, of zeros unless it will be covered by what is written."""
    return partial(empty_in_order, memory_order(x), x.shape, x.dtype, np.empty if covered else np.zeros)
