"""Gradient transformations: pairs of pure functions that turn gradients into updates, after optax.

`init(params) -> state` and `update(grads, state, params) -> (updates, state)`; a state is a NamedTuple of trees.
Nothing here writes to a gradient, a parameter or a state that it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import tree
from functional_nn.optim.schedules import Schedule

__all__ = [
    "Transform",
    "add_decayed_weights",
    "apply_updates",
    "chain",
    "clip_by_global_norm",
    "scale_by_adagrad",
    "scale_by_adam",
    "scale_by_learning_rate",
    "scale_by_rms",
    "trace",
]

Tree = Any
State = Any


@dataclass(frozen=True)
class Transform:
    """A gradient transformation as a value.

    - `init(params) -> state`.
    - `update(grads, state, params) -> (updates, state)`, all trees like `params`.
    """

    init: Callable[[Tree], State]
    update: Callable[[Tree, State, Tree], tuple[Tree, State]]


class EmptyState(NamedTuple):
    """The state of a transformation that remembers nothing."""


class TraceState(NamedTuple):
    """The velocity: a tree like the parameters."""

    velocity: Tree


class AdamState(NamedTuple):
    """The number of updates so far, and the moving averages of the gradients and of their squares."""

    step: int
    mean: Tree
    square: Tree


class SquaresState(NamedTuple):
    """The sum, or the moving average, of the squared gradients: a tree like the parameters."""

    squares: Tree


class ScheduleState(NamedTuple):
    """The number of updates so far."""

    step: int


def apply_updates(params: Tree, updates: Tree) -> Tree:
    """Return the new tree params + updates; raises `TypeError` naming the path where the trees differ."""
    return tree.map(np.add, params, updates)


def trace(decay: float, nesterov: bool = False) -> Transform:
    """Return v <- decay v + g, updates v, or g + decay v with `nesterov` (Sutskever et al. 2013, section 2)."""
    check_fraction("trace", "decay", decay)
    return Transform(_trace_init, partial(_trace_update, decay=decay, nesterov=nesterov))


def scale_by_adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> Transform:
    """Return updates m^ / (sqrt(v^) + eps), with the bias-corrected averages (Kingma and Ba 2015, algorithm 1)."""
    check_fraction("scale_by_adam", "b1", b1)
    check_fraction("scale_by_adam", "b2", b2)
    _check_limit("scale_by_adam", "eps", eps)
    return Transform(_adam_init, partial(_adam_update, b1=b1, b2=b2, eps=eps))


def scale_by_rms(decay: float = 0.99, eps: float = 1e-8) -> Transform:
    """Return updates g / (sqrt(v) + eps), v <- decay v + (1 - decay) g^2 (Tieleman and Hinton 2012, lecture 6e)."""
    check_fraction("scale_by_rms", "decay", decay)
    _check_limit("scale_by_rms", "eps", eps)
    return Transform(_squares_init, partial(_rms_update, decay=decay, eps=eps))


def scale_by_adagrad(eps: float = 1e-10) -> Transform:
    """Return updates g / (sqrt(s) + eps), s <- s + g^2 (Duchi et al. 2011, section 1.1, the diagonal form)."""
    _check_limit("scale_by_adagrad", "eps", eps)
    return Transform(_squares_init, partial(_adagrad_update, eps=eps))


def add_decayed_weights(rate: float) -> Transform:
    """Return updates u + rate p; before the learning rate this is decoupled decay (Loshchilov and Hutter 2019)."""
    _check_not_negative("add_decayed_weights", "rate", rate)
    return Transform(_no_state, partial(_decay_update, rate=rate))


def clip_by_global_norm(limit: float) -> Transform:
    """Return g min(1, limit / |g|), |g| the norm of the whole tree (Pascanu et al. 2013, algorithm 1).

    The norm is computed in float64. Gradients whose norm is not finite pass as they are: `fit` names them.
    """
    _check_limit("clip_by_global_norm", "limit", limit)
    return Transform(_no_state, partial(_clip_update, limit=limit))


def scale_by_learning_rate(rate: float | Schedule) -> Transform:
    """Return updates -rate u; a schedule is called with the number of updates before this one."""
    if callable(rate):
        return Transform(_schedule_init, partial(_schedule_update, schedule=rate))
    _check_not_negative("scale_by_learning_rate", "rate", rate)
    return Transform(_no_state, partial(_rate_update, rate=rate))


def chain(*transforms: Transform) -> Transform:
    """Return the transformation that applies these in order; its state is the tuple of theirs."""
    return Transform(partial(_chain_init, transforms=transforms), partial(_chain_update, transforms=transforms))


def _no_state(params: Tree) -> EmptyState:
    return EmptyState()


def _trace_init(params: Tree) -> TraceState:
    return TraceState(tree.zeros_like(params))


def _trace_update(
    grads: Tree, state: TraceState, params: Tree, *, decay: float, nesterov: bool
) -> tuple[Tree, TraceState]:
    velocity = tree.map(lambda v, g: times_plus(decay, v, g), state.velocity, grads)
    updates = tree.map(lambda v, g: times_plus(decay, v, g), velocity, grads) if nesterov else velocity
    return updates, TraceState(velocity)


def _adam_init(params: Tree) -> AdamState:
    return AdamState(0, tree.zeros_like(params), tree.zeros_like(params))


def _adam_update(
    grads: Tree, state: AdamState, params: Tree, *, b1: float, b2: float, eps: float
) -> tuple[Tree, AdamState]:
    step = state.step + 1
    mean = tree.map(lambda m, g: times_plus(b1, m, (1.0 - b1) * g), state.mean, grads)
    square = tree.map(lambda v, g: times_plus(b2, v, (1.0 - b2) * g * g), state.square, grads)
    m_scale, v_scale = 1.0 / (1.0 - b1**step), 1.0 / math.sqrt(1.0 - b2**step)

    def update(m: np.ndarray, v: np.ndarray) -> np.ndarray:
        denominator = np.sqrt(v)
        denominator *= v_scale
        denominator += eps
        return np.divide(m_scale * m, denominator, out=denominator)

    return tree.map(update, mean, square), AdamState(step, mean, square)


def _squares_init(params: Tree) -> SquaresState:
    return SquaresState(tree.zeros_like(params))


def _rms_update(
    grads: Tree, state: SquaresState, params: Tree, *, decay: float, eps: float
) -> tuple[Tree, SquaresState]:
    squares = tree.map(lambda v, g: times_plus(decay, v, (1.0 - decay) * g * g), state.squares, grads)
    return tree.map(lambda g, v: g / (np.sqrt(v) + eps), grads, squares), SquaresState(squares)


def _adagrad_update(grads: Tree, state: SquaresState, params: Tree, *, eps: float) -> tuple[Tree, SquaresState]:
    squares = tree.map(lambda s, g: s + g * g, state.squares, grads)
    return tree.map(lambda g, s: g / (np.sqrt(s) + eps), grads, squares), SquaresState(squares)


def _decay_update(grads: Tree, state: EmptyState, params: Tree, *, rate: float) -> tuple[Tree, EmptyState]:
    return tree.map(lambda p, g: times_plus(rate, p, g), params, grads), state


def _clip_update(grads: Tree, state: EmptyState, params: Tree, *, limit: float) -> tuple[Tree, EmptyState]:
    norm = math.sqrt(sum(float(np.square(leaf, dtype=np.float64).sum()) for leaf in tree.leaves(grads)))
    if norm <= limit or not math.isfinite(norm):
        return grads, state
    return tree.map(lambda g: (limit / norm) * g, grads), state


def _rate_update(grads: Tree, state: EmptyState, params: Tree, *, rate: float) -> tuple[Tree, EmptyState]:
    return tree.map(lambda g: -rate * g, grads), state


def _schedule_init(params: Tree) -> ScheduleState:
    return ScheduleState(0)


def _schedule_update(
    grads: Tree, state: ScheduleState, params: Tree, *, schedule: Schedule
) -> tuple[Tree, ScheduleState]:
    rate = float(schedule(state.step))
    return tree.map(lambda g: -rate * g, grads), ScheduleState(state.step + 1)


def _chain_init(params: Tree, *, transforms: tuple[Transform, ...]) -> tuple[State, ...]:
    return tuple(transform.init(params) for transform in transforms)


def _chain_update(
    grads: Tree, state: tuple[State, ...], params: Tree, *, transforms: tuple[Transform, ...]
) -> tuple[Tree, tuple[State, ...]]:
    states = []
    for transform, old in zip(transforms, state, strict=True):
        grads, new = transform.update(grads, old, params)
        states.append(new)
    return grads, tuple(states)


def times_plus(factor: float, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    result = factor * a
    result += b
    return result


def check_fraction(function: str, name: str, value: float) -> None:
    if not 0.0 <= value < 1.0:
        raise ValueError(f"{function}: {name} is {value!r}, expected a number from 0 up to but without 1")


def _check_not_negative(function: str, name: str, value: float) -> None:
    if not 0.0 <= value < math.inf:
        raise ValueError(f"{function}: {name} is {value!r}, expected a finite number that is not negative")


def _check_limit(function: str, name: str, value: float) -> None:
    if not 0.0 < value < math.inf:
        raise ValueError(f"{function}: {name} is {value!r}, expected a finite number above 0")
