"""Wrong derivatives of activations: the sigmoid's (defect 1, eq. 5), the hidden softmax's (7), and SiLU's (eq. 9).

- 1, eq. 5. The sigmoid's backward is x (1 - x) of the layer's input x. Right: y (1 - y) of its output y. For large |x|
  the wrong slope is large and negative where the true one is nearly zero: the units move fast in the wrong direction.
- 7. The perceptron's hidden layer takes a softmax over its units where eq. (1) has a sigmoid, with the sigmoid's
  elementwise derivative behind it. Right: the sigmoid. (A softmax's derivative would be p (dy - sum_k p_k dy_k).)
- eq. 9. SiLU's "simplified" derivative s f s of f(x) = x s(x). Right: s + f (1 - s). The report says "let
  s(x) = x / (1 + exp(-x))": with that s, eq. 9 is f f f.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import functional_nn as fnn
from functional_nn import layers, losses

Function = Callable[[np.ndarray], np.ndarray]


def _elementwise(name: str, function: Function, slope: Function) -> fnn.Layer:
    """Return the layer y = function(x) whose pullback is dx = slope(x) dy, right or wrong."""

    def vjp(params, x, *, key=None, wrt_x=True):
        return function(x), lambda dy: ({}, slope(x) * dy if wrt_x else None)

    return fnn.Layer(name, apply=lambda params, x: function(x), vjp=vjp)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return layers.sigmoid.apply({}, x)


def _silu(x: np.ndarray) -> np.ndarray:
    return layers.silu.apply({}, x)


def _sigmoid_slope_of_softmax(x: np.ndarray) -> np.ndarray:
    p = losses.softmax(x)
    return p * (1.0 - p)


@fnn.constructor
def sigmoid_by_input() -> fnn.Layer:
    """Return the sigmoid with defect 1: its derivative is taken at its input."""
    return _elementwise("sigmoid_by_input", _sigmoid, lambda x: x * (1.0 - x))


@fnn.constructor
def softmax_as_sigmoid() -> fnn.Layer:
    """Return the softmax over the units with the sigmoid's derivative (defect 7)."""
    return _elementwise("softmax_as_sigmoid", losses.softmax, _sigmoid_slope_of_softmax)


@fnn.constructor
def silu_eq9() -> fnn.Layer:
    """Return SiLU with the derivative s f s of eq. 9."""
    return _elementwise("silu_eq9", _silu, lambda x: _sigmoid(x) * _silu(x) * _sigmoid(x))


@fnn.constructor
def silu_eq9_to_the_letter() -> fnn.Layer:
    """Return SiLU with the derivative f f f, as eq. 9 is printed."""
    return _elementwise("silu_eq9_to_the_letter", _silu, lambda x: _silu(x) ** 3)
