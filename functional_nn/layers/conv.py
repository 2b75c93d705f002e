"""Two-dimensional convolution (cross-correlation, as the field has it; LeCun et al. 1998, section II-A).

    y[n, i, j, o] = b[o] + sum over u, v, c of  x[n, i stride + u, j stride + v, c] w[u, v, c, o]

How it is computed. Images are (n, h, w, c) to the caller; in memory they lie as (h, c, w, n), batch innermost,
which is how this layer returns them (as a transposed view), so that a stack of layers never transposes. One axis
of the kernel is expanded: for each of the kw columns v, the columns v, v + stride, ... of x are copied side by
side. In the expanded array the rows i .. i + kh are one contiguous matrix, so all windows of output row i are
read in place, and row blocks overlap:

      expanded, one line an image row         the matrix of output row 1 (kh = 3)
      row 0   [c kw, ow n]
      row 1   [c kw, ow n]  \\
      row 2   [c kw, ow n]   }----------->    (kh c kw, ow n)  =  w^T (c_out, kh c kw) @ it  ->  y row 1
      row 3   [c kw, ow n]  /                                     as (c_out, ow n)
      row 4   [c kw, ow n]

Each product is small enough for the second-level cache, and memory grows by kw, not kh kw.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np

from functional_nn.initializers import glorot_uniform, zeros
from functional_nn.layer import (
    Init,
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
from functional_nn.layers._arguments import Padding, Pair, as_margins, as_pair, count, pair, windows_along
from functional_nn.layers._arguments import padding as checked_padding
from functional_nn.layers._grouped import check_groups, grouped_vjp, spread_size

NAMES = frozenset({"w", "b"})
UNPACKED = 10**6  # multiply-adds: OpenBLAS multiplies smaller matrices where they lie, larger ones it copies first
MOST_BLOCKS = 4  # narrower blocks than that cost more than the copy


def conv2d(
    filters: int,
    kernel: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    groups: int = 1,
    dilation: Pair = 1,
    w_init: Init = glorot_uniform,
    b_init: Init = zeros,
) -> Layer:
    """Return the layer x (n, h, w, c) -> y (n, oh, ow, filters), oh = (top + h + bottom - kh) // stride + 1.

    Parameters: w (kh, kw, c / groups, filters), b (filters,). `kernel`, `stride` and `dilation` are ints or (height,
    width); `padding` is an int or ((top, bottom), (left, right)), of zeros. `groups` and `dilation` are explained in
    `_grouped.py`; kh stands for the height with holes, (kh - 1) dilation + 1. Raises `ValueError` for a bad argument,
    for groups that divide the channels or filters unevenly, and for an input that is no image or smaller than the
    kernel.
    """
    config = {
        "filters": count("conv2d", "filters", filters),
        "kernel": pair("conv2d", "kernel", kernel),
        "stride": pair("conv2d", "stride", stride),
        "padding": checked_padding("conv2d", padding),
        "groups": count("conv2d", "groups", groups),
        "dilation": pair("conv2d", "dilation", dilation),
        "w_init": w_init,
        "b_init": b_init,
    }
    return configured("conv2d", config, init=init, output_shape=output_shape, apply=apply, vjp=vjp)


def init(
    rng: np.random.Generator,
    input_shape: Shape,
    *,
    filters: int,
    kernel: Pair,
    groups: int = 1,
    w_init: Init = glorot_uniform,
    b_init: Init = zeros,
) -> Params:
    """Return {"w": w_init (kh, kw, c / groups, filters), "b": b_init (filters,)}."""
    check_image("conv2d", input_shape)
    check_groups(input_shape[2], filters, groups)
    return {"w": w_init(rng, (*as_pair(kernel), input_shape[2] // groups, filters)), "b": b_init(rng, (filters,))}


def output_shape(
    input_shape: Shape,
    *,
    filters: int,
    kernel: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    groups: int = 1,
    dilation: Pair = 1,
) -> Shape:
    """Return (oh, ow, filters); raises `ShapeError` where the kernel or the groups do not fit."""
    check_image("conv2d", input_shape)
    check_groups(input_shape[2], filters, groups)
    g = _geometry((0, *input_shape), (*spread_size(kernel, dilation), input_shape[2], filters), stride, padding)
    return (g.oh, g.ow, filters)


def apply(
    params: Params, x: np.ndarray, *, stride: Pair = 1, padding: Padding = 0, groups: int = 1, dilation: Pair = 1
) -> np.ndarray:
    """Return y (n, oh, ow, filters) of x (n, h, w, c)."""
    if groups != 1 or dilation != 1:
        return vjp(params, x, stride=stride, padding=padding, groups=groups, dilation=dilation, wrt_x=False)[0]
    return _forward(params, x, stride, padding)[0]


def vjp(
    params: Params,
    x: np.ndarray,
    *,
    stride: Pair = 1,
    padding: Padding = 0,
    groups: int = 1,
    dilation: Pair = 1,
    key: object = None,
    wrt_x: bool = True,
) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback; what it keeps is the expanded input, kw / stride times the size of x."""
    if groups != 1 or dilation != 1:
        _check(params, x, groups)
        plain = partial(vjp, stride=stride, padding=padding, wrt_x=wrt_x)
        return grouped_vjp(plain, params, x, groups, dilation)
    y, windows, g = _forward(params, x, stride, padding)
    w, shape = params["w"], y.shape

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("conv2d", dy, shape, w.dtype)
        rows = np.ascontiguousarray(dy.transpose(1, 3, 2, 0)).reshape(g.oh, g.c_out, g.ow * g.n)
        dw = np.matmul(windows, rows.transpose(0, 2, 1)).sum(axis=0)  # (kh c kw, ow n) @ (ow n, c_out)
        dw = dw.reshape(g.kh, g.c, g.kw, g.c_out).transpose(0, 2, 1, 3)
        db = (rows @ np.ones(g.ow * g.n, rows.dtype)).sum(axis=0)
        return {"w": np.ascontiguousarray(dw), "b": db}, _input_cotangent(rows, w, g) if wrt_x else None

    return y, pullback


