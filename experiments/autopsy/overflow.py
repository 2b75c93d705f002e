"""From which logits a softmax without its maximum overflows, and what the rescue costs (defect 9)."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from experiments.autopsy.defects import loss_with_defects
from experiments.autopsy.defects.cross_entropy import naive_softmax
from experiments.autopsy.verdicts import LARGE_LOGITS, ruling_on_large_logits
from functional_nn import losses

DTYPES = (np.float32, np.float64, np.longdouble)


def overflow() -> dict[str, Any]:
    """Return the largest whole logit that each dtype bears, the checker's rulings, and seconds of both softmaxes.

    "seconds" are medians over batches of 128 rows of 50 logits, in float32: the rescue's and the right one's.
    """
    logits = np.random.default_rng(0).standard_normal((128, 50)).astype(np.float32)
    return {
        "largest_logit": {np.dtype(dtype).name: _largest(dtype) for dtype in DTYPES},
        "bits_of_longdouble": 1 + np.finfo(np.longdouble).nexp + np.finfo(np.longdouble).nmant,
        "logits_checked": LARGE_LOGITS,
        "naive": str(ruling_on_large_logits(loss_with_defects(["9"]))),
        "right": str(ruling_on_large_logits(losses.softmax_cross_entropy)),
        "seconds": {
            "naive": _seconds(lambda: naive_softmax(logits)),
            "right": _seconds(lambda: losses.softmax(logits)),
        },
    }


def _largest(dtype: type[np.floating]) -> int:
    """Return the largest whole logit at which the naive softmax in `dtype` is finite, by bisection."""
    low, high = 0, 20_000
    while high - low > 1:
        middle = (low + high) // 2
        finite = np.isfinite(naive_softmax(np.array([middle, 0.0]), dtype)).all()
        low, high = (middle, high) if finite else (low, middle)
    return low


def _seconds(call: Callable[[], Any], times: int = 50) -> float:
    call()
    seconds = []
    for _ in range(times):
        began = perf_counter()
        call()
        seconds.append(perf_counter() - began)
    return median(seconds)
