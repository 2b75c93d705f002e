"""Gradient transformations: pairs of pure functions that turn gradients into updates, after optax.

`init(params) -> state` and `update(grads, state, params) -> (updates, state)`; a state is a NamedTuple of trees.
Nothing here writes to a gradient, a parameter or a state that it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.arguments import flag, fraction, not_negative, positive
from functional_nn.optim.schedules import Schedule
from functional_nn.value import Value, constructor

__all__ = [
    "Transform",
    "add_decayed_weights",
    "apply_updates",
    "clip_by_global_norm",
    "scale_by_adagrad",
    "scale_by_adam",
    "scale_by_learning_rate",
    "scale_by_rms",
    "trace",
]

Tree = Any
State = Any


@dataclass(frozen=True, eq=False, repr=False)
class Transform(Value):
    """A gradient transformation as a value.

    - `init(params) -> state`.
    - `update(grads, state, params) -> (updates, state)`, all trees like `params`.

    >>> sign = optim.Transform(lambda params: (), lambda grads, state, params: (tree.map(np.sign, grads), state))
    >>> sign.update({"w": np.array([3.0, -4.0])}, (), None)
    ({'w': array([ 1., -1.])}, ())
    """

    init: Callable[[Tree], State]
    update: Callable[[Tree, State, Tree], tuple[Tree, State]]


def transformation(constructor: str, name: str, value: Any) -> Transform:
    """Return `value`, an argument; raise `TypeError` unless it is a transformation."""
    if not isinstance(value, Transform):
        raise TypeError(f"{constructor}: {name} is {value!r}, expected a transformation, such as scale_by_adam()")
    return value


def expect_state(function: str, state: Any, kind: type) -> None:
    """Raise `TypeError` unless the state is of the transformation's own kind."""
    if type(state) is not kind:
        raise TypeError(
            f"{function}: the state is a {type(state).__name__}, expected {kind.__name__}: "
            "pass the state that this optimizer's init or update returned"
        )


class EmptyState(NamedTuple):
    """The state of a transformation that remembers nothing."""


def apply_updates(params: Tree, updates: Tree) -> Tree:
    """Return the new tree params + updates; raises `TypeError` naming the path where the trees differ.

    >>> optim.apply_updates({"w": np.array([1.0])}, {"w": np.array([-0.25])})
    {'w': array([0.75])}
    """
    return tree.map_arrays(np.add, params, updates)


class TraceState(NamedTuple):
    """The velocity: a tree like the parameters."""

    velocity: Tree


@constructor(decay=fraction, nesterov=flag)
def trace(decay: float, nesterov: bool = False) -> Transform:
    """Return v <- decay v + g, updates v, or g + decay v with `nesterov` (Sutskever et al. 2013, section 2).

    >>> transform = optim.trace(0.9, nesterov=True)
    >>> grads, params = {"w": np.array([3.0, 4.0])}, {"w": np.array([10.0, 20.0])}
    >>> transform.update(grads, transform.init(params), params)[0]
    {'w': array([5.7, 7.6])}
    """

    def init(params: Tree) -> TraceState:
        return TraceState(tree.zeros_like(params))

    def update(grads: Tree, state: TraceState, params: Tree) -> tuple[Tree, TraceState]:
        expect_state("trace", state, TraceState)
        velocity = tree.map_arrays(lambda v, g: times_plus(decay, v, g), state.velocity, grads)
        updates = tree.map_arrays(lambda v, g: times_plus(decay, v, g), velocity, grads) if nesterov else velocity
        return updates, TraceState(velocity)

    return Transform(init, update)


class AdamState(NamedTuple):
    """The number of updates so far, and the moving averages of the gradients and of their squares."""

    step: int
    mean: Tree
    square: Tree


