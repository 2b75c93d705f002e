"""Losses: values made of two pure functions, the mean over the batch and its derivative; a family a file."""

from functional_nn.loss import Loss
from functional_nn.losses.classification import (
    cross_entropy,
    hinge,
    kl_divergence,
    labels_hit,
    sigmoid_cross_entropy,
    softmax,
    softmax_cross_entropy,
)
from functional_nn.losses.regression import huber, mean_squared_error
from functional_nn.losses.weights import weighted, weighted_targets

__all__ = [
    "Loss",
    "cross_entropy",
    "hinge",
    "huber",
    "kl_divergence",
    "labels_hit",
    "mean_squared_error",
    "sigmoid_cross_entropy",
    "softmax",
    "softmax_cross_entropy",
    "weighted",
    "weighted_targets",
]
