"""Two-dimensional convolution (cross-correlation, as the field has it; LeCun et al. 1998, section II-A).

    y[n, i, j, o] = b[o] + sum over u, v, c of  x[n, i stride + u, j stride + v, c] w[u, v, c, o]

`_correlation.py` shows how it is computed, and the order of memory in which images come out.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from functional_nn.arguments import Padding, Pair, as_pair, count, initializer, padding, pair
from functional_nn.initializers import glorot_uniform, zeros
from functional_nn.layer import Init, Layer, Params, Pullback, Shape, check_image
from functional_nn.layers._correlation import (
    as_image,
    as_rows,
    bias_cotangent,
    check_weights,
    correlate,
    geometry,
    image_windows,
    input_cotangent,
    kernel_cotangent,
)
from functional_nn.layers.conv_groups import check_groups, grouped_vjp, spread_size
from functional_nn.value import constructor


@constructor(
    filters=count,
    kernel=pair,
    stride=pair,
    padding=padding,
    groups=count,
    dilation=pair,
    w_init=initializer,
    b_init=initializer,
)
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

    >>> layer = layers.conv2d(6, 5, padding=2)
    >>> layer.output_shape((32, 32, 1))
    (32, 32, 6)
    >>> params = layer.init(np.random.default_rng(0), (32, 32, 1))
    >>> params["w"].shape, params["b"].shape
    ((5, 5, 1, 6), (6,))
    >>> layers.conv2d(8, 3, groups=8).init(np.random.default_rng(0), (32, 32, 8))["w"].shape  # depthwise
    (3, 3, 1, 8)
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
        g = geometry((0, *input_shape), (*spread_size(kernel, dilation), input_shape[2], filters), stride, padding)
        return (g.oh, g.ow, filters)

    def plain_vjp(params: Params, x: np.ndarray, wrt_x: bool) -> tuple[np.ndarray, Pullback]:
        w, b = params["w"], params["b"]
        g = geometry(x.shape, w.shape, stride, padding)
        windows = image_windows(x, g)
        y = correlate(windows, w, g)
        y += b[:, None]

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            rows = as_rows(dy)
            dw = np.ascontiguousarray(kernel_cotangent(windows, rows, g))
            return {"w": dw, "b": bias_cotangent(rows)}, input_cotangent(rows, w, g) if wrt_x else None

        return as_image(y, g), pullback

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        check_weights(params, x, kernel, filters, groups)
        if is_plain:
            return plain_vjp(params, x, wrt_x)
        return grouped_vjp(partial(plain_vjp, wrt_x=wrt_x), params, x, groups, dilation)

    return Layer("conv2d", init=init, output_shape=output_shape, vjp=vjp, parameters=("w", "b"))
