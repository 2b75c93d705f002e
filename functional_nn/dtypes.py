"""The dtypes of parameters and inputs: float32 and float64; complex128 for the checker's complex step alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

__all__ = ["FLOATS", "complex_taken", "is_taken"]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
COMPLEX = np.dtype(np.complex128)
_takes_complex: ContextVar[bool] = ContextVar("takes_complex", default=False)


def is_taken(dtype: np.dtype[Any]) -> bool:
    """Return whether layers take inputs of this dtype."""
    return dtype in FLOATS or (dtype == COMPLEX and _takes_complex.get())


@contextmanager
def complex_taken() -> Iterator[None]:
    """Let layers take complex128 within the block, in this thread: for the complex step, never for training."""
    token = _takes_complex.set(True)
    try:
        yield
    finally:
        _takes_complex.reset(token)
