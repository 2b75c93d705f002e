"""Functional neural networks in pure NumPy."""

from functional_nn import data, initializers, keys, layers, losses, models, optim, tree
from functional_nn.compose import bind, branch, residual, serial
from functional_nn.grad import data_parallel, value_and_grad
from functional_nn.layer import Layer
from functional_nn.overview import summary
from functional_nn.population import statistics
from functional_nn.train import evaluate, fit, predict

__all__ = [
    "Layer",
    "bind",
    "branch",
    "data",
    "data_parallel",
    "evaluate",
    "fit",
    "initializers",
    "keys",
    "layers",
    "losses",
    "models",
    "optim",
    "predict",
    "residual",
    "serial",
    "statistics",
    "summary",
    "tree",
    "value_and_grad",
]
