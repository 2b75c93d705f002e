"""Training: gradients of a loss over a model, `fit` and what it is made of, evaluation and prediction."""

from functional_nn.parallel import available_cores
from functional_nn.training import callbacks
from functional_nn.training.batch_statistics import statistics
from functional_nn.training.evaluation import evaluate, predict
from functional_nn.training.fit import DivergenceError, Interrupted, fit
from functional_nn.training.grad import value_and_grad
from functional_nn.training.parallel_grad import data_parallel

__all__ = [
    "DivergenceError",
    "Interrupted",
    "available_cores",
    "callbacks",
    "data_parallel",
    "evaluate",
    "fit",
    "predict",
    "statistics",
    "value_and_grad",
]