@constructor(b1=fraction, b2=fraction, eps=positive)
def scale_by_adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Transform:
    """Return updates m^ / (sqrt(v^) + eps), with the bias-corrected averages (Kingma and Ba 2015, algorithm 1).

    >>> transform = optim.scale_by_adam()
    >>> grads, params = {"w": np.array([3.0, 4.0])}, {"w": np.array([10.0, 20.0])}
    >>> transform.update(grads, transform.init(params), params)[0]["w"].round(6)
    array([1., 1.])
    """

    def init(params: Tree) -> AdamState:
        return AdamState(0, tree.zeros_like(params), tree.zeros_like(params))

    def update(grads: Tree, state: AdamState, params: Tree) -> tuple[Tree, AdamState]:
        expect_state("scale_by_adam", state, AdamState)
        step = state.step + 1
        mean = tree.map_arrays(lambda m, g: times_plus(b1, m, (1.0 - b1) * g), state.mean, grads)
        square = tree.map_arrays(lambda v, g: times_plus(b2, v, (1.0 - b2) * g * g), state.square, grads)
        m_scale, v_scale = 1.0 / (1.0 - b1**step), 1.0 / math.sqrt(1.0 - b2**step)

        def scaled(m: np.ndarray, v: np.ndarray) -> np.ndarray:
            denominator = np.sqrt(v, out=np.empty_like(v))
            denominator *= v_scale
            denominator += eps
            return np.divide(m_scale * m, denominator, out=denominator)

        return tree.map_arrays(scaled, mean, square), AdamState(step, mean, square)

    return Transform(init, update)


class SquaresState(NamedTuple):
    """The sum, or the moving average, of the squared gradients: a tree like the parameters."""

    squares: Tree


def _squares_init(params: Tree) -> SquaresState:
    return SquaresState(tree.zeros_like(params))


@constructor(decay=fraction, eps=positive)
def scale_by_rms(decay: float = 0.99, eps: float = 1e-8) -> Transform:
    """Return updates g / (sqrt(v) + eps), v <- decay v + (1 - decay) g^2 (Tieleman and Hinton 2012, lecture 6e).

    >>> transform = optim.scale_by_rms(decay=0.75)
    >>> grads, params = {"w": np.array([3.0, 4.0])}, {"w": np.array([10.0, 20.0])}
    >>> transform.update(grads, transform.init(params), params)[0]["w"].round(6)
    array([2., 2.])
    """

    def update(grads: Tree, state: SquaresState, params: Tree) -> tuple[Tree, SquaresState]:
        expect_state("scale_by_rms", state, SquaresState)
        squares = tree.map_arrays(lambda v, g: times_plus(decay, v, (1.0 - decay) * g * g), state.squares, grads)
        return tree.map_arrays(lambda g, v: g / (np.sqrt(v) + eps), grads, squares), SquaresState(squares)

    return Transform(_squares_init, update)


@constructor(eps=positive)
def scale_by_adagrad(eps: float = 1e-10) -> Transform:
    """Return updates g / (sqrt(s) + eps), s <- s + g^2 (Duchi et al. 2011, section 1.1, the diagonal form).

    >>> transform = optim.scale_by_adagrad()
    >>> grads, params = {"w": np.array([3.0, 4.0])}, {"w": np.array([10.0, 20.0])}
    >>> transform.update(grads, transform.init(params), params)[0]["w"].round(6)
    array([1., 1.])
    """

    def update(grads: Tree, state: SquaresState, params: Tree) -> tuple[Tree, SquaresState]:
        expect_state("scale_by_adagrad", state, SquaresState)
        squares = tree.map_arrays(lambda s, g: s + g * g, state.squares, grads)
        return tree.map_arrays(lambda g, s: g / (np.sqrt(s) + eps), grads, squares), SquaresState(squares)

    return Transform(_squares_init, update)


