"""Value and gradient of a loss over a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from functional_nn import keys
from functional_nn.arguments import flag
from functional_nn.blas import one_blas_thread
from functional_nn.compose.parts import check_layer
from functional_nn.layer import Layer, Params, Shape
from functional_nn.loss import Loss, check_loss

__all__ = ["BatchTransform", "GradFunction", "ValueAndGrad", "value_and_grad"]

BatchTransform = Callable[[np.ndarray, keys.Key | None], np.ndarray]


class GradFunction(Protocol):
    """`grad_fn(params, x, targets, *, key=None) -> (value, grads)`, or ((value, outputs), grads)."""

    def __call__(  # noqa: D102
        self, params: Params, x: np.ndarray, targets: np.ndarray, *, key: keys.Key | None = None
    ) -> tuple[Any, Params]: ...


@dataclass(frozen=True)
class ValueAndGrad:
    """See `value_and_grad`.

    With a `transform`, x are raw inputs and `transform(x, key)` makes the model's: its key is folded with 1, the
    model's with 0.
    """

    model: Layer
    loss: Loss
    outputs: bool = False
    transform: BatchTransform | None = None

    def __call__(
        self, params: Params, x: np.ndarray, targets: np.ndarray, *, key: keys.Key | None = None
    ) -> tuple[Any, Params]:
        """Return (value, grads), or ((value, outputs), grads): the mean over the batch and its gradient."""
        with one_blas_thread():
            if self.transform is not None:
                x = self.transform(x, None if key is None else keys.fold(key, 1))
                key = None if key is None else keys.fold(key, 0)
            outputs, model_pullback = self.model.vjp(params, x, key=key, wrt_x=False)
            value, loss_pullback = self.loss.vjp(outputs, targets)
            grads, _ = model_pullback(loss_pullback(1.0))
        return ((value, outputs) if self.outputs else value), grads

    def input_shape(self, x: np.ndarray) -> Shape:
        """Return the shape of the model's input for raw inputs x, without the batch axis."""
        return (x if self.transform is None else self.transform(x[:1], None)).shape[1:]


def value_and_grad(model: Layer, loss: Loss, outputs: bool = False) -> ValueAndGrad:
    """Return the function (params, x, targets, *, key=None) -> (value, grads), the mean loss and its gradient.

    With `outputs`, it returns ((value, outputs), grads). `grads` has exactly the tree of `params`. Raises `TypeError`
    for what is no layer or no loss.

    >>> loss_and_grad = fnn.value_and_grad(layers.dense(1), losses.mean_squared_error)
    >>> params = {"w": np.array([[2.0]]), "b": np.array([0.0])}
    >>> loss_and_grad(params, np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]]))  # errors 1 and 4
    (8.5, {'w': array([[13.]]), 'b': array([5.])})
    """
    check_layer("value_and_grad: model", model)
    check_loss("value_and_grad", loss)
    return ValueAndGrad(model, loss, flag("value_and_grad", "outputs", outputs))
