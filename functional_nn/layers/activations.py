"""Elementwise activations: y = f(x), dx = f'(x) dy, one value a function, for arrays of any shape.

Each function of x here returns y and `slope`, which computes f'(x), right under the y that it belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from functional_nn.layer import Layer, Params, Pullback, check_cotangent, check_floats, check_params, configured
from functional_nn.layers._arguments import finite

Slope = Callable[[], np.ndarray]
Activation = Callable[..., tuple[np.ndarray, Slope]]
GELU = math.sqrt(2.0 / math.pi)


def sigmoid_function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2, y' = y (1 - y).

    The second form is faster, cannot overflow, and is exact to the dtype's absolute precision.
    """
    y = _sigmoid(x)

    def slope() -> np.ndarray:
        dydx = 1.0 - y
        dydx *= y
        return dydx

    return y, slope


def tanh_function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = tanh(x), y' = 1 - y^2."""
    y = np.tanh(x)

    def slope() -> np.ndarray:
        return _one_minus_square(y)

    return y, slope


def scaled_tanh_function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = 1.7159 tanh(2 x / 3), so that f(1) = 1 and f(-1) = -1 (LeCun et al. 1998, Appendix A)."""
    t = x * (2.0 / 3.0)
    np.tanh(t, out=t)

    def slope() -> np.ndarray:
        dydx = _one_minus_square(t)
        dydx *= 1.7159 * 2.0 / 3.0
        return dydx

    return 1.7159 * t, slope


def relu_function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = max(x, 0), y' = 1 where x > 0, else 0 (at 0 too) (Nair and Hinton 2010)."""
    y = np.maximum(x, 0.0)

    def slope() -> np.ndarray:
        return (y > 0.0).astype(y.dtype)

    return y, slope


def leaky_relu_function(x: np.ndarray, *, negative_slope: float) -> tuple[np.ndarray, Slope]:
    """y = x where x > 0, else negative_slope x; at 0 the derivative is negative_slope (Maas et al. 2013)."""
    positive = x > 0.0

    def slope() -> np.ndarray:
        dydx = positive.astype(x.dtype)
        dydx[~positive] = negative_slope
        return dydx

    return np.where(positive, x, negative_slope * x), slope


def silu_function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = x s(x), y' = s + y (1 - s), s the sigmoid (Elfwing et al. 2018, eq. 5); also known as swish.

    The equal y + s (1 - y) loses all digits where y is large.
    """
    s = _sigmoid(x)
    y = x * s

    def slope() -> np.ndarray:
        dydx = 1.0 - s
        dydx *= y
        dydx += s
        return dydx

    return y, slope


def gelu_function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = x (1 + t) / 2, t = tanh(sqrt(2 / pi) (x + 0.044715 x^3)) (Hendrycks and Gimpel 2016, section 2).

    y' = (1 + t) / 2 + x (1 - t^2) sqrt(2 / pi) (1 + 0.134145 x^2) / 2. It is the usual form without erf, at most 5e-4
    from x Phi(x). Beyond +-10 t is +-1 in float64 too, so x is held there before it is cubed.
    """
    held = np.clip(x, -10.0, 10.0)
    square = held * held
    t = square * (0.044715 * GELU)
    t += GELU
    t *= held
    np.tanh(t, out=t)
    y = 0.5 * x
    y += y * t

    def slope() -> np.ndarray:
        dydx = square * (0.5 * 0.134145 * GELU)
        dydx += 0.5 * GELU
        dydx *= held
        dydx *= _one_minus_square(t)
        dydx += 0.5
        dydx += 0.5 * t
        return dydx

    return y, slope


def softplus_function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = log(1 + exp(x)), y' = sigmoid(x) (Dugas et al. 2001)."""

    def slope() -> np.ndarray:
        return _sigmoid(x)

    return np.logaddexp(x, 0.0), slope


def asinh_unit_function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = asinh(x) / 5 + 1/2, y' = 1 / (5 sqrt(1 + x^2)): the report's own activation as its author ran it."""
    y = np.arcsinh(x)
    y *= 0.2
    y += 0.5

    def slope() -> np.ndarray:
        return 0.2 / np.hypot(x, 1.0)

    return y, slope


def apply(params: Params, x: np.ndarray, *, name: str, function: Activation) -> np.ndarray:
    """Return y = function(x), of the shape of x."""
    check_params(name, params)
    check_floats(name, x)
    return function(x)[0]


def vjp(
    params: Params, x: np.ndarray, *, name: str, function: Activation, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return y and the pullback dy -> ({}, function'(x) dy)."""
    check_params(name, params)
    check_floats(name, x)
    y, slope = function(x)
    shape, dtype = y.shape, y.dtype

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent(name, dy, shape, dtype)
        if not wrt_x:
            return {}, None
        dx = slope()  # a new array, in the memory order of x
        dx *= dy
        return {}, dx

    return y, pullback


def _sigmoid(x: np.ndarray) -> np.ndarray:
    y = x * 0.5
    np.tanh(y, out=y)
    y *= 0.5
    y += 0.5
    return y


def _one_minus_square(t: np.ndarray) -> np.ndarray:
    d = t * t
    np.subtract(1.0, d, out=d)
    return d


def _activation(name: str, function: Activation) -> Layer:
    return Layer(
        name, apply=partial(apply, name=name, function=function), vjp=partial(vjp, name=name, function=function)
    )


sigmoid = _activation("sigmoid", sigmoid_function)
tanh = _activation("tanh", tanh_function)
scaled_tanh = _activation("scaled_tanh", scaled_tanh_function)
relu = _activation("relu", relu_function)
silu = _activation("silu", silu_function)
gelu = _activation("gelu", gelu_function)
softplus = _activation("softplus", softplus_function)
asinh_unit = _activation("asinh_unit", asinh_unit_function)


def leaky_relu(slope: float) -> Layer:
    """Return the layer y = x where x > 0, else slope x; raises `ValueError` unless slope is a finite number."""
    config = {"slope": finite("leaky_relu", "slope", slope)}
    return configured("leaky_relu", config, apply=leaky_relu_apply, vjp=leaky_relu_vjp)


def leaky_relu_apply(params: Params, x: np.ndarray, *, slope: float) -> np.ndarray:
    """Return `apply` of `leaky_relu_function` with this slope."""
    return apply(params, x, name="leaky_relu", function=partial(leaky_relu_function, negative_slope=slope))


def leaky_relu_vjp(
    params: Params, x: np.ndarray, *, slope: float, key: object = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return `vjp` of `leaky_relu_function` with this slope."""
    function = partial(leaky_relu_function, negative_slope=slope)
    return vjp(params, x, name="leaky_relu", function=function, wrt_x=wrt_x)
