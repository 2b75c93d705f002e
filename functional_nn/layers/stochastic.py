"""Dropout: in training each entry is zero with probability drop_rate, else divided by 1 - drop_rate.

(Srivastava et al. 2014, section 4, with the scale in training, so that inference is the identity.)
"""

from __future__ import annotations

import numpy as np

from functional_nn import keys
from functional_nn.layer import (
    Layer,
    Params,
    Pullback,
    StructureError,
    check_cotangent,
    check_floats,
    check_params,
    configured,
)
from functional_nn.layers._arguments import finite


def dropout(drop_rate: float) -> Layer:
    """Return the layer that drops entries in training, `vjp` with a key; `apply` is the identity.

    Equal keys drop equal entries, whatever the dtype and the memory order of x. Raises `ValueError` unless
    0 <= drop_rate < 1; its `vjp` raises `TypeError` without a key.
    """
    rate = finite("dropout", "drop_rate", drop_rate)
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"dropout: drop_rate is {drop_rate!r}, the share to drop: expected 0 <= drop_rate < 1")
    return configured("dropout", {"drop_rate": rate}, apply=apply, vjp=vjp)


def apply(params: Params, x: np.ndarray) -> np.ndarray:
    """Return a copy of x: nothing is dropped in inference."""
    check_params("dropout", params)
    check_floats("dropout", x)
    return x.copy(order="K")


def vjp(
    params: Params, x: np.ndarray, *, drop_rate: float, key: keys.Key | None = None, wrt_x: bool = True
) -> tuple[np.ndarray, Pullback]:
    """Return x with entries dropped, and the pullback, which keeps what each entry was multiplied by."""
    check_params("dropout", params)
    check_floats("dropout", x)
    if key is None:
        raise StructureError("dropout", "training draws what to drop: give key=, as fit does (an int, or a tuple)")
    kept = _draw(key, x, drop_rate)
    shape, dtype = x.shape, x.dtype

    def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        check_cotangent("dropout", dy, shape, dtype)
        return {}, dy * kept if wrt_x else None

    return x * kept, pullback


def _draw(key: keys.Key, x: np.ndarray, drop_rate: float) -> np.ndarray:
    """Return 0 or 1 / (1 - drop_rate) for each entry of x, drawn in the order in which images lie in memory."""
    images = x.ndim == 4
    shape = tuple(x.shape[axis] for axis in (1, 3, 2, 0)) if images else x.shape
    kept = (keys.generator(key).random(shape, np.float32) >= drop_rate).astype(x.dtype)
    kept *= 1.0 / (1.0 - drop_rate)
    return kept.transpose(3, 0, 2, 1) if images else kept
