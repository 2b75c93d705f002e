"""Losses of numbers, from outputs y and targets t of one shape; the mean over all outputs of all examples.

mean_squared_error   (y - t)^2; derivative 2 (y - t)
huber                e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), e = y - t; derivative e held to +-delta
                     (Huber 1964, section 1)
"""

from __future__ import annotations

import math

import numpy as np

from functional_nn.losses._loss import Loss, LossPullback, as_rows, check_outputs, loss_of


def _mean_squared_error(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
    check_outputs("mean_squared_error", outputs)
    error = outputs - as_rows("mean_squared_error", outputs, targets)

    def pullback(dvalue: float) -> np.ndarray:
        return error * (2.0 * float(dvalue) / error.size)

    return float(np.square(error).mean(dtype=np.float64)), pullback


def huber(delta: float = 1.0) -> Loss:
    """Return the Huber loss, quadratic up to an error of `delta` and linear beyond.

    Raises `ValueError` for a delta that is not above 0.
    """
    if not 0.0 < delta < math.inf:
        raise ValueError(f"huber: delta is {delta!r}, expected a finite number above 0")
    return loss_of("huber", _huber, delta=delta)


def _huber(outputs: np.ndarray, targets: np.ndarray, *, delta: float) -> tuple[float, LossPullback]:
    check_outputs("huber", outputs)
    error = outputs - as_rows("huber", outputs, targets)
    held = np.clip(error, -delta, delta)
    value = float((held * (error - 0.5 * held)).mean(dtype=np.float64))  # h (e - h / 2) is both of its forms

    def pullback(dvalue: float) -> np.ndarray:
        return held * (float(dvalue) / held.size)

    return value, pullback


mean_squared_error = loss_of("mean_squared_error", _mean_squared_error)
