"""What does not change from epoch to epoch of a training run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from functional_nn import keys
from functional_nn.layer import Layer
from functional_nn.loss import Loss
from functional_nn.optim import Transform
from functional_nn.result import FitResult
from functional_nn.training.grad import BatchTransform

__all__ = ["AnyCallback", "Data", "OneOrMoreCallbacks", "Run"]

AnyCallback = Callable[[FitResult], bool | None]
OneOrMoreCallbacks = AnyCallback | Sequence[AnyCallback] | None
Data = tuple[np.ndarray, np.ndarray]


class Run(NamedTuple):
    """The arguments of `fit` that its epochs need."""

    model: Layer
    data: Data
    validation: Data | None
    loss: Loss
    optimizer: Transform
    batch_size: int
    transform: BatchTransform
    workers: int | None
    chunk: int | None
    seed: keys.Key
