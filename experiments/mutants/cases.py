"""A case of a subject: a layer or a loss with a point, what it computes there, and its check as a user would run it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from functional_nn import Layer, tree
from functional_nn.losses import Loss
from functional_nn.testing import check_loss, check_vjp

Arrays = list[tuple[str, Any]]
KEY = 7  # for layers that draw; the others ignore it


class Library(NamedTuple):
    """The modules whose functions are mutated."""

    layers: Any
    compose: Any
    losses: Any


@dataclass(frozen=True)
class LayerCase:
    """A right layer with parameters and a batch, in float64; `draws`: its training pass needs a key."""

    right: Layer
    params: Any
    x: np.ndarray
    draws: bool = False

    def results(self, layer: Layer, seed: int) -> Arrays:
        """Return y and the gradients by name, for the cotangent of this seed."""
        y, pullback = layer.vjp(self.params, self.x, key=KEY)
        dparams, dx = pullback(np.random.default_rng(seed).standard_normal(y.shape))
        return [("y", y), *tree.items(dparams), ("x", dx)]

    def results_without_dx(self, layer: Layer, seed: int) -> Arrays:
        """Return the same as `results`, for a pass with `wrt_x=False`, in which dx must be None."""
        y, pullback = layer.vjp(self.params, self.x, key=KEY, wrt_x=False)
        dparams, dx = pullback(np.random.default_rng(seed).standard_normal(y.shape))
        return [("y", y), *tree.items(dparams), *([] if dx is None else [("x", dx)])]

    def check(self, layer: Layer, seed: int) -> None:
        """Run the checker as a user would."""
        check_vjp(layer, self.params, self.x, key=KEY if self.draws else None, seed=seed)


@dataclass(frozen=True)
class LossCase:
    """A right loss with outputs, in float64, and targets."""

    right: Loss
    outputs: np.ndarray
    targets: np.ndarray

    def results(self, loss: Loss, seed: int) -> Arrays:
        """Return the value and the gradient, for the cotangent of this seed."""
        value, pullback = loss.vjp(self.outputs, self.targets)
        return [("y", np.array(value)), ("outputs", pullback(float(np.random.default_rng(seed).standard_normal())))]

    def results_without_dx(self, loss: Loss, seed: int) -> Arrays:
        """Return nothing: a loss has no such pass."""
        return []

    def check(self, loss: Loss, seed: int) -> None:
        """Run the checker as a user would."""
        check_loss(loss, self.outputs, self.targets, seed=seed)


Case = LayerCase | LossCase