class _Geometry(NamedTuple):
    n: int
    h: int
    w: int
    c: int
    c_out: int
    kh: int
    kw: int
    sh: int
    sw: int
    top: int
    left: int
    padded_h: int
    padded_w: int
    oh: int
    ow: int


@lru_cache(maxsize=256)  # a few shapes come at every step
def _geometry(x_shape: Shape, w_shape: Shape, stride: Pair, padding: Padding) -> _Geometry:
    (n, h, w, c), (kh, kw, _, c_out) = x_shape, w_shape
    (sh, sw), ((top, bottom), (left, right)) = as_pair(stride), as_margins(padding)
    padded_h, padded_w = top + h + bottom, left + w + right
    oh = windows_along("conv2d", "height", padded_h, kh, sh)
    ow = windows_along("conv2d", "width", padded_w, kw, sw)
    return _Geometry(n, h, w, c, c_out, kh, kw, sh, sw, top, left, padded_h, padded_w, oh, ow)


def _check(params: Params, x: np.ndarray, groups: int = 1) -> None:
    check_params("conv2d", params, NAMES)
    w, b = params["w"], params["b"]
    check_floats("conv2d", x, w, b)
    if x.ndim != 4 or w.ndim != 4 or b.shape != w.shape[3:]:
        raise ShapeError(
            "conv2d",
            f"x has shape {x.shape}, w {w.shape}, b {b.shape}; "
            "expected (n, height, width, c), (kh, kw, c, filters), (filters,)",
        )
    if groups != 1:
        check_groups(x.shape[3], w.shape[3], groups)
    if x.shape[3] != groups * w.shape[2]:
        raise ShapeError("conv2d", f"x has {x.shape[3]} channels, w expects {groups * w.shape[2]}")


def _forward(params: Params, x: np.ndarray, stride: Pair, padding: Padding) -> tuple[np.ndarray, np.ndarray, _Geometry]:
    _check(params, x)
    w, b = params["w"], params["b"]
    g = _geometry(x.shape, w.shape, stride, padding)
    windows = _windows(x, g)
    y = np.empty((g.oh, g.c_out, g.ow * g.n), x.dtype)
    _multiply(w.transpose(3, 0, 2, 1).reshape(g.c_out, -1), windows, y, g)  # (c_out, kh c kw) @ (kh c kw, ow n)
    y += b[:, None]
    return y.reshape(g.oh, g.c_out, g.ow, g.n).transpose(3, 0, 2, 1), windows, g


