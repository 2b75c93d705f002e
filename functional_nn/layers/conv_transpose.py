"""Transposed convolution: the adjoint of `conv2d`, which enlarges images (Dumoulin and Visin 2016, chapter 4).

    y[n, i stride + u - top, j stride + v - left, o] = b[o] + sum over c of  x[n, i, j, c] w[u, v, c, o]

summed over all (i, j) and (u, v) that meet there. Let K be `conv2d` with the same kernel size, stride and padding,
without its bias. With w read as K's kernel (kh, kw, o, c), this layer's y is K's dx where x is K's dy. So its dx is K's
output for dy, and its dw is K's with the two images in each other's place.
"""

from __future__ import annotations

import numpy as np

from functional_nn.arguments import Padding, Pair, as_margins, as_pair, count, initializer, padding, pair
from functional_nn.initializers import glorot_uniform, zeros
from functional_nn.layer import Init, Layer, Params, Pullback, Shape, ShapeError, check_image
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
from functional_nn.value import constructor


@constructor(filters=count, kernel=pair, stride=pair, padding=padding, w_init=initializer, b_init=initializer)
def conv2d_transpose(
    filters: int,
    kernel: Pair,
    stride: Pair = 1,
    padding: Padding = 0,
    w_init: Init = glorot_uniform,
    b_init: Init = zeros,
) -> Layer:
    """Return the adjoint of `conv2d` with these arguments, x (n, h, w, c) -> y (n, oh, ow, filters).

    oh = (h - 1) stride + kh - top - bottom. Parameters: w (kh, kw, c, filters), not flipped, b (filters,). `kernel` and
    `stride` are ints or (height, width); `padding` is an int or ((top, bottom), (left, right)) and is cut off the
    output. The pullback keeps x. Raises `ValueError` for a bad argument, for an input that is no image, and where
    nothing of the output is left.

    >>> layer = layers.conv2d_transpose(1, 2, stride=2)
    >>> params = {"w": np.array([1.0, 2.0, 3.0, 4.0]).reshape(2, 2, 1, 1), "b": np.zeros(1)}
    >>> layer.apply(params, np.array([[[[1.0], [10.0]]]]))[0, :, :, 0]  # each pixel times the kernel
    array([[ 1.,  2., 10., 20.],
           [ 3.,  4., 30., 40.]])
    """
    (kh, kw), (sh, sw), ((top, bottom), (left, right)) = as_pair(kernel), as_pair(stride), as_margins(padding)

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        check_image(input_shape)
        return {"w": w_init(rng, (kh, kw, input_shape[2], filters)), "b": b_init(rng, (filters,))}

    def output_shape(input_shape: Shape) -> Shape:
        check_image(input_shape)
        h, w, _ = input_shape
        oh, ow = (h - 1) * sh + kh - top - bottom, (w - 1) * sw + kw - left - right
        if oh < 1 or ow < 1:
            whole = (oh + top + bottom, ow + left + right)
            raise ShapeError(f"padding {padding} leaves nothing of an output of {whole[0]} x {whole[1]}: give less")
        return (oh, ow, filters)

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        w, b = params["w"], params["b"]
        check_weights(params, x, kernel, filters)
        reversed_w = w.transpose(0, 1, 3, 2)
        g = geometry((len(x), *output_shape(x.shape[1:])), reversed_w.shape, stride, padding)
        x_rows = as_rows(x)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            windows = image_windows(dy, g)
            dw = np.ascontiguousarray(kernel_cotangent(windows, x_rows, g).transpose(0, 1, 3, 2))
            dx = as_image(correlate(windows, reversed_w, g), g) if wrt_x else None
            return {"w": dw, "b": bias_cotangent(as_rows(dy))}, dx

        return input_cotangent(x_rows, reversed_w, g) + b, pullback

    return Layer(
        "conv2d_transpose", init=init, output_shape=output_shape, vjp=vjp, parameters=("w", "b"), scatters=True
    )