@constructor(rate=not_negative)
def add_decayed_weights(rate: float) -> Transform:
    """Return updates u + rate p; before the learning rate this is decoupled decay (Loshchilov and Hutter 2019).

    >>> transform = optim.add_decayed_weights(0.1)
    >>> grads, params = {"w": np.array([3.0, 4.0])}, {"w": np.array([10.0, 20.0])}
    >>> transform.update(grads, transform.init(params), params)[0]
    {'w': array([4., 6.])}
    """

    def update(grads: Tree, state: EmptyState, params: Tree) -> tuple[Tree, EmptyState]:
        return tree.map_arrays(lambda p, g: times_plus(rate, p, g), params, grads), state

    return _stateless("add_decayed_weights", update)


@constructor(limit=positive)
def clip_by_global_norm(limit: float) -> Transform:
    """Return g min(1, limit / |g|), |g| the norm of the whole tree (Pascanu et al. 2013, algorithm 1).

    The norm is computed in float64. Gradients whose norm is not finite pass as they are: `fit` names them.

    >>> transform = optim.clip_by_global_norm(1.0)
    >>> grads, params = {"w": np.array([3.0, 4.0])}, {"w": np.array([10.0, 20.0])}
    >>> transform.update(grads, transform.init(params), params)[0]
    {'w': array([0.6, 0.8])}
    """

    def update(grads: Tree, state: EmptyState, params: Tree) -> tuple[Tree, EmptyState]:
        norm = math.sqrt(sum(float(np.square(leaf, dtype=np.float64).sum()) for leaf in tree.leaves(grads)))
        if norm <= limit or not math.isfinite(norm):
            return grads, state
        return tree.map_arrays(lambda g: (limit / norm) * g, grads), state

    return _stateless("clip_by_global_norm", update)


def _rate_at(schedule: Schedule, step: int) -> float:
    """Return the schedule's rate; one that is not finite shows in the parameters, and `fit` keeps what was before."""
    rate = schedule(step)
    if not isinstance(rate, int | float | np.integer | np.floating) or rate < 0.0:
        expected = "expected a number that is not negative"
        raise ValueError(f"scale_by_learning_rate: the schedule's rate at step {step} is {rate!r}, {expected}")
    return float(rate)


class ScheduleState(NamedTuple):
    """The number of updates so far."""

    step: int


def rate_or_schedule(constructor: str, name: str, value: Any) -> float | Schedule:
    """Return a learning rate, an argument: a schedule, or a float of at least 0."""
    return value if callable(value) else not_negative(constructor, name, value)


@constructor(rate=rate_or_schedule)
def scale_by_learning_rate(rate: float | Schedule) -> Transform:
    """Return updates -rate u; a schedule is called with the number of updates before this one.

    >>> transform = optim.scale_by_learning_rate(0.5)
    >>> grads, params = {"w": np.array([3.0, 4.0])}, {"w": np.array([10.0, 20.0])}
    >>> transform.update(grads, transform.init(params), params)[0]
    {'w': array([-1.5, -2. ])}
    """
    if not callable(rate):
        return _stateless(
            "scale_by_learning_rate",
            lambda grads, state, params: (tree.map_arrays(lambda g: -rate * g, grads), state),
        )

    def init(params: Tree) -> ScheduleState:
        return ScheduleState(0)

    def update(grads: Tree, state: ScheduleState, params: Tree) -> tuple[Tree, ScheduleState]:
        expect_state("scale_by_learning_rate", state, ScheduleState)
        now = _rate_at(rate, state.step)
        return tree.map_arrays(lambda g: -now * g, grads), ScheduleState(state.step + 1)

    return Transform(init, update)


def times_plus(factor: float, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return factor a + b."""
    result = factor * a
    result += b
    return result


def _stateless(function: str, update: Callable[[Tree, EmptyState, Tree], tuple[Tree, EmptyState]]) -> Transform:
    def init(params: Tree) -> EmptyState:
        return EmptyState()

    def checked(grads: Tree, state: EmptyState, params: Tree) -> tuple[Tree, EmptyState]:
        expect_state(function, state, EmptyState)
        return update(grads, state, params)

    return Transform(init, checked)
