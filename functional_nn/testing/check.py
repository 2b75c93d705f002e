"""Check a pullback and say what is wrong with it: `check_vjp` for layers, `check_loss` for losses."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from functional_nn import keys
from functional_nn.keys import Key
from functional_nn.layer import Layer
from functional_nn.loss import Loss
from functional_nn.testing.complex_step import COMPLEX, as_complex
from functional_nn.testing.contract import check_contract, check_opposite, check_output, check_without_dx
from functional_nn.testing.diagnosis import diagnose, examine
from functional_nn.testing.jacobian import entry_failures
from functional_nn.testing.precision import as_float64, check_float32
from functional_nn.testing.problem import Problem, of_layer, of_loss
from functional_nn.testing.taylor import FINITE

__all__ = ["check_loss", "check_vjp"]


def check_vjp(
    layer: Layer,
    params: Any,
    x: np.ndarray,
    *,
    key: Key | None = None,
    seed: Key = 0,
    method: Literal["finite", "complex"] = "finite",
    full: bool = False,
) -> None:
    """Return None if the layer's pullback is its derivative and keeps the contract, else raise `GradientError`.

    Parameters
    ----------
    layer : any `Layer`, a whole network too.
    params : its parameters; x : a batch of its inputs, (n, *input_shape), all float64. If all are float32, derivatives
        are measured in float64 and the float32 gradients compared with float64's at float32's precision.
    key : for layers that compute something else in training than in inference, such as dropout and batch norm. With a
        key the function that is differenced is `vjp(params, x, key=key)[0]`; without, it is `apply`, and `vjp` must
        return the same output.
    seed : of the directions and cotangents; the same seed gives the same verdict. No other random state is used.
    method : "finite" for central differences over a ladder of steps, "complex" for the complex step, exact to the last
        digits, where `apply` computes with complex arrays and is analytic: of this library's layers, all without
        kinks but softplus and gelu.
    full : compare the whole Jacobian entry by entry, instead of along directions through all entries of an array.

    Raises
    ------
    GradientError, an `AssertionError`, with the verdict and the worst entry. `TypeError` or `ValueError` if `params`
    and `x` are no arrays of one float dtype, or not finite. What the layer raises at the point passes untouched; where
    it raises at a point that the check moved to, that point is taken to lie outside of the function's domain.

    Notes
    -----
    The check finds errors that rounding does not hide: in float64, down to about 1e-9 of an array's whole slope. The
    gradients are checked at the point and at a second one beside it. A gradient that is zero but for the rounding of
    terms that cancel, as that of a bias before a batch norm, is right.

    """
    if method not in ("finite", "complex"):
        raise ValueError(f'method is {method!r}, expected "finite" or "complex"')
    problem = of_layer(layer, params, x, key)
    rng = keys.generator(seed)
    check_output(layer, problem)
    check_contract(problem, rng)
    check_without_dx(layer, params, key, problem)
    _check_numbers(problem, rng, method, full=full)


def check_loss(loss: Loss, outputs: np.ndarray, targets: np.ndarray, *, seed: Key = 0, full: bool = False) -> None:
    """Return None if the loss's pullback is its derivative by the outputs, else raise `GradientError`.

    outputs : (n, ...) float64 (or float32, see `check_vjp`); targets : whatever the loss takes, never differenced.
    The value must be a Python float, the one that `apply` gives; the pullback is called with random numbers, not 1.0.
    """
    fixed = targets.copy()
    fixed.flags.writeable = False
    problem = of_loss(loss, outputs, fixed)
    rng = keys.generator(seed)
    check_contract(problem, rng)
    _check_numbers(problem, rng, "finite", full=full)


def _check_numbers(problem: Problem, rng: np.random.Generator, method: str, *, full: bool) -> None:
    if all(z.size == 0 for z in problem.point) or problem.value(problem.point).size == 0:
        return
    short = problem.point[-1].dtype == np.float32
    wide, means = as_float64(problem) if short else problem, FINITE
    if method == "complex":
        wide, means = as_complex(wide), COMPLEX
    examine(wide, rng, means)
    if full:
        diagnose(list(entry_failures(wide, means)), rng, means)
    if short:
        check_float32(problem, rng)
    check_opposite(problem, rng)
