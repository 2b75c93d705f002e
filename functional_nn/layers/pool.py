"""Pooling over windows: the maximum, or the mean (LeCun et al. 1998, section II-B; Ranzato et al. 2007).

Both are separable, so each runs along the height and then along the width, on slices of x that NumPy reads in
x's own memory order: whole rows are the longest runs. Windows may overlap; rows and columns that no whole window
covers are left out (floor). A maximum that several entries share gives its whole gradient to the first of them in
row-major order: among columns of one maximum, to the one that has it in the highest row, then to the first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from functional_nn.layer import (
    Layer,
    Params,
    Pullback,
    Shape,
    ShapeError,
    check_cotangent,
    check_floats,
    check_image,
    check_params,
    configured,
)
from functional_nn.layers._arguments import Pair, as_pair, pair, windows_along
from functional_nn.layers._memory import in_order, memory_order

HEIGHT, WIDTH = 1, 2
Cotangent = Callable[[np.ndarray], np.ndarray]
Rank = Callable[[], np.ndarray]
Along = Callable[[np.ndarray, int, int, int, bool, Rank | None], tuple[np.ndarray, Cotangent, Rank | None]]


def max_pool(window: Pair, stride: Pair | None = None) -> Layer:
    """Return the layer of each window's maximum, x (n, h, w, c) -> (n, oh, ow, c), oh = (h - window) // stride + 1.

    `window` and `stride` are ints or (height, width); the stride is the window where not given. Raises `ValueError`
    for a bad argument, and for an input that is no image or smaller than the window.
    """
    config = _config("max_pool", window, stride)
    return configured("max_pool", config, apply=max_pool_apply, vjp=max_pool_vjp, output_shape=max_pool_output_shape)


def avg_pool(window: Pair, stride: Pair | None = None) -> Layer:
    """Return the layer of each window's mean; shapes, arguments and errors are those of `max_pool`."""
    config = _config("avg_pool", window, stride)
    return configured("avg_pool", config, apply=avg_pool_apply, vjp=avg_pool_vjp, output_shape=avg_pool_output_shape)


def max_pool_output_shape(input_shape: Shape, *, window: Pair, stride: Pair | None = None) -> Shape:
    """Return (oh, ow, c); raises `ShapeError` where the window does not fit."""
    return _output_shape("max_pool", input_shape, window, stride)


def max_pool_apply(params: Params, x: np.ndarray, *, window: Pair, stride: Pair | None = None) -> np.ndarray:
    """Return each window's maximum."""
    return _pool("max_pool", _max_along, params, x, window, stride, wrt_x=False)[0]


def max_pool_vjp(
    params: Params,
    x: np.ndarray,
    *,
    window: Pair,
    stride: Pair | None = None,
    key: object = None,
    wrt_x: bool = True,
) -> tuple[np.ndarray, Pullback]:
    """Return each window's maximum and the pullback, which keeps the winners' positions."""
    return _pool("max_pool", _max_along, params, x, window, stride, wrt_x)


def avg_pool_output_shape(input_shape: Shape, *, window: Pair, stride: Pair | None = None) -> Shape:
    """Return (oh, ow, c); raises `ShapeError` where the window does not fit."""
    return _output_shape("avg_pool", input_shape, window, stride)


def avg_pool_apply(params: Params, x: np.ndarray, *, window: Pair, stride: Pair | None = None) -> np.ndarray:
    """Return each window's mean."""
    return _pool("avg_pool", _mean_along, params, x, window, stride, wrt_x=False)[0]


def avg_pool_vjp(
    params: Params,
    x: np.ndarray,
    *,
    window: Pair,
    stride: Pair | None = None,
    key: object = None,
    wrt_x: bool = True,
) -> tuple[np.ndarray, Pullback]:
    """Return each window's mean and the pullback, which keeps only shapes."""
    return _pool("avg_pool", _mean_along, params, x, window, stride, wrt_x)


def global_avg_pool() -> Layer:
    """Return the layer of each channel's mean, images (n, h, w, c) -> (n, c) (Lin et al. 2014, section 3.2).

    Raises `ValueError` for an input that is no image.
    """
    return configured("global_avg_pool", {}, apply=global_apply, vjp=global_vjp, output_shape=global_output_shape)


def global_output_shape(input_shape: Shape) -> Shape:
    """Return (c,); raises `ShapeError` for what is no image, or one without a pixel."""
    check_image("global_avg_pool", input_shape)
    if 0 in input_shape[:2]:
        raise ShapeError("global_avg_pool", f"input is {input_shape}: there is no mean of no pixels")
    return input_shape[2:]


def global_apply(params: Params, x: np.ndarray) -> np.ndarray:
    """Return each channel's mean."""
    check_params("global_avg_pool", params)
    check_floats("global_avg_pool", x)
    global_output_shape(x.shape[1:])
    return np.asarray(np.einsum("nhwc->nc", x)) * (1.0 / (x.shape[HEIGHT] * x.shape[WIDTH]))


