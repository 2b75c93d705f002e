"""Losses of numbers, from outputs y and targets t of one shape; the mean over all outputs of all examples.

mean_squared_error   (y - t)^2; derivative 2 (y - t)
huber                e^2 / 2 where |e| <= delta, else delta (|e| - delta / 2), e = y - t; derivative e held to +-delta
                     (Huber 1964, section 1)
"""

from __future__ import annotations

import numpy as np

from functional_nn.arguments import positive
from functional_nn.loss import Loss, LossPullback, as_rows
from functional_nn.value import constant, constructor


@constant
def mean_squared_error() -> Loss:
    """The mean of (y - t)^2 over all outputs of all examples; the derivative is 2 (y - t) over their number.

    >>> losses.mean_squared_error.apply(np.array([[1.0], [5.0]]), np.array([[0.0], [2.0]]))  # (1 + 9) / 2
    5.0
    """

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        with np.errstate(over="ignore"):
            error = outputs - as_rows("mean_squared_error", outputs, targets)

        def pullback(dvalue: float) -> np.ndarray:
            return error * (2.0 * float(dvalue) / error.size)

        return float(np.square(error, dtype=np.float64).mean()), pullback

    def each(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
        error = np.subtract(outputs, as_rows("mean_squared_error", outputs, targets), dtype=np.float64)
        return np.asarray(np.square(error).reshape(len(error), -1).mean(axis=1))

    return Loss("mean_squared_error", vjp=vjp, each=each)


@constructor(delta=positive)
def huber(delta: float = 1.0) -> Loss:
    """Return the Huber loss, quadratic up to an error of `delta` and linear beyond.

    Raises `ValueError` for a delta that is not above 0.

    >>> losses.huber(delta=1.0).apply(np.array([[1.0], [5.0]]), np.array([[0.0], [2.0]]))  # (0.5 + 2.5) / 2
    1.5
    """

    def vjp(outputs: np.ndarray, targets: np.ndarray) -> tuple[float, LossPullback]:
        with np.errstate(over="ignore"):
            error = outputs - as_rows("huber", outputs, targets)
        held = np.clip(error, -delta, delta)

        def pullback(dvalue: float) -> np.ndarray:
            return held * (float(dvalue) / held.size)

        values = np.multiply(held, error - 0.5 * held, dtype=np.float64)  # h (e - h / 2) is both forms
        return float(values.mean()), pullback

    return Loss("huber", vjp=vjp)
