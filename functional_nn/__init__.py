"""Functional neural networks in pure NumPy."""

import importlib
from typing import Any

from functional_nn import data, initializers, keys, layers, losses, models, optim, tree
from functional_nn.allocator import keep_freed_memory
from functional_nn.anatomy import activations, summary, trace
from functional_nn.compose import bind, branch, residual, serial, tie
from functional_nn.layer import Layer
from functional_nn.parallel import processes
from functional_nn.result import FitResult
from functional_nn.saving import load, save
from functional_nn.trained import Trained
from functional_nn.training import (
    DivergenceError,
    Interrupted,
    callbacks,
    data_parallel,
    evaluate,
    fit,
    predict,
    statistics,
    value_and_grad,
)
from functional_nn.value import constructor

__version__ = "0.1.0"

__all__ = [
    "DivergenceError",
    "FitResult",
    "Interrupted",
    "Layer",
    "Trained",
    "activations",
    "bind",
    "branch",
    "callbacks",
    "constructor",
    "data",
    "data_parallel",
    "evaluate",
    "fit",
    "initializers",
    "keys",
    "layers",
    "load",
    "losses",
    "models",
    "optim",
    "predict",
    "processes",
    "residual",
    "save",
    "serial",
    "statistics",
    "summary",
    "testing",
    "tie",
    "trace",
    "tree",
    "value_and_grad",
]


keep_freed_memory()


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "testing":  # imported when it is first used
        return importlib.import_module("functional_nn.testing")
    raise AttributeError(f"module 'functional_nn' has no attribute {name!r}; it has {', '.join(__all__)}")
