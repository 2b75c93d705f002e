"""Optimizers made of gradient transformations that chain (after optax), and schedules of the learning rate."""

from functional_nn.optim.optimizers import adagrad, adam, rmsprop, sgd
from functional_nn.optim.schedules import Schedule, cosine, exponential, one_cycle, piecewise, step_decay
from functional_nn.optim.transforms import (
    Transform,
    add_decayed_weights,
    apply_updates,
    clip_by_global_norm,
    scale_by_adagrad,
    scale_by_adam,
    scale_by_learning_rate,
    scale_by_rms,
    trace,
)
from functional_nn.optim.wrappers import accumulate, chain, masked, parameter_average

__all__ = [
    "Schedule",
    "Transform",
    "accumulate",
    "adagrad",
    "adam",
    "add_decayed_weights",
    "apply_updates",
    "chain",
    "clip_by_global_norm",
    "cosine",
    "exponential",
    "masked",
    "one_cycle",
    "parameter_average",
    "piecewise",
    "rmsprop",
    "scale_by_adagrad",
    "scale_by_adam",
    "scale_by_learning_rate",
    "scale_by_rms",
    "sgd",
    "step_decay",
    "trace",
]
