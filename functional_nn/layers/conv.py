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

from functional_nn.arguments import Padding, Pair, as_margins, as_pair, count, padding, pair
from functional_nn.blas import multiplies_unpacked
from functional_nn.initializers import glorot_uniform, zeros
from functional_nn.layer import Init, Layer, Params, Pullback, Shape, ShapeError, check_image
from functional_nn.layers._windows import windows_along
from functional_nn.layers.conv_groups import check_groups, grouped_vjp, spread_size
from functional_nn.value import constructor

UNPACKED = 10**6  # multiply-adds: OpenBLAS multiplies smaller matrices where they lie, larger ones it copies first
FEW_FILTERS = 8  # up to which a product has too few rows for BLAS's packed kernels, and two output rows go together
MOST_BLOCKS = 4  # narrower blocks than that cost more than the copy


@constructor(filters=count, kernel=pair, stride=pair, padding=padding, groups=count, dilation=pair)
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
    `conv_groups.py`; kh stands for the height with holes, (kh - 1) dilation + 1. The pullback keeps the expanded input,
    kw / stride times the size of x. Raises `ValueError` for a bad argument, for groups that divide the channels or
    filters unevenly, and for an input that is no image or smaller than the kernel.
    """
    is_plain = groups == 1 and dilation == 1

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        check_image(input_shape)
        check_groups(input_shape[2], filters, groups)
        w_shape = (*as_pair(kernel), input_shape[2] // groups, filters)
        return {"w": w_init(rng, w_shape), "b": b_init(rng, (filters,))}

    def output_shape(input_shape: Shape) -> Shape:
        check_image(input_shape)
        check_groups(input_shape[2], filters, groups)
        g = _geometry((0, *input_shape), (*spread_size(kernel, dilation), input_shape[2], filters), stride, padding)
        return (g.oh, g.ow, filters)

    def check(params: Params, x: np.ndarray) -> None:
        w, b = params["w"], params["b"]
        if x.ndim != 4:
            remedy = ": give one image as a batch, x[np.newaxis]" if x.ndim == 3 else ""
            raise ShapeError(f"x has shape {x.shape}, expected images (n, height, width, channels){remedy}")
        if w.ndim == 4 and x.shape[3] != groups * w.shape[2]:
            channels = groups * w.shape[2]
            remedy = "; channels come last: x.transpose(0, 2, 3, 1)" if x.shape[1] == channels else ""
            raise ShapeError(f"x has {x.shape[3]} channels, w expects {channels}{remedy}")
        expected = (*as_pair(kernel), x.shape[3] // groups, filters)
        if w.shape != expected or b.shape != (filters,):
            raise ShapeError(f"w has shape {w.shape}, b {b.shape}; expected {expected} and ({filters},)")

    def plain_vjp(params: Params, x: np.ndarray, wrt_x: bool) -> tuple[np.ndarray, Pullback]:
        y, windows, g = _forward(params, x, stride, padding)
        w = params["w"]

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            rows = _batch_innermost(dy).reshape(g.oh, g.c_out, g.ow * g.n)
            dw = _kernel_cotangent(windows, rows, g)
            db = (rows @ np.ones(g.ow * g.n, rows.dtype)).sum(axis=0)
            return {"w": dw, "b": db}, _input_cotangent(rows, w, g) if wrt_x else None

        return y, pullback

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        if not is_plain:
            return vjp(params, x, wrt_x=False)[0]
        check(params, x)
        return _forward(params, x, stride, padding)[0]

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        check(params, x)
        if is_plain:
            return plain_vjp(params, x, wrt_x)
        return grouped_vjp(partial(plain_vjp, wrt_x=wrt_x), params, x, groups, dilation)

    return Layer("conv2d", init=init, output_shape=output_shape, apply=apply, vjp=vjp, parameters=("w", "b"))


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
    together: int  # output rows that one product computes


@lru_cache(maxsize=256)  # a few shapes come at every step
def _geometry(x_shape: Shape, w_shape: Shape, stride: Pair, padding: Padding) -> _Geometry:
    (n, h, w, c), (kh, kw, _, c_out) = x_shape, w_shape
    (sh, sw), ((top, bottom), (left, right)) = as_pair(stride), as_margins(padding)
    padded_h, padded_w = top + h + bottom, left + w + right
    oh = windows_along("height", padded_h, kh, sh)
    ow = windows_along("width", padded_w, kw, sw)
    together = 2 if c_out <= FEW_FILTERS and oh % 2 == 0 and not multiplies_unpacked() else 1
    return _Geometry(n, h, w, c, c_out, kh, kw, sh, sw, top, left, padded_h, padded_w, oh, ow, together)


def _forward(params: Params, x: np.ndarray, stride: Pair, padding: Padding) -> tuple[np.ndarray, np.ndarray, _Geometry]:
    w, b = params["w"], params["b"]
    g = _geometry(x.shape, w.shape, stride, padding)
    windows = _windows(x, g)
    y = np.empty((g.oh, g.c_out, g.ow * g.n), x.dtype)
    # (c_out, kh c kw) @ (kh c kw, ow n), or twice as many rows of both
    _multiply(_banded(w, g), windows, y.reshape(g.oh // g.together, g.together * g.c_out, g.ow * g.n), g)
    y += b[:, None]
    return y.reshape(g.oh, g.c_out, g.ow, g.n).transpose(3, 0, 2, 1), windows, g


def _windows(x: np.ndarray, g: _Geometry) -> np.ndarray:
    """Return the matrices (oh, kh c kw, ow n) of the drawing above: a view of overlapping rows, not to be written.

    Where two output rows go together they are (oh / 2, (kh + stride) c kw, ow n).
    """
    rows = _batch_innermost(x)
    if (g.h, g.w) != (g.padded_h, g.padded_w):
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
    shape = (g.oh // g.together, _window_rows(g) * g.c * g.kw, g.ow * g.n)
    return np.ndarray(shape, x.dtype, expanded, strides=(g.together * g.sh * g.c * g.kw * line, line, x.itemsize))


def _window_rows(g: _Geometry) -> int:
    """Return how many image rows the output rows of one product see."""
    return g.kh + (g.together - 1) * g.sh


def _banded(w: np.ndarray, g: _Geometry) -> np.ndarray:
    """Return the kernel as a matrix (c_out, kh c kw); for two output rows twice, [w 0] over [0 w], a stride apart."""
    matrix = w.transpose(3, 0, 2, 1).reshape(g.c_out, -1)
    if g.together == 1:
        return matrix
    banded = np.zeros((g.together, g.c_out, _window_rows(g), g.c * g.kw), w.dtype)
    for i in range(g.together):
        banded[i, :, i * g.sh : i * g.sh + g.kh] = matrix.reshape(g.c_out, g.kh, -1)
    return banded.reshape(g.together * g.c_out, -1)


def _kernel_cotangent(windows: np.ndarray, rows: np.ndarray, g: _Geometry) -> np.ndarray:
    """Return dw (kh, kw, c, c_out) of dy (oh, c_out, ow n): that of the banded kernel, whose copies add up."""
    rows = rows.reshape(g.oh // g.together, g.together * g.c_out, g.ow * g.n)
    dw = np.matmul(windows, rows.transpose(0, 2, 1)).sum(axis=0)  # (kh c kw, ow n) @ (ow n, c_out)
    bands = dw.reshape(_window_rows(g), g.c, g.kw, g.together, g.c_out)
    dw = bands[: g.kh, ..., 0, :]
    for i in range(1, g.together):
        dw = dw + bands[i * g.sh : i * g.sh + g.kh, ..., i, :]
    return np.ascontiguousarray(dw.transpose(0, 2, 1, 3))


def _batch_innermost(x: np.ndarray) -> np.ndarray:
    """Return images (n, h, w, c) as an array (h, c, w, n): a view where x came from a convolution.

    Images whose sizes are powers of two lie a multiple of 4,096 bytes apart, on the same lines of the cache. They are
    copied to rows a little longer first.
    """
    rows = x.transpose(1, 3, 2, 0)
    n, h, w, c = x.shape
    if n > 1 and x.strides[0] % 4096 == 0 and not rows.flags.c_contiguous:
        entries = h * w * c
        spread = np.empty((n, entries + 64 // x.itemsize), x.dtype)
        spread[:, :entries].reshape(n, h, w, c)[...] = x
        item = x.itemsize
        rows = np.ndarray((h, c, w, n), x.dtype, spread, strides=(w * c * item, item, c * item, spread.strides[0]))
    return np.ascontiguousarray(rows)


class _Reverse(NamedTuple):
    """Sizes of the backward pass to the input, in strides: the kernel's, and those of the image with its padding."""

    kernel_rows: int
    kernel_columns: int
    first: int
    rows: int
    columns: int


