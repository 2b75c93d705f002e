"""Layers and losses in the form in which they are checked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from functional_nn import tree
from functional_nn.keys import Key
from functional_nn.layer import Layer
from functional_nn.loss import Loss
from functional_nn.testing.problem import Problem, no_float_array, of_function
from functional_nn.testing.verdict import GradientError, Verdict

__all__ = ["gradient_leaves", "of_layer", "of_loss", "takes_integers"]

ADVICE = "  If they differ by design (dropout), pass key=: then vjp's own output is differenced."


def takes_integers(layer: Layer) -> bool:
    """Return whether a layer, or the first of its parts, takes whole numbers, which have no derivative."""
    return layer.integer_input or any(takes_integers(part) for _, part in layer.parts[:1])


def of_layer(layer: Layer, params: Any, x: np.ndarray, key: Key | None, *, wrt_x: bool = True) -> Problem:
    """Return the problem of a layer: its parameters in the tree's order, then x, which is fixed where not `wrt_x`.

    So are whole numbers where the layer takes them. With a key the function is the training pass,
    `vjp(params, x, key=key)[0]`; without, it is `apply`.
    """
    leaves, unflatten = tree.flatten(params)
    names = (*(path for path, _ in tree.items(params)), "x")
    wrt_x = wrt_x and not (takes_integers(layer) and isinstance(x, np.ndarray) and x.dtype.kind in "iu")
    for name, array in zip(names, [*leaves, x] if wrt_x else leaves, strict=False):
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            raise no_float_array(layer.name, name, array)
    if x.ndim == 0:
        raise ValueError(f"{layer.name}.x is a number, expected a batch, (n, ...)")

    def vjp(*arrays: np.ndarray) -> Any:
        at = unflatten(list(arrays[:-1]))
        y, pullback = layer.vjp(at, arrays[-1], key=key, wrt_x=wrt_x)
        return _array(layer, y), lambda dy: gradient_leaves(layer.name, pullback(dy), at, wrt_x=wrt_x)

    def f(*arrays: np.ndarray) -> np.ndarray:
        if key is not None:
            return vjp(*arrays)[0]
        return _array(layer, layer.apply(unflatten(list(arrays[:-1])), arrays[-1]))

    problem = of_function(layer.name, names, f, vjp, [*leaves, x], fixed=() if wrt_x else ("x",))
    return replace(problem, words=("apply", "vjp"), advice=ADVICE, axis=(len(x), "the batch's size"))


def of_loss(loss: Loss, outputs: np.ndarray, targets: np.ndarray) -> Problem:
    """Return the problem of a loss: a function of its outputs, the targets fixed."""
    if not isinstance(outputs, np.ndarray) or outputs.dtype.kind != "f":
        raise no_float_array(loss.name, "outputs", outputs)

    def checked(value: Any) -> float:
        if type(value) is not float:  # NumPy's own scalars would promote what they are multiplied with
            message = f"  The value is a {type(value).__name__}, expected a Python float: return float(value)."
            raise GradientError(Verdict.DTYPE, message, f"{loss.name}.y")
        return value

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> Any:
        value, pullback = loss.vjp(outputs, targets)
        return checked(value), lambda dvalue: (pullback(dvalue), None)

    problem = of_function(
        loss.name,
        ("outputs", "targets"),
        lambda outputs, targets: checked(loss.apply(outputs, targets)),
        vjp,
        (outputs, targets),
        fixed=("targets",),
    )
    size = len(outputs) if outputs.ndim else 1
    return replace(problem, words=("apply", "vjp"), axis=(size, "the batch's size"))


def gradient_leaves(name: str, gradients: Any, params: Any, *, wrt_x: bool) -> tuple[Any, ...]:
    """Return the gradients of a layer in the point's order, x's last; raise unless they have the parameters' tree."""
    if not isinstance(gradients, tuple) or len(gradients) != 2:
        message = f"  The pullback returns a {type(gradients).__name__}, expected the tuple (dparams, dx)."
        raise GradientError(Verdict.TREE, message, name)
    dparams, dx = gradients
    try:
        leaves = tree.leaves(tree.map(lambda _, gradient: gradient, params, dparams))
    except TypeError as error:
        message = f"  The gradients must have exactly the tree of the parameters: {error}."
        raise GradientError(Verdict.TREE, message, name) from error
    if not wrt_x and dx is not None:
        raise GradientError(Verdict.TREE, "  With wrt_x=False the pullback must return None for dx.", f"{name}.x")
    return (*leaves, dx)


def _array(layer: Layer, y: Any) -> np.ndarray:
    if not isinstance(y, np.ndarray) or not y.ndim:
        message = f"  The output is a {type(y).__name__}, expected an array (n, ...)."
        raise GradientError(Verdict.TREE, message, f"{layer.name}.y")
    return y
