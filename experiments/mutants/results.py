"""Mutants of results: a right pullback, one of whose arrays is changed before it is returned."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from functional_nn import Layer, tree
from functional_nn.losses import Loss

Mistake = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # gradient, cotangent, batch size -> wrong gradient
AXES = range(4)


def mistaken(right: Layer | Loss, path: str, mistake: Mistake) -> Any:
    """Return `right` with `mistake` made in the gradient at `path`: a parameter's, "x" or "outputs"."""

    def layer_vjp(params: Any, x: np.ndarray, *, key: Any = None, wrt_x: bool = True) -> tuple[np.ndarray, Any]:
        y, pullback = right.vjp(params, x, key=key, wrt_x=wrt_x)  # type: ignore[call-arg]

        def wrong(dy: np.ndarray) -> tuple[Any, Any]:
            dparams, dx = pullback(dy)
            if path == "x":
                return dparams, None if dx is None else mistake(dx, dy, len(x))
            leaves, unflatten = tree.flatten(dparams)
            names = [name for name, _ in tree.items(dparams)]
            return unflatten(
                [mistake(g, dy, len(x)) if name == path else g for name, g in zip(names, leaves, strict=True)]
            ), dx

        return y, wrong

    def loss_vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, Any]:
        value, pullback = right.vjp(outputs, targets)
        return value, lambda dvalue: mistake(pullback(dvalue), np.array(dvalue), len(outputs))

    return right.replace(vjp=layer_vjp if isinstance(right, Layer) else loss_vjp)


def _mistakes() -> Iterator[tuple[str, str, Mistake]]:
    """Yield kind, text and mistake; a mistake that does not fit an array returns it unchanged."""
    yield "x 1.01", "times 1.01", lambda g, dy, n: 1.01 * g
    yield "x 2", "times 2", lambda g, dy, n: 2.0 * g
    yield "sign", "the other sign", lambda g, dy, n: -g
    yield "term", "zero", lambda g, dy, n: np.zeros_like(g)
    yield "mean", "a mean over the batch for a sum", lambda g, dy, n: g / n
    yield "mean", "a sum over the batch for a mean", lambda g, dy, n: g * n
    yield "mask", "the cotangent itself", lambda g, dy, n: dy.copy() if dy.shape == g.shape else g
    yield "mask", "positive entries alone", lambda g, dy, n: np.maximum(g, 0.0)
    for axis in AXES:
        yield "shift", f"shifted by one along axis {axis}", _shifted(axis)
        yield "transpose", f"axes {axis} and {axis + 1} swapped", _swapped(axis)
        yield "transpose", f"reversed along axis {axis}", _reversed(axis)
    for entry in ("first", "middle", "last"):
        yield "entry", f"the {entry} entry times 1.01", _one_entry(entry, 1.01)
        yield "entry", f"the {entry} entry zero", _one_entry(entry, 0.0)


def _shifted(axis: int) -> Mistake:
    return lambda g, dy, n: np.roll(g, 1, axis) if axis < g.ndim else g


def _reversed(axis: int) -> Mistake:
    return lambda g, dy, n: np.flip(g, axis).copy() if axis < g.ndim else g


def _swapped(axis: int) -> Mistake:
    def swap(g: np.ndarray, dy: np.ndarray, n: int) -> np.ndarray:
        fits = axis + 1 < g.ndim and g.shape[axis] == g.shape[axis + 1]
        return g.swapaxes(axis, axis + 1).copy() if fits else g

    return swap


def _one_entry(entry: str, factor: float) -> Mistake:
    def change(g: np.ndarray, dy: np.ndarray, n: int) -> np.ndarray:
        changed = g.copy()
        if g.size:
            changed.flat[{"first": 0, "middle": g.size // 2, "last": g.size - 1}[entry]] *= factor
        return changed

    return change


MISTAKES = tuple(_mistakes())