@lru_cache(maxsize=256)
def _reverse(g: _Geometry) -> _Reverse:
    kernel_rows, kernel_columns = -(-g.kh // g.sh), -(-g.kw // g.sw)
    first, last = g.top // g.sh, -(-(g.top + g.h) // g.sh)
    columns = max(g.ow + kernel_columns - 1, -(-(g.left + g.w) // g.sw))
    return _Reverse(kernel_rows, kernel_columns, first, last - first, columns)


def _input_cotangent(dy: np.ndarray, w: np.ndarray, g: _Geometry) -> np.ndarray:
    """Return dx of dy (oh, c_out, ow n): the forward pass read backwards.

    Image row i stride + u takes w[u] dy[i]. Write u = m stride + s. Then the image's rows of one remainder s take
    windows of rows of dy, as the forward pass takes windows of x, with the kernel's rows m in reverse order; the
    remainders s count as more output rows of one product. The product gives each kernel column apart. Kernel column v
    belongs v columns further right in the image: `_sum_shifted` puts the columns there and adds them up.
    """
    r = _reverse(g)
    kernel = np.zeros((r.kernel_rows * g.sh, r.kernel_columns * g.sw, g.c, g.c_out), w.dtype)
    kernel[: g.kh, : g.kw] = w
    kernel = kernel.reshape(r.kernel_rows, g.sh, r.kernel_columns * g.sw, g.c, g.c_out)[::-1].transpose(1, 3, 2, 0, 4)

    before = r.kernel_rows - 1  # rows of zeros, for the windows that begin above dy
    padded = np.zeros((before + max(r.first + r.rows, g.oh), g.c_out, g.ow * g.n), dy.dtype)
    padded[before : before + g.oh] = dy
    shape = (r.rows, r.kernel_rows * g.c_out, g.ow * g.n)
    windows = np.ndarray(shape, dy.dtype, padded, offset=r.first * padded.strides[0], strides=padded.strides)

    expanded = np.empty((r.rows, g.sh, g.c, r.kernel_columns, g.sw, r.columns, g.n), dy.dtype)
    height = g.sh * g.c * r.kernel_columns * g.sw
    stack = expanded.reshape(r.rows, height, r.columns * g.n)
    stack[:, :, g.ow * g.n :] = 0.0
    # (sh c kw, kernel_rows c_out) @ (kernel_rows c_out, ow n)
    _multiply(kernel.reshape(height, r.kernel_rows * g.c_out), windows, stack[:, :, : g.ow * g.n], g)
    dx = _sum_shifted(expanded).reshape(r.rows * g.sh, g.c, r.columns * g.sw, g.n)
    top = g.top - r.first * g.sh
    return dx[top : top + g.h, :, g.left : g.left + g.w].transpose(3, 0, 2, 1)


def _sum_shifted(expanded: np.ndarray) -> np.ndarray:
    """Return the sum over the kernel's columns v (axis 3), each moved v columns to the right (axis 5).

    (rows, sh, c, v, sw, columns, n) -> (rows, sh, c, columns, sw, n). One view with other strides moves them all,
    and einsum adds them up: what it reads before the start of a line are the zeros at the end of the line before.
    """
    rows, sh, c, _, sw, columns, n = expanded.shape
    strides = list(expanded.strides)
    strides[3] -= strides[5]
    shifted = np.ndarray(expanded.shape, expanded.dtype, expanded, strides=strides)
    return np.einsum("hscvrwn->hscwrn", shifted, out=np.empty((rows, sh, c, columns, sw, n), expanded.dtype))


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
