"""Gradient checks for this library's layers and for everybody's functions.

All return None or raise one `GradientError` that says what is wrong, where, and what to do. `docs/check-a-gradient.md`
shows them on layers, NumPy functions, PyTorch and JAX.

`functional_nn.testing.strategies` has hypothesis strategies for inputs, parameters and networks to check (imported by
itself: it needs hypothesis).
"""

from functional_nn.testing.check import check_function, check_gradient, check_loss, check_vjp
from functional_nn.testing.check_jax import check_jax
from functional_nn.testing.check_layer import check_layer
from functional_nn.testing.check_torch import check_torch
from functional_nn.testing.verdict import GradientError

__all__ = [
    "GradientError",
    "check_function",
    "check_gradient",
    "check_jax",
    "check_layer",
    "check_loss",
    "check_torch",
    "check_vjp",
]


def __dir__() -> list[str]:
    return __all__
