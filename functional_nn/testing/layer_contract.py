"""What a layer promises besides what every pullback does: its output's shape and dtype, and `wrt_x=False`."""

from __future__ import annotations

from typing import Any

import numpy as np

from functional_nn.keys import Key
from functional_nn.layer import Layer
from functional_nn.testing.case import usual_gradients
from functional_nn.testing.contract import check_contract, difference, guarded, same_output
from functional_nn.testing.problem import Problem, frozen
from functional_nn.testing.subjects import of_layer
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["checked_contract"]


def checked_contract(layer: Layer, params: Any, x: np.ndarray, key: Key | None, rng: np.random.Generator) -> Problem:
    """Return the problem of a layer; raise `GradientError` unless its pullback keeps the contract."""
    problem = of_layer(layer, params, x, key)
    check_output(layer, problem, x)
    check_contract(problem, rng)
    if problem.names[-1:] == ("x",):
        check_without_dx(problem, of_layer(layer, params, x, key, wrt_x=False))
    return problem


def check_output(layer: Layer, problem: Problem, x: np.ndarray) -> None:
    """Raise `GradientError` unless the output has the shape that `output_shape` says and the point's dtype."""
    point, path = [frozen(array) for array in problem.point], f"{layer.name}.y"
    y = guarded(lambda: problem.value(point), problem, point)
    expected = (x.shape[0], *layer.output_shape(x.shape[1:]))
    if y.shape != expected:
        message = f"  The output has shape {y.shape}, output_shape({x.shape[1:]}) says {expected}, batch included."
        raise GradientError(Verdict.TREE, message, path)
    dtype = point[-1].dtype if point else y.dtype
    if y.dtype != dtype:
        message = f"  The output is {y.dtype}, the inputs are {dtype}: nothing may be promoted or shortened."
        raise GradientError(Verdict.DTYPE, message, path)


def check_without_dx(problem: Problem, without: Problem) -> None:
    """Raise `GradientError` unless `wrt_x=False`, as in the problem `without`, changes nothing but dx."""
    y, pull = problem.vjp([frozen(array) for array in problem.point])
    dy = np.linspace(-1.0, 1.5, y.size, dtype=y.dtype).reshape(y.shape)
    usual, whole = usual_gradients(problem.point, y, dy), pull(dy)
    y_without, pull_without = without.vjp([frozen(array) for array in without.point])
    same_output(problem, y, y_without)
    for leaf, gradient in enumerate(pull_without(dy)):
        worst = difference(whole[leaf], gradient, usual[leaf])
        if worst is not None:
            values = float(whole[leaf][worst]), float(gradient[worst])
            message = f"  With wrt_x=False the pullback gives {values[1]:.9g}, with wrt_x=True {values[0]:.9g}."
            raise GradientError(Verdict.WRONG, message, problem.path(leaf), worst, *values)
