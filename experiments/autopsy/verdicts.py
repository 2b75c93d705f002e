"""The gradient checker's verdict on each defect, for the layer or the loss alone, in float64.

Defects 5 and 6 are no wrong gradients, and 9 is none where nothing overflows. For defect 9 this module also measures
which logits overflow and how long the author's remedy takes.
"""

from __future__ import annotations

from statistics import median
from typing import Any, NamedTuple

import numpy as np

import functional_nn as fnn
from experiments.autopsy.defects import DEFECTS, Defect, loss_with_defects
from experiments.autopsy.defects.cross_entropy import naive_softmax
from experiments.running.machine import seconds
from functional_nn import layers, losses
from functional_nn.testing import GradientError, check_loss, check_vjp

LARGE_LOGITS = 12_000.0  # their exponential exceeds the range of 80-bit floats
DTYPES = (np.float32, np.float64, np.longdouble)

# The right layer to which a defect's `swap` is applied, and the shape of a batch for it.
SUBJECTS: dict[str, tuple[fnn.Layer, tuple[int, ...]]] = {
    "sigmoid": (layers.sigmoid, (4, 5)),
    "silu": (layers.silu, (4, 5)),
    "conv2d": (layers.conv2d(4, 3), (5, 6, 6, 3)),
    "max_pool": (layers.max_pool(2), (5, 6, 6, 3)),
    "output": (layers.dense(3), (4, 6)),
}


class Ruling(NamedTuple):
    """The checker's verdict (None: the gradient passes), the place that it names, and its message."""

    verdict: str | None
    place: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        return "passes" if self.verdict is None else f"{self.verdict} at {self.place}"


def ruling(name: str, seed: int = 0) -> Ruling | None:
    """Return the checker's ruling on a defect; None for defect 6, which is in no function."""
    defect = DEFECTS[name]
    if defect.swap is not None:
        layer, params, x = with_defect(defect, seed)
        return _ask(check_vjp, layer, params, x)
    if defect.twice or defect.naive:
        return _ask(check_loss, loss_with_defects([name]), *_logits(seed))
    return None


def ruling_on_large_logits(loss: losses.Loss, seed: int = 0) -> Ruling:
    """Return the checker's ruling on a loss of logits as large as `LARGE_LOGITS`."""
    logits, labels = _logits(seed)
    return _ask(check_loss, loss, logits + LARGE_LOGITS, labels)


def with_defect(defect: Defect, seed: int = 0) -> tuple[fnn.Layer, Any, np.ndarray]:
    """Return the layer with this defect, and float64 parameters and a batch for it."""
    layer, (n, *shape) = SUBJECTS[defect.parts[0]]
    wrong, rng = defect.swap(layer), np.random.default_rng(seed)
    params = fnn.tree.map(lambda p: rng.standard_normal(p.shape), wrong.init(rng, tuple(shape)))
    return wrong, params, rng.standard_normal((n, *shape))


def overflow() -> dict[str, Any]:
    """Return the largest logit at which the naive softmax is finite, by dtype, the checker's rulings, and times.

    "seconds" are medians over batches of 128 rows of 50 logits, in float32: of the author's remedy, and of the right
    softmax.
    """
    logits = np.random.default_rng(0).standard_normal((128, 50)).astype(np.float32)
    return {
        "largest_logit": {np.dtype(dtype).name: _largest_logit(dtype) for dtype in DTYPES},
        "bits_of_longdouble": 1 + np.finfo(np.longdouble).nexp + np.finfo(np.longdouble).nmant,
        "logits_checked": LARGE_LOGITS,
        "naive": str(ruling_on_large_logits(loss_with_defects(["9"]))),
        "right": str(ruling_on_large_logits(losses.softmax_cross_entropy)),
        "seconds": {
            "naive": median(seconds(lambda: naive_softmax(logits), 50, warmup=1)),
            "right": median(seconds(lambda: losses.softmax(logits), 50, warmup=1)),
        },
    }


def _largest_logit(dtype: type[np.floating]) -> int:
    """Return the largest whole logit at which the naive softmax in `dtype` is finite, by bisection."""
    low, high = 0, 20_000
    while high - low > 1:
        middle = (low + high) // 2
        finite = np.isfinite(naive_softmax(np.array([middle, 0.0]), dtype)).all()
        low, high = (middle, high) if finite else (low, middle)
    return low


def _logits(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((6, 5)), rng.integers(0, 5, 6)


def _ask(check: Any, *subject: Any) -> Ruling:
    try:
        check(*subject)
    except GradientError as error:
        return Ruling(str(error.verdict), error.place, error.message)
    return Ruling(None)
