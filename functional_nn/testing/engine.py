"""What every check runs: the contract of a pullback, then its numbers in float64, then those in float32."""

from __future__ import annotations

from typing import Literal

import numpy as np

from functional_nn.testing.complex_step import COMPLEX, as_complex
from functional_nn.testing.contract import check_contract, check_opposite
from functional_nn.testing.diagnosis import diagnose, examine
from functional_nn.testing.jacobian import entry_failures
from functional_nn.testing.precision import as_float64, check_float32
from functional_nn.testing.problem import Problem
from functional_nn.testing.taylor import FINITE

__all__ = ["Means", "check_numbers", "check_problem"]

Means = Literal["finite", "complex"]


def check_problem(problem: Problem, rng: np.random.Generator, *, full: bool = False) -> None:
    """Raise `GradientError` unless the pullback keeps the contract and its gradients are right."""
    if not problem.point:
        raise ValueError(f"{problem.name}: there is no array to differentiate by, only fixed ones and whole numbers")
    check_contract(problem, rng)
    check_numbers(problem, rng, full=full)


def check_numbers(problem: Problem, rng: np.random.Generator, means: Means = "finite", *, full: bool = False) -> None:
    """Raise `GradientError` unless the gradients are right. Of nothing, and by nothing, every gradient is."""
    if all(z.size == 0 for z in problem.point) or problem.value(problem.point).size == 0:
        return
    short = problem.point[-1].dtype == np.float32
    wide, method = as_float64(problem) if short else problem, FINITE
    if means == "complex":
        wide, method = as_complex(wide), COMPLEX
    examine(wide, rng, method)
    if full:
        diagnose(list(entry_failures(wide, method)), rng, method)
    if short:
        check_float32(problem, rng)
    if not problem.linear:
        check_opposite(problem, rng)
