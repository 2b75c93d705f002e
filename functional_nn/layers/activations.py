"""Elementwise activations: y = f(x), dx = f'(x) dy, for arrays of any shape.

Those without configuration are layers themselves: `layers.relu`, not `layers.relu()`. Each is written as a function of
x that returns y and `slope`, which computes f'(x) and stands right under the y that it belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from functional_nn.arguments import finite
from functional_nn.layer import Layer, Params, Pullback
from functional_nn.value import constructor, named

Slope = Callable[[], np.ndarray]
Function = Callable[[np.ndarray], tuple[np.ndarray, Slope]]
GELU = math.sqrt(2.0 / math.pi)


def elementwise(name: str, function: Function, monotone: bool = False) -> Layer:
    """Return the layer y of `function(x) -> (y, slope)`, with the pullback dy -> slope() dy."""

    def vjp(params: Params, x: np.ndarray, *, key: object = None, wrt_x: bool = True) -> tuple[np.ndarray, Pullback]:
        y, slope = function(x)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            if not wrt_x:
                return {}, None
            dx = slope()  # a new array, in the memory order of x
            dx *= dy
            return {}, dx

        return y, pullback

    return Layer(name, vjp=vjp, monotone=monotone)


def activation(function: Function) -> Layer:
    """Decorate a function of x: its name then stands for the elementwise layer of it."""
    return named(function, elementwise(function.__name__, function))


def rising(function: Function) -> Layer:
    """Decorate as `activation` does a function that never falls."""
    return named(function, elementwise(function.__name__, function, monotone=True))


@rising
def sigmoid(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = 1 / (1 + exp(-x)), y' = y (1 - y).

    >>> layers.sigmoid.apply({}, np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    y = _one_plus_exp(x)
    np.divide(1.0, y, out=y)

    def slope() -> np.ndarray:
        dydx = 1.0 - y
        dydx *= y
        return dydx

    return y, slope


@rising
def tanh(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = tanh(x), y' = 1 - y^2.

    >>> y, pullback = layers.tanh.vjp({}, np.array([0.0, 1.0]))
    >>> y.round(3), pullback(np.ones(2))[1].round(3)
    (array([0.   , 0.762]), array([1.  , 0.42]))
    """
    y = np.tanh(x)

    def slope() -> np.ndarray:
        return _one_minus_square(y)

    return y, slope


@rising
def scaled_tanh(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = 1.7159 tanh(2 x / 3), so that f(1) = 1 and f(-1) = -1 (LeCun et al. 1998, Appendix A).

    >>> layers.scaled_tanh.apply({}, np.array([-1.0, 0.0, 1.0])).round(4)
    array([-1.,  0.,  1.])
    """
    t = x * (2.0 / 3.0)
    np.tanh(t, out=t)

    def slope() -> np.ndarray:
        dydx = _one_minus_square(t)
        dydx *= 1.7159 * 2.0 / 3.0
        return dydx

    return 1.7159 * t, slope


@rising
def relu(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = max(x, 0), y' = 1 where x > 0, else 0 (at 0 too) (Nair and Hinton 2010).

    >>> y, pullback = layers.relu.vjp({}, np.array([-1.0, 0.0, 2.0]))
    >>> y, pullback(np.ones(3))
    (array([0., 0., 2.]), ({}, array([0., 0., 1.])))
    """
    y = np.maximum(x, 0.0)

    def slope() -> np.ndarray:
        return (y > 0.0).astype(y.dtype)

    return y, slope


@constructor(slope=finite)
def leaky_relu(slope: float) -> Layer:
    """Return the layer y = x where x > 0, else slope x; at 0 the derivative is slope (Maas et al. 2013).

    Raises `ValueError` unless slope is a finite number.

    >>> y, pullback = layers.leaky_relu(0.1).vjp({}, np.array([-1.0, 0.0, 2.0]))
    >>> y, pullback(np.ones(3))
    (array([-0.1,  0. ,  2. ]), ({}, array([0.1, 0.1, 1. ])))
    """

    def function(x: np.ndarray) -> tuple[np.ndarray, Slope]:
        positive = x > 0.0

        def derivative() -> np.ndarray:
            dydx = positive.astype(x.dtype)
            dydx[~positive] = slope
            return dydx

        return np.where(positive, x, slope * x), derivative

    return elementwise("leaky_relu", function, monotone=slope >= 0.0)


@activation
def silu(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = x s(x), y' = s + y (1 - s), s the sigmoid (Elfwing et al. 2018, eq. 5); also known as swish.

    The equal y + s (1 - y) loses all digits where y is large.

    >>> layers.silu.apply({}, np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.2689,  0.    ,  0.7311])
    """
    denominator = _one_plus_exp(x)
    y = x / denominator

    def slope() -> np.ndarray:
        s = 1.0 / denominator
        dydx = 1.0 - s
        dydx *= y
        dydx += s
        return dydx

    return y, slope


@activation
def gelu(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = x (1 + tanh(u)) / 2 = x s(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3) (Hendrycks and Gimpel 2016, section 2).

    y' = s + x s (1 - s) sqrt(2 / pi) (2 + 0.26829 x^2), s the sigmoid of 2 u. It is the usual form without erf, at most
    5e-4 from x Phi(x). Beyond +-10 s is 0 or 1 but for rounding, so x is held there before it is cubed.

    >>> layers.gelu.apply({}, np.array([-1.0, 0.0, 1.0])).round(4)
    array([-0.1588,  0.    ,  0.8412])
    """
    held = np.clip(x, -10.0, 10.0)
    square = held * held
    s = square * (2.0 * 0.044715 * GELU)
    s += 2.0 * GELU
    s *= held
    s = _one_plus_exp(s)
    np.divide(1.0, s, out=s)

    def slope() -> np.ndarray:
        dydx = square * (6.0 * 0.044715 * GELU)
        dydx += 2.0 * GELU
        dydx *= held
        dydx *= 1.0 - s
        dydx += 1.0
        dydx *= s
        return dydx

    return x * s, slope


@rising
def softplus(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = log(1 + exp(x)), y' = sigmoid(x) (Dugas et al. 2001).

    >>> layers.softplus.apply({}, np.array([-1000.0, 0.0, 10.0])).round(4)
    array([ 0.    ,  0.6931, 10.    ])
    """

    def slope() -> np.ndarray:
        return 1.0 / _one_plus_exp(x)

    return np.logaddexp(x, 0.0), slope


@rising
def asinh_unit(x: np.ndarray) -> tuple[np.ndarray, Slope]:
    """y = asinh(x) / 5 + 1/2, y' = 1 / (5 sqrt(1 + x^2)): the report's own activation as its author ran it.

    >>> layers.asinh_unit.apply({}, np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.3237, 0.5   , 0.6763])
    """
    y = np.arcsinh(x)
    y *= 0.2
    y += 0.5

    def slope() -> np.ndarray:
        return 0.2 / np.hypot(x, 1.0)

    return y, slope


def _one_plus_exp(x: np.ndarray) -> np.ndarray:
    """Return 1 + exp(-x), infinite for very negative x: what is divided by it is 0 then, as it should be."""
    y = np.negative(x)
    with np.errstate(over="ignore"):
        np.exp(y, out=y)
    y += 1.0
    return y


def _one_minus_square(t: np.ndarray) -> np.ndarray:
    d = t * t
    np.subtract(1.0, d, out=d)
    return d
