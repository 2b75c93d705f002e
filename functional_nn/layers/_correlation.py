"""The arithmetic of two-dimensional correlation, which `conv2d` and `conv2d_transpose` share.

    y[n, i, j, o] = sum over u, v, c of  x[n, i stride + u, j stride + v, c] w[u, v, c, o]

`correlate` computes it. It is linear in x and in w; `input_cotangent` and `kernel_cotangent` are the two adjoints.

How it is computed. Images are (n, h, w, c) to the caller; in memory they lie as (h, c, w, n), batch innermost, which
is how they come out of here (as a transposed view), so that a stack of layers never transposes. One axis of the kernel
is expanded: for each of the kw columns v, the columns v, v + stride, ... of x are copied side by side. In the expanded
array the rows i .. i + kh are one contiguous matrix, so all windows of output row i are read in place, and row blocks
overlap:

      expanded, one line an image row         the matrix of output row 1 (kh = 3)
      row 0   [c kw, ow n]
      row 1   [c kw, ow n]  \\
      row 2   [c kw, ow n]   }----------->    (kh c kw, ow n)  =  w^T (c_out, kh c kw) @ it  ->  y row 1
      row 3   [c kw, ow n]  /                                     as (c_out, ow n)
      row 4   [c kw, ow n]

Each product is small enough for the second-level cache, and memory grows by kw, not kh kw.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from functional_nn.arguments import Padding, Pair, as_margins, as_pair
from functional_nn.blas import multiplies_unpacked
from functional_nn.layer import Params, Shape, ShapeError
from functional_nn.layers._windows import windows_along

UNPACKED = 10**6  # multiply-adds: OpenBLAS multiplies smaller matrices where they lie, larger ones it copies first
FEW_FILTERS = 8  # up to which a product has too few rows for BLAS's packed kernels, and two output rows go together
MOST_BLOCKS = 4  # narrower blocks than that cost more than the copy


class Geometry(NamedTuple):
    """Sizes of a correlation: of x, of the kernel, its strides and margins, and of the output."""

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

    @property
    def window_rows(self) -> int:
        """How many rows of x the output rows of one product see."""
        return self.kh + (self.together - 1) * self.sh


def check_weights(params: Params, x: np.ndarray, kernel: Pair, filters: int, groups: int = 1) -> None:
    """Raise `ShapeError` unless x are images and w (kh, kw, c / groups, filters) and b (filters,) fit them."""
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


@lru_cache(maxsize=256)  # a few shapes come at every step
def geometry(x_shape: Shape, w_shape: Shape, stride: Pair, padding: Padding) -> Geometry:
    """Return the sizes for x (n, h, w, c) and w (kh, kw, c, c_out); raises `ShapeError` where no window fits."""
    (n, h, w, c), (kh, kw, _, c_out) = x_shape, w_shape
    (sh, sw), ((top, bottom), (left, right)) = as_pair(stride), as_margins(padding)
    padded_h, padded_w = top + h + bottom, left + w + right
    oh = windows_along("height", padded_h, kh, sh)
    ow = windows_along("width", padded_w, kw, sw)
    together = 2 if c_out <= FEW_FILTERS and oh % 2 == 0 and not multiplies_unpacked() else 1
    return Geometry(n, h, w, c, c_out, kh, kw, sh, sw, top, left, padded_h, padded_w, oh, ow, together)


def as_rows(image: np.ndarray) -> np.ndarray:
    """Return images (n, h, w, c) as rows (h, c, w n): a view where they are from a convolution."""
    n, h, w, c = image.shape
    return _batch_innermost(image).reshape(h, c, w * n)


def as_image(rows: np.ndarray, g: Geometry) -> np.ndarray:
    """Return the output's rows (oh, c_out, ow n) as the images (n, oh, ow, c_out): a view."""
    return rows.reshape(g.oh, g.c_out, g.ow, g.n).transpose(3, 0, 2, 1)


