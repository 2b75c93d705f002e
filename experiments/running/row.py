"""One row of a table: the network that it trains, and the settings that train it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import functional_nn as fnn
from functional_nn import losses, optim

IMAGE_AXES = 3  # height, width, channels


@dataclass(frozen=True)
class Settings:
    """How a network is trained.

    - `optimizer(schedule_or_rate, weight_decay=...)` returns the optimizer;
    - `cosine`: the learning rate rises for a twentieth of all steps and then falls along a cosine; otherwise it is
      constant;
    - `shift`: the largest random shift in pixels; `rotation`, `scale`: the largest random angle in degrees and change
      in size (0.1: a tenth); `flip`: whether images are mirrored at random (see `applied`);
    - `average`: the decay of the moving average of the parameters that the network keeps in place of the last ones; 0
      keeps the last ones;
    - `unit_variance`: the training set's statistics bring inputs to zero mean and unit variance; otherwise inputs are
      scaled to a range of one and centred.
    """

    learning_rate: float
    epochs: int
    weight_decay: float = 0.0
    batch_size: int = 128
    shift: int = 2
    flip: bool = True
    cosine: bool = True
    unit_variance: bool = True
    optimizer: Callable[..., optim.Transform] = optim.adam
    rotation: float = 0.0
    scale: float = 0.0
    average: float = 0.0

    def applied(self, shape: tuple[int, ...]) -> Settings:
        """Return what is done to inputs of this shape, without the batch axis.

        Features are not shifted, turned, scaled or mirrored; grey images are not mirrored, because a mirrored digit is
        another sign.
        """
        if len(shape) != IMAGE_AXES:
            return replace(self, shift=0, rotation=0.0, scale=0.0, flip=False)
        return replace(self, flip=self.flip and shape[-1] > 1)

    def described(self) -> dict[str, Any]:
        """Return the settings as JSON can hold them."""
        return asdict(self) | {"optimizer": self.optimizer.__name__}


@dataclass(frozen=True)
class Row:
    """One row of a table.

    - `network(classes=...)` returns the model; None stands for scikit-learn's one-layer Perceptron, without settings;
    - `frozen`: the convolutions keep their random start (the report's rows without "grad");
    - `on_features`: the network takes hand-made features in place of pixels where the user asks for them;
    - `loss`: the loss that it is trained with;
    - `smallest_wins`: its outputs are penalties, so the class with the smallest one is its answer.
    """

    name: str
    title: str
    network: Callable[..., fnn.Layer] | None = None
    settings: Settings | None = None
    frozen: bool = False
    on_features: bool = False
    loss: losses.Loss = losses.softmax_cross_entropy
    smallest_wins: bool = False
