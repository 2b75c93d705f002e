"""Wrong backwards and starts of layers with weights: convolutions (defects 2, 3 and 5) and the output layer (eq. 4).

Each function takes a right layer and returns it with one defect, so that several can be applied one after another.

- 2. The convolution's backward drops its weight and bias gradients, so it keeps its random start. Right: recorded.
- 3. The convolution's backward to its input rotates the kernel over its channel axes instead of its spatial ones, and
  pads the cotangent by k instead of k - 1. Right: both spatial axes flipped, k - 1. The layers before it receive the
  gradient of another kernel, shifted by a pixel.
- 5. Convolution weights are drawn from N(0, 2 / c_in) and all biases from N(0, 1). Right: the fan-in is c_in k^2 (here
  Glorot's rule, for the sigmoid), zero biases. Sums are k times too large, and sigmoids saturate.
- eq. 4. The hidden layer's cotangent is dw2 dy in place of w2^T dy: it uses the gradient of the weights in place of the
  weights themselves.
"""

from __future__ import annotations

import math

import numpy as np

import functional_nn as fnn
from functional_nn import layers, tree


@fnn.constructor
def without_weight_gradients(layer: fnn.Layer) -> fnn.Layer:
    """Return `layer` with zeros for the gradients of its own parameters (defect 2)."""

    def vjp(params, x, *, key=None, wrt_x=True):
        if not wrt_x:  # then there is nothing to compute
            return layer.apply(params, x), lambda dy: (tree.zeros_like(params), None)
        y, pullback = layer.vjp(params, x, key=key)
        return y, lambda dy: (tree.zeros_like(params), pullback(dy)[1])

    return layer.replace(name=f"{layer.name}_without_weight_gradients", vjp=vjp)


@fnn.constructor
def rotated_over_channels(conv: fnn.Layer) -> fnn.Layer:
    """Return the convolution with defect 3 in its backward to the input; square kernel, stride 1, no padding.

    dx[i, j, c] = sum over u, v, o of dy, padded by k, [i + u, j + v, o] w[u, v, C - 1 - c, O - 1 - o].
    """

    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = conv.vjp(params, x, key=key, wrt_x=False)

        def wrong_pullback(dy):
            return pullback(dy)[0], _rotated(conv, params["w"], x, dy) if wrt_x else None

        return y, wrong_pullback

    return conv.replace(name=f"{conv.name}_rotated_over_channels", vjp=vjp)


def _rotated(conv: fnn.Layer, w: np.ndarray, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    k, channels = w.shape[0], w.shape[2]
    if k < 2 or w.shape[1] != k or dy.shape[1:3] != (x.shape[1] - k + 1, x.shape[2] - k + 1):
        raise ValueError(f"{conv!r}: expected a square kernel, stride 1 and no padding, as the report has them")
    rotated = {"w": w[:, :, ::-1, ::-1].swapaxes(2, 3), "b": np.zeros(channels, w.dtype)}
    return layers.conv2d(channels, k, padding=((k, k - 2), (k, k - 2))).apply(rotated, dy)  # k on all sides, cut to x


@fnn.constructor
def backward_through_dw(dense: fnn.Layer) -> fnn.Layer:
    """Return the dense layer with dx = dy dw^T in place of dy w^T (eq. 4)."""

    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = dense.vjp(params, x, key=key, wrt_x=False)

        def wrong_pullback(dy):
            dparams, _ = pullback(dy)
            return dparams, dy @ dparams["w"].T if wrt_x else None  # (n, d_out) @ (d_out, d_in)

        return y, wrong_pullback

    return dense.replace(name=f"{dense.name}_backward_through_dw", vjp=vjp)


@fnn.constructor
def drawn_too_wide(layer: fnn.Layer) -> fnn.Layer:
    """Return `layer` with biases from N(0, 1) and, if it is a convolution, weights from N(0, 2 / c_in) (defect 5)."""

    def init(rng, input_shape):
        params = layer.init(rng, input_shape)
        if params["w"].ndim == 4:
            channels = params["w"].shape[2]
            params["w"] = math.sqrt(2.0 / channels) * rng.standard_normal(params["w"].shape, np.float32)
        return params | {"b": rng.standard_normal(params["b"].shape, np.float32)}

    return layer.replace(name=f"{layer.name}_drawn_too_wide", init=init)
