"""Check a pullback and say what is wrong with it: of a layer at a point, a loss, or any function of arrays.

All of them take float64 arrays, or float32 throughout: then derivatives are measured in float64, with the function at
float64 copies of its arrays, and its float32 gradients are compared with float64's at float32's precision.

`seed` is that of the directions and cotangents; the same seed gives the same verdict, and no other random state is
used. Errors are found that rounding does not hide: in float64, down to about 1e-9 of an array's whole slope. The
gradients are checked at the point and at a second one beside it. A gradient that is zero but for the rounding of terms
that cancel, as that of a bias before a batch norm, is right. What the function raises at the point passes untouched;
where it raises at a point that the check moved to, that point is taken to lie outside of the function's domain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.keys import Key
from functional_nn.layer import Layer
from functional_nn.loss import Loss
from functional_nn.testing.engine import Means, check_numbers, check_problem
from functional_nn.testing.layer_contract import checked_contract
from functional_nn.testing.names import argument_names, name_of
from functional_nn.testing.problem import of_function
from functional_nn.testing.subjects import of_loss

__all__ = ["check_function", "check_gradient", "check_loss", "check_vjp"]


def check_vjp(
    layer: Layer,
    params: Any,
    x: np.ndarray,
    *,
    key: Key | None = None,
    seed: Key = 0,
    method: Means = "finite",
    full: bool = False,
) -> None:
    """Return None if the layer's pullback is its derivative at a point and keeps the contract, else raise.

    - `layer`: any `Layer`, a whole network too; `params`: its parameters; `x`: a batch of its inputs, (n, ...). Whole
      numbers, as an embedding takes, are fixed.
    - `key`: for layers that compute something else in training than in inference, such as dropout and batch norm. With
      a key the function that is differenced is `vjp(params, x, key=key)[0]`; without, it is `apply`, and `vjp` must
      return the same output.
    - `method`: "finite" for central differences over a ladder of steps, "complex" for the complex step, exact to the
      last digits, where `apply` computes with complex arrays and is analytic: of this library's layers, all without
      kinks but softplus and gelu.
    - `full`: compare the whole Jacobian entry by entry, not along directions through all entries of an array.

    Raises `GradientError`, an `AssertionError`, with the verdict and the worst entry; `TypeError` or `ValueError` if
    `params` and `x` are no arrays of one float dtype, or not finite.

    >>> fnn.testing.check_vjp(layers.relu, {}, np.array([[1.0, -2.0]]))
    """
    if method not in ("finite", "complex"):
        raise ValueError(f'method is {method!r}, expected "finite" or "complex"')
    rng = keys.generator(seed)
    check_numbers(checked_contract(layer, params, x, key, rng), rng, method, full=full)


def check_loss(loss: Loss, outputs: np.ndarray, targets: np.ndarray, *, seed: Key = 0, full: bool = False) -> None:
    """Return None if the loss's pullback is its derivative by the outputs, else raise `GradientError`.

    outputs : (n, ...); targets : whatever the loss takes, fixed. The value must be a Python float, the one that `apply`
    gives; the pullback is called with random numbers, not 1.0.

    >>> fnn.testing.check_loss(losses.mean_squared_error, np.zeros((2, 3)), np.ones((2, 3)))
    """
    check_problem(of_loss(loss, outputs, targets), keys.generator(seed), full=full)


def check_function(
    f: Callable[..., Any], vjp: Callable[..., Any], *arrays: np.ndarray, seed: Key = 0, full: bool = False
) -> None:
    """Return None if a vjp's pullback is the derivative of f at a point and keeps the contract, else raise.

    - `f(*arrays)`: y, an array, a number, or a tuple of them for several outputs.
    - `vjp(*arrays)`: `(y, pullback)` with the same y. `pullback(dy)` returns a tuple of one gradient an array, or the
      gradient itself where there is one array. Arrays of whole numbers are fixed, and their gradient is None. dy has
      the form of y.
    - `full`: compare the whole Jacobian entry by entry.

    Raises `GradientError`, an `AssertionError`; `TypeError` or `ValueError` for arguments that are no arrays, or float
    arrays of two dtypes, or not finite.

    >>> fnn.testing.check_function(np.sin, lambda x: (np.sin(x), lambda dy: dy * np.cos(x)), np.array([0.5, 2.0]))
    """
    names = argument_names(f, len(arrays))
    problem = of_function(name_of(f), names, f, vjp, arrays)
    if arrays and arrays[0].ndim:
        problem = replace(problem, axis=(len(arrays[0]), f"the length of {names[0]}"))
    check_problem(problem, keys.generator(seed), full=full)


def check_gradient(
    fun: Callable[[np.ndarray], Any], grad: Callable[[np.ndarray], Any], x: np.ndarray, *, seed: Key = 0
) -> None:
    """Return None if grad(x) is the gradient of fun(x), one number, else raise `GradientError`.

    This is scipy.optimize's convention, where `minimize` takes fun and `jac=grad`. x is an array of any shape, grad(x)
    one of the same. What is measured is fun's own slope, by one entry of x.

    >>> fnn.testing.check_gradient(lambda x: float(x @ x), lambda x: 2.0 * x, np.array([1.0, -2.0]))
    """

    def vjp(x: np.ndarray) -> tuple[Any, Callable[[Any], Any]]:
        y = fun(x)
        if np.size(y) != 1:
            raise TypeError(f"{name_of(fun)} returns an array of shape {np.shape(y)}, expected one number")
        return y, lambda dy: grad(x)

    problem = of_function(name_of(fun), argument_names(fun, 1), fun, vjp, (x,))
    check_problem(replace(problem, words=("fun", "fun"), linear=True), keys.generator(seed))
