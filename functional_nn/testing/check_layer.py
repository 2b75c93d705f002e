"""Check a layer at points that are drawn for it, in general position and on kinks, ties and zeros."""

from __future__ import annotations

from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.keys import Key
from functional_nn.layer import Layer, Shape
from functional_nn.testing.diagnosis import examine_beside
from functional_nn.testing.engine import check_numbers
from functional_nn.testing.layer_contract import checked_contract
from functional_nn.testing.one_sided import check_between_sides
from functional_nn.testing.points import Drawn, points
from functional_nn.testing.problem import Problem
from functional_nn.testing.subjects import takes_integers
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["check_layer"]

RIGHT = "right"
KINK = "right beside a kink, between the slopes of its sides on it"
COMPOSED = "right beside it; the layer has parts, whose kinks meet there"
UNDECIDED = "differences cannot decide there; right beside it"
OUTSIDE = "outside of its domain, not checked"


def check_layer(layer: Layer, input_shape: Shape, *, seed: Key = 0, verbose: bool = False) -> None:
    """Return None if the layer's pullback is right at points that are drawn for it, else raise `GradientError`.

    Points in general position: batches of 3 and of 1 in float64, of 3 in float32, and inputs of other shapes that fit
    the layer: each axis longer by one, and all axes equal. Structured points: zeros, twos, equal rows, and whole
    numbers with ties, also for the parameters. Layers that take whole numbers get them, at random and repeated. A layer
    whose training pass differs from inference is checked in training, with a key.

    - `input_shape`: without the batch axis.
    - `verbose`: print each point and what was found there; an error lists those before it.

    On a kink each output's slope must lie between those of the two sides. Of a layer with parts, kinks may meet and
    cancel at a structured point: there its gradients must be finite, and right beside it; check its layers by
    themselves too. A point that lies outside of the layer's domain is not checked, and named as such: a structured one,
    or one example for a layer that couples examples. Otherwise raises whatever the layer raises.

    >>> fnn.testing.check_layer(layers.conv2d(3, 2, stride=2), (5, 6, 2))
    """
    rng = keys.generator(seed)
    tried: list[str] = []
    for drawn in points(layer, input_shape, rng):
        for key in _keys(layer, drawn):
            text = f"{drawn}, in training" if key is not None else str(drawn)
            try:
                outcome = _judge(layer, drawn, key, rng)
            except GradientError as error:
                raise error.noting(_listed(text, tried)) from error.__cause__
            tried.append(text if outcome == RIGHT else f"{text}: {outcome}")
            if verbose:
                print(f"{layer.name}: {text}: {outcome}")


def _keys(layer: Layer, drawn: Drawn) -> tuple[Key | None, ...]:
    """Return the keys to check with: None for the function that `apply` is, 0 where the training pass is another."""
    wrt_x = not takes_integers(layer)

    def trained(key: Key | None) -> np.ndarray:
        return layer.vjp(drawn.params, drawn.x, key=key, wrt_x=wrt_x)[0]

    with np.errstate(all="ignore"):
        try:
            inferred, plain = layer.apply(drawn.params, drawn.x), trained(None)
        except TypeError:  # it needs statistics, or a key
            return (0,)
        except ValueError:
            return (None,)
        if layer.couples_examples and not np.array_equal(inferred, plain, equal_nan=True):
            return (0,)
        return (None,) if np.array_equal(plain, trained(0), equal_nan=True) else (None, 0)


def _judge(layer: Layer, drawn: Drawn, key: Key | None, rng: np.random.Generator) -> str:
    """Return what was found at a point; raise `GradientError` where a gradient is wrong."""
    if not drawn.structured:
        if len(drawn.x) == 1 and _couples_examples(layer) and not _in_domain(layer, drawn, key):
            return OUTSIDE
        check_numbers(checked_contract(layer, drawn.params, drawn.x, key, rng), rng)
        return RIGHT
    with np.errstate(all="ignore"):
        if not _in_domain(layer, drawn, key):
            return OUTSIDE
        problem = checked_contract(layer, drawn.params, drawn.x, key, rng)
        try:
            check_numbers(problem, rng)
        except GradientError as error:
            return _on_a_kink(layer, problem, error, rng)
    return RIGHT


def _couples_examples(layer: Layer) -> bool:
    return layer.couples_examples or any(_couples_examples(part) for _, part in layer.parts)


def _in_domain(layer: Layer, drawn: Drawn, key: Key | None) -> bool:
    try:
        y: Any = layer.vjp(drawn.params, drawn.x, key=key, wrt_x=not takes_integers(layer))[0]
    except (ValueError, ArithmeticError):
        return False
    return bool(np.isfinite(y).all())


def _on_a_kink(layer: Layer, problem: Problem, error: GradientError, rng: np.random.Generator) -> str:
    """Return what an error at a structured point means if it is none of the pullback's, else raise it."""
    wide = problem.at([z.astype(np.float64) for z in problem.point])
    if error.verdict is Verdict.KINK and not layer.parts:
        check_between_sides(wide, rng)
        return KINK
    finite = all(np.isfinite(g).all() for g in wide.vjp(wide.point)[1](np.ones_like(wide.value(wide.point))))
    if not finite or (error.verdict is Verdict.WRONG and not layer.parts):
        raise error
    examine_beside(wide, rng)
    return UNDECIDED if error.verdict in (Verdict.NOISE, Verdict.NOT_FINITE) else COMPOSED


def _listed(text: str, tried: list[str]) -> str:
    lines = [f"  At the point: {text}."]
    return "\n".join([*lines, *(f"  No error at: {before}." for before in tried)])