def global_vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
    """Return each channel's mean and the pullback, which keeps only shapes."""
    y, shape, order = global_apply(params, x), x.shape, memory_order(x)
    y_shape, dtype, share = y.shape, y.dtype, 1.0 / (x.shape[HEIGHT] * x.shape[WIDTH])

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("global_avg_pool", dy, y_shape, dtype)
        if not wrt_x:
            return {}, None
        dx = in_order(order, shape, dtype)
        dx[...] = (share * dy)[:, np.newaxis, np.newaxis]
        return {}, dx

    return y, pullback


def _config(layer: str, window: Pair, stride: Pair | None) -> dict[str, Pair | None]:
    return {
        "window": pair(layer, "window", window),
        "stride": None if stride is None else pair(layer, "stride", stride),
    }


def _output_shape(layer: str, input_shape: Shape, window: Pair, stride: Pair | None) -> Shape:
    check_image(layer, input_shape)
    h, w, c = input_shape
    (kh, kw), (sh, sw) = as_pair(window), as_pair(window if stride is None else stride)
    return (windows_along(layer, "height", h, kh, sh), windows_along(layer, "width", w, kw, sw), c)


def _pool(
    layer: str,
    along: Along,
    params: Params,
    x: np.ndarray,
    window: Pair,
    stride: Pair | None,
    wrt_x: bool,
) -> tuple[np.ndarray, Pullback]:
    check_params(layer, params)
    check_floats(layer, x)
    if x.ndim != 4:
        raise ShapeError(layer, f"x has shape {x.shape}, expected (n, height, width, channels)")
    shape = (len(x), *_output_shape(layer, x.shape[1:], window, stride))
    (kh, kw), (sh, sw) = as_pair(window), as_pair(window if stride is None else stride)
    columns, columns_pullback, first = along(x, HEIGHT, kh, sh, wrt_x, None)
    y, y_pullback, _ = along(columns, WIDTH, kw, sw, wrt_x, first)
    dtype = x.dtype

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent(layer, dy, shape, dtype)
        return {}, columns_pullback(y_pullback(dy)) if wrt_x else None

    return y, pullback


def _max_along(
    x: np.ndarray, axis: int, window: int, stride: int, wrt_x: bool, rank: Rank | None
) -> tuple[np.ndarray, Cotangent, Rank | None]:
    """The maximum over windows along one axis: each entry is compared with the largest of those before it.

    `rank` numbers the entries of x: of equal ones the lowest wins, and where that is equal too, the first.
    Returned is also the number of each winner's position in its window.
    """
    slices = _slices(x.shape, axis, window, stride)
    y = x[slices[0]]
    wins = []  # wins[j - 1]: where entry j beats all before it; only the pullback needs it
    for j, at in enumerate(slices[1:], start=1):
        if wrt_x:
            wins.append(x[at] > y)
            if rank is not None and (ties := x[at] == y).any():
                ranks = rank()
                wins[-1] |= ties & (ranks[at] < _of_winners(ranks, slices[:j], wins))
        y = np.maximum(y, x[at])
    y = y if window > 1 else y.copy(order="K")
    overlap = stride < window
    new_dx = _allocator(x, covered=not overlap and window > 1 and y.size * window == x.size)

    def pullback(dy: np.ndarray) -> np.ndarray:
        dx, rest = new_dx(), dy
        for at, won in zip(slices[:0:-1], reversed(wins), strict=True):
            # The last to beat the others takes all; what it leaves goes on to those before it.
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


def _of_winners(ranks: np.ndarray, slices: list[tuple[slice, ...]], wins: list[np.ndarray]) -> np.ndarray:
    """Return the rank of the best entry of the window's first ones, those of `slices`."""
    best = ranks[slices[0]]
    for at, won in zip(slices[1:], wins, strict=False):
        best = np.where(won, ranks[at], best)
    return best


def _mean_along(
    x: np.ndarray, axis: int, window: int, stride: int, wrt_x: bool, rank: Rank | None
) -> tuple[np.ndarray, Cotangent, None]:
    """The mean over windows along one axis; it knows no ties."""
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

    return y, pullback, None


def _slices(shape: Shape, axis: int, window: int, stride: int) -> list[tuple[slice, ...]]:
    """Return, for each position in the window, the index of the entries of x that stand there, one a window."""
    count = (shape[axis] - window) // stride + 1
    whole = (slice(None),) * axis
    return [(*whole, slice(j, j + (count - 1) * stride + 1, stride)) for j in range(window)]


def _allocator(x: np.ndarray, covered: bool) -> Callable[[], np.ndarray]:
    """Return the allocation of dx in the memory order of x, of zeros unless it will be covered by what is written."""
    return partial(in_order, memory_order(x), x.shape, x.dtype, np.empty if covered else np.zeros)