def image_windows(x: np.ndarray, g: Geometry) -> np.ndarray:
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
    shape = (g.oh // g.together, g.window_rows * g.c * g.kw, g.ow * g.n)
    return np.ndarray(shape, x.dtype, expanded, strides=(g.together * g.sh * g.c * g.kw * line, line, x.itemsize))


def _batch_innermost(x: np.ndarray) -> np.ndarray:
    """Return images (n, h, w, c) as an array (h, c, w, n): a view where they are from a convolution.

    Images whose sizes are powers of two lie a multiple of 4,096 bytes apart, on the same lines of the cache. They are
    copied to rows a little longer first.
    """
    rows = x.transpose(1, 3, 2, 0)
    n, h, w, c = x.shape
    if n > 1 and x.strides[0] % 4096 == 0 and not rows.flags.c_contiguous:
        entries, item = h * w * c, x.itemsize
        spread = np.empty((n, entries + 64 // item), x.dtype)
        spread[:, :entries].reshape(n, h, w, c)[...] = x
        rows = np.ndarray((h, c, w, n), x.dtype, spread, strides=(w * c * item, item, c * item, spread.strides[0]))
    return np.ascontiguousarray(rows)


def correlate(windows: np.ndarray, w: np.ndarray, g: Geometry) -> np.ndarray:
    """Return the output's rows (oh, c_out, ow n) for the windows of x."""
    y = np.empty((g.oh, g.c_out, g.ow * g.n), windows.dtype)
    # (c_out, kh c kw) @ (kh c kw, ow n), or twice as many rows of both
    _multiply(_banded(w, g), windows, y.reshape(g.oh // g.together, g.together * g.c_out, g.ow * g.n), g)
    return y


def _banded(w: np.ndarray, g: Geometry) -> np.ndarray:
    """Return the kernel as a matrix (c_out, kh c kw); for two output rows twice, [w 0] over [0 w], a stride apart."""
    matrix = w.transpose(3, 0, 2, 1).reshape(g.c_out, -1)
    if g.together == 1:
        return matrix
    banded = np.zeros((g.together, g.c_out, g.window_rows, g.c * g.kw), w.dtype)
    for i in range(g.together):
        banded[i, :, i * g.sh : i * g.sh + g.kh] = matrix.reshape(g.c_out, g.kh, -1)
    return banded.reshape(g.together * g.c_out, -1)


def kernel_cotangent(windows: np.ndarray, dy: np.ndarray, g: Geometry) -> np.ndarray:
    """Return dw (kh, kw, c, c_out), a view, for the windows of x and the rows dy (oh, c_out, ow n).

    Of a banded kernel, the gradients of its copies add up.
    """
    dy = dy.reshape(g.oh // g.together, g.together * g.c_out, g.ow * g.n)
    dw = np.matmul(windows, dy.transpose(0, 2, 1)).sum(axis=0)  # (kh c kw, ow n) @ (ow n, c_out)
    bands = dw.reshape(g.window_rows, g.c, g.kw, g.together, g.c_out)
    dw = bands[: g.kh, ..., 0, :]
    for i in range(1, g.together):
        dw = dw + bands[i * g.sh : i * g.sh + g.kh, ..., i, :]
    return dw.transpose(0, 2, 1, 3)


def bias_cotangent(dy: np.ndarray) -> np.ndarray:
    """Return db (c,): the sums over all positions and examples of the rows dy (h, c, w n)."""
    return (dy @ np.ones(dy.shape[2], dy.dtype)).sum(axis=0)


class _Reverse(NamedTuple):
    """Sizes of the backward pass to the input, in strides: the kernel's, and those of the image with its padding."""

    kernel_rows: int
    kernel_columns: int
    first: int
    rows: int
    columns: int


@lru_cache(maxsize=256)
def _reverse(g: Geometry) -> _Reverse:
    kernel_rows, kernel_columns = -(-g.kh // g.sh), -(-g.kw // g.sw)
    first, last = g.top // g.sh, -(-(g.top + g.h) // g.sh)
    columns = max(g.ow + kernel_columns - 1, -(-(g.left + g.w) // g.sw))
    return _Reverse(kernel_rows, kernel_columns, first, last - first, columns)


def input_cotangent(dy: np.ndarray, w: np.ndarray, g: Geometry) -> np.ndarray:
    """Return dx (n, h, w, c), a view, for the rows dy (oh, c_out, ow n): the forward pass read backwards.

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


def _multiply(matrix: np.ndarray, stack: np.ndarray, out: np.ndarray, g: Geometry) -> None:
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
