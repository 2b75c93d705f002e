"""Dropout: in training each entry is zero with probability drop_rate, else divided by 1 - drop_rate.

(Srivastava et al. 2014, section 4, with the scale in training, so that inference is the identity.)
"""

from __future__ import annotations

import numpy as np

from functional_nn import keys
from functional_nn.arguments import fraction
from functional_nn.layer import Layer, Params, Pullback, StructureError
from functional_nn.value import constructor


@constructor(drop_rate=fraction)
def dropout(drop_rate: float) -> Layer:
    """Return the layer that drops entries in training, `vjp` with a key; `apply` is the identity.

    Equal keys drop equal entries, whatever the dtype and the memory order of x. Raises `ValueError` unless
    0 <= drop_rate < 1; its `vjp` raises `TypeError` without a key.

    >>> layer, x = layers.dropout(0.5), np.ones((1, 8))
    >>> layer.apply({}, x)
    array([[1., 1., 1., 1., 1., 1., 1., 1.]])
    >>> layer.vjp({}, x, key=0)[0]
    array([[2., 2., 2., 0., 0., 0., 0., 0.]])
    """

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        return x.copy(order="K")

    def vjp(
        params: Params, x: np.ndarray, *, key: keys.Key | None = None, wrt_x: bool = True
    ) -> tuple[np.ndarray, Pullback]:
        if key is None:
            raise StructureError("training draws what to drop: give key=, as fit does (an int, or a tuple)")
        scale = _drawn_scale(key, x, drop_rate)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            return {}, dy * scale if wrt_x else None

        return x * scale, pullback

    return Layer("dropout", apply=apply, vjp=vjp)


def _drawn_scale(key: keys.Key, x: np.ndarray, drop_rate: float) -> np.ndarray:
    """Return 0 or 1 / (1 - drop_rate) for each entry of x, drawn in the order in which images lie in memory."""
    images = x.ndim == 4
    shape = tuple(x.shape[axis] for axis in (1, 3, 2, 0)) if images else x.shape
    scale = (keys.generator(key).random(shape, np.float32) >= drop_rate).astype(x.dtype)
    scale *= 1.0 / (1.0 - drop_rate)
    return scale.transpose(3, 0, 2, 1) if images else scale
