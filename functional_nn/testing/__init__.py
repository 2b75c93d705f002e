"""Gradient checks for users' layers and for this library's own tests.

`check_vjp` and `check_loss` return None or raise one `GradientError` that says what is wrong, where, and what to do.
`functional_nn.testing.strategies` has hypothesis strategies for inputs, parameters and networks to check (imported by
itself: it needs hypothesis).
"""

from functional_nn.testing.check import check_loss, check_vjp
from functional_nn.testing.verdict import GradientError

__all__ = ["GradientError", "check_loss", "check_vjp"]