def _windows(x: np.ndarray, g: _Geometry) -> np.ndarray:
    """Return the matrices (oh, kh c kw, ow n) of the drawing above: a view of overlapping rows, not to be written."""
    rows = x.transpose(1, 3, 2, 0)  # (h, c, w, n): contiguous where x came from a convolution
    if (g.h, g.w) == (g.padded_h, g.padded_w):
        rows = np.ascontiguousarray(rows)
    else:
        padded = np.zeros((g.padded_h, g.c, g.padded_w, g.n), x.dtype)
        padded[g.top : g.top + g.h, :, g.left : g.left + g.w] = rows
        rows = padded
    row, channel, column, item = rows.strides
    expanded = np.ascontiguousarray(
        np.ndarray(
            (g.padded_h, g.c, g.kw, g.ow, g.n), x.dtype, rows, strides=(row, channel, column, g.sw * column, item)
        )
    )
    line = g.ow * g.n * x.itemsize
    shape = (g.oh, g.kh * g.c * g.kw, g.ow * g.n)
    return np.ndarray(shape, x.dtype, expanded, strides=(g.sh * g.c * g.kw * line, line, x.itemsize))


def _input_cotangent(dy: np.ndarray, w: np.ndarray, g: _Geometry) -> np.ndarray:
    """Return dx of dy (oh, c_out, ow n): the forward pass read backwards.

    Image row i stride + u takes w[u] dy[i]. Write u = m stride + s: rows of one remainder s take a window of M rows
    of dy, as the forward pass does, with the kernel's rows m in reverse; so the remainders s are so many more output
    rows of one product. Columns are written side by side, as they were expanded, with M - 1 zeros between them;
    then the diagonals of that array are the columns that fall together, and are summed.
    """
    rows_per, columns_per = -(-g.kh // g.sh), -(-g.kw // g.sw)  # M for rows and for columns
    first, last = g.top // g.sh, -(-(g.top + g.h) // g.sh)  # of the image's rows, in strides
    width = max(g.ow + columns_per - 1, -(-(g.left + g.w) // g.sw))  # of the image with its padding, in strides
    kernel = np.zeros((rows_per * g.sh, columns_per * g.sw, g.c, g.c_out), w.dtype)
    kernel[: g.kh, : g.kw] = w
    kernel = kernel.reshape(rows_per, g.sh, columns_per * g.sw, g.c, g.c_out)[::-1].transpose(1, 3, 2, 0, 4)

    padded = np.zeros((rows_per - 1 + max(last, g.oh), g.c_out, g.ow * g.n), dy.dtype)
    padded[rows_per - 1 : rows_per - 1 + g.oh] = dy
    shape = (last - first, rows_per * g.c_out, g.ow * g.n)
    windows = np.ndarray(shape, dy.dtype, padded, offset=first * padded.strides[0], strides=padded.strides)

    expanded = np.empty((last - first, g.sh, g.c, columns_per, g.sw, width, g.n), dy.dtype)
    height = g.sh * g.c * columns_per * g.sw
    stack = expanded.reshape(last - first, height, width * g.n)
    stack[:, :, g.ow * g.n :] = 0.0
    # (sh c kw, M c_out) @ (M c_out, ow n)
    _multiply(kernel.reshape(height, rows_per * g.c_out), windows, stack[:, :, : g.ow * g.n], g)
    strides = list(expanded.strides)
    strides[3] -= strides[5]  # one kernel column further is one image column back
    diagonals = np.ndarray(expanded.shape, dy.dtype, expanded, strides=strides)
    dx = np.empty((last - first, g.sh, g.c, width, g.sw, g.n), dy.dtype)
    np.einsum("hscqrwn->hscwrn", diagonals, out=dx)
    dx, top = dx.reshape((last - first) * g.sh, g.c, width * g.sw, g.n), g.top - first * g.sh
    return dx[top : top + g.h, :, g.left : g.left + g.w].transpose(3, 0, 2, 1)


def _multiply(matrix: np.ndarray, stack: np.ndarray, out: np.ndarray, g: _Geometry) -> None:
    """Write matrix @ stack to out, (m, k) @ (rows, k, ow n), by blocks of columns that BLAS multiplies unpacked."""
    blocks = _blocks(matrix.size * g.n, g.ow)
    np.matmul(matrix, _column_blocks(stack, blocks), out=_column_blocks(out, blocks))


@lru_cache(maxsize=256)
def _blocks(work: int, columns: int) -> int:
    """Return into how many equal blocks to divide `columns` of `work` multiply-adds each: 1 where it would not help."""
    return next((d for d in range(1, MOST_BLOCKS + 1) if columns % d == 0 and work * columns <= d * UNPACKED), 1)


def _column_blocks(stack: np.ndarray, blocks: int) -> np.ndarray:
    rows, height, columns = stack.shape
    return stack.reshape(rows, height, blocks, columns // blocks).swapaxes(1, 2)
