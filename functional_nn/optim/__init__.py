"""Optimizers made of gradient transformations that chain (after optax), and schedules of the learning rate."""

from functional_nn.optim.optimizers import adam, sgd
from functional_nn.optim.schedules import Schedule, cosine, step_decay
from functional_nn.optim.transforms import (
    Transform,
    add_decayed_weights,
    apply_updates,
    chain,
    clip_by_global_norm,
    scale_by_adam,
    scale_by_learning_rate,
    trace,
)

__all__ = [
    "Schedule",
    "Transform",
    "adam",
    "add_decayed_weights",
    "apply_updates",
    "chain",
    "clip_by_global_norm",
    "cosine",
    "scale_by_adam",
    "scale_by_learning_rate",
    "sgd",
    "step_decay",
    "trace",
]
