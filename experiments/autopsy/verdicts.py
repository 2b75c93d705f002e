"""What the gradient checker says of each defect, asked of the layer or the loss alone, in float64.

Defects 5 and 6 are no wrong gradients, and 9 is none where nothing overflows: of these the checker is asked too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import functional_nn as fnn
from experiments.autopsy.defects import DEFECTS, Defect, loss_with_defects
from functional_nn import layers, losses
from functional_nn.testing import GradientError, check_loss, check_vjp

LARGE_LOGITS = 12_000.0  # beyond what 80 bits hold the exponential of

# The right layer that a defect's `swap` is asked to spoil, and the shape of a batch for it.
SUBJECTS: dict[str, tuple[fnn.Layer, tuple[int, ...]]] = {
    "sigmoid": (layers.sigmoid, (4, 5)),
    "silu": (layers.silu, (4, 5)),
    "conv2d": (layers.conv2d(4, 3), (5, 6, 6, 3)),
    "max_pool": (layers.max_pool(2), (5, 6, 6, 3)),
    "output": (layers.dense(3), (4, 6)),
}


class Ruling(NamedTuple):
    """The checker's verdict, None for "no objection", the place that it names, and what it says."""

    verdict: str | None
    place: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        return "passes" if self.verdict is None else f"{self.verdict} at {self.place}"


def ruling(name: str, seed: int = 0) -> Ruling | None:
    """Return the checker's ruling on a defect, None for one that no function has (6)."""
    defect = DEFECTS[name]
    if defect.swap is not None:
        layer, params, x = spoiled(defect, seed)
        return _ask(check_vjp, layer, params, x)
    if defect.twice or defect.naive:
        return _ask(check_loss, loss_with_defects([name]), *_logits(seed))
    return None


def ruling_on_large_logits(loss: losses.Loss, seed: int = 0) -> Ruling:
    """Return the checker's ruling on a loss of logits as large as `LARGE_LOGITS`."""
    logits, labels = _logits(seed)
    return _ask(check_loss, loss, logits + LARGE_LOGITS, labels)


def spoiled(defect: Defect, seed: int = 0) -> tuple[fnn.Layer, Any, np.ndarray]:
    """Return the layer with this defect, and float64 parameters and a batch for it."""
    layer, (n, *shape) = SUBJECTS[defect.parts[0]]
    wrong, rng = defect.swap(layer), np.random.default_rng(seed)
    params = fnn.tree.map(lambda p: rng.standard_normal(p.shape), wrong.init(rng, tuple(shape)))
    return wrong, params, rng.standard_normal((n, *shape))


def _logits(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((6, 5)), rng.integers(0, 5, 6)


def _ask(check: Any, *subject: Any) -> Ruling:
    try:
        check(*subject)
    except GradientError as error:
        return Ruling(str(error.verdict), error.place, error.message)
    return Ruling(None)
