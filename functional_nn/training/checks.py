"""What `fit` checks before any work is lost, and what it says when training diverges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from functional_nn import keys, tree
from functional_nn.anatomy import leaf_layers
from functional_nn.arguments import array, count, optional
from functional_nn.layer import Layer, Params, Shape
from functional_nn.loss import Loss, check_loss
from functional_nn.optim import Transform
from functional_nn.parallel import ALONE, Ranks, own_share
from functional_nn.result import FitResult
from functional_nn.training.evaluation import as_transform
from functional_nn.training.grad import BatchTransform
from functional_nn.training.run import AnyCallback, Data, Run

__all__ = ["as_callbacks", "check_fit", "check_run", "describe_divergence", "first_result"]

BLOCK_ENTRIES = 2**20  # of outputs, for which the loss checks targets at a time


def check_run(run: Run, epochs: int) -> None:
    """Raise for an argument of a wrong kind."""
    if not isinstance(run.optimizer, Transform):
        raise TypeError(f"fit: optimizer is {run.optimizer!r}, expected a transformation, such as optim.sgd(0.1)")
    if not isinstance(run.model, Layer):
        raise TypeError(f"fit: model is {run.model!r}, expected a Layer")
    check_loss("fit", run.loss)
    for argument, number in (("epochs", epochs), ("batch_size", run.batch_size)):
        count("fit", argument, number)
    for argument, choice in (("chunk", run.chunk), ("workers", run.workers)):
        optional(count)("fit", argument, choice)
    as_transform("fit", run.transform)
    keys.fold(run.seed)
    for name, split in _splits(run):
        _check_arrays(name, split)


def check_fit(run: Run, params: Params, ranks: Ranks = ALONE) -> None:
    """Run one example of each split through the model, and this rank's share of the targets through the loss."""
    for _, (x, targets) in _splits(run):
        first = run.transform(x[:1], None)
        outputs, _ = run.model.vjp(params, first, key=0, wrt_x=False)
        _check_targets(run.loss, outputs, targets, ranks)
    batch_size = min(run.batch_size, run.chunk or run.batch_size, len(run.data[0]))
    _check_batch_norm(run.model, first.shape[1:], batch_size)


def _splits(run: Run) -> list[tuple[str, Data]]:
    return [("data", run.data), *([] if run.validation is None else [("validation", run.validation)])]


def as_callbacks(callback: Any) -> tuple[AnyCallback, ...]:
    """Return the callbacks as a tuple; raise `TypeError` for what cannot be called."""
    several = () if callback is None else tuple(callback) if isinstance(callback, list | tuple) else (callback,)
    for one in several:
        if not callable(one) or isinstance(one, type):
            raise TypeError(f"fit: callback is {one!r}, expected a function of a FitResult, or a sequence of them")
    return several


def first_result(params: Params | None, resume: FitResult | None, optimizer: Transform) -> FitResult:
    """Return the result that training goes on from; raise where `resume` is not one of this optimizer's."""
    if resume is None:
        if not isinstance(params, Mapping):
            remedy = ": give its .params, or resume= it" if isinstance(params, FitResult) else ""
            kind = type(params).__name__
            raise TypeError(f"fit: params are a {kind}, expected a dict as the model's init returns it{remedy}")
        return FitResult(dict(params), optimizer.init(params), [])
    if not isinstance(resume, FitResult):
        raise TypeError(f"fit: resume is a {type(resume).__name__}, expected a FitResult")
    if params is not None:
        _check_alike("params and those of resume", params, resume.params)
    _check_alike("the state of resume and this optimizer's", optimizer.init(resume.params), resume.state)
    return resume._replace(history=list(resume.history))


def _check_alike(what: str, expected: Any, tree_: Any) -> None:
    try:
        tree.map(_check_leaves_alike, expected, tree_)
    except TypeError as error:
        raise TypeError(f"fit: {what} differ: {error}") from error


def _check_leaves_alike(a: Any, b: Any) -> None:
    if np.shape(a) != np.shape(b) or getattr(a, "dtype", type(a)) != getattr(b, "dtype", type(b)):
        one, two = (f"{getattr(x, 'dtype', type(x).__name__)} of shape {np.shape(x)}" for x in (a, b))
        raise TypeError(f"{one} against {two}")


def describe_divergence(what: str, params: Params, grads: Params, data: Data, transform: BatchTransform) -> str:
    """Return the message of a `DivergenceError`: the first array that is not finite, and what to do."""
    x, targets = data
    for name, values, prepare in (("input", x, transform), ("target", targets, lambda y, key: y)):
        index = _first_bad_example(values, prepare)
        if index is not None:
            return f"{what}; {name} {index} of the data is not finite: remove or replace such examples"
    for name, leaves in (("parameter", params), ("the gradient of", grads)):
        for path, leaf in tree.items(leaves):
            if not np.isfinite(leaf).all():
                return f"{what}; {name} {path} is not finite. {REMEDY}"
    return f"{what}; all parameters and gradients are finite. {REMEDY}"


REMEDY = "Try a smaller learning rate, or optim.clip_by_global_norm; what was learned before is this error's .result"


def _check_arrays(name: str, split: Any) -> None:
    if not isinstance(split, tuple | list) or len(split) != 2:
        raise TypeError(f"fit: {name} is a {type(split).__name__}, expected a pair of arrays (inputs, targets)")
    x, targets = array("fit", f"{name}'s inputs", split[0]), array("fit", f"{name}'s targets", split[1])
    if x.ndim == 0 or targets.ndim == 0 or len(x) != len(targets) or len(x) == 0:
        sizes = f"inputs of shape {x.shape} and targets of shape {targets.shape}"
        raise ValueError(f"fit: {name} has {sizes}, expected as many examples, at least one")


def _check_targets(loss: Loss, outputs: np.ndarray, targets: np.ndarray, ranks: Ranks) -> None:
    """Let the loss look at the targets, block by block; a whole data set's outputs might not fit into memory."""
    step = max(1, BLOCK_ENTRIES // max(1, math.prod(outputs.shape[1:])))
    zeros = np.zeros((min(step, len(targets)), *outputs.shape[1:]), outputs.dtype)
    for start in (i * step for i in own_share(-(-len(targets) // step), ranks)):
        block = targets[start : start + step]
        try:
            loss.apply(zeros[: len(block)], block)
        except ValueError as error:
            where = f" (in the targets from {start} on)" if start else ""
            raise ValueError(f"{error}{where}") from error


def _check_batch_norm(model: Layer, input_shape: Shape, batch_size: int) -> None:
    for leaf in leaf_layers(model, input_shape):
        if leaf.layer.moments and batch_size * math.prod(leaf.input_shape[:-1]) < 2:
            path = ".".join((model.name, *leaf.path))
            raise ValueError(f"{path}: one vector a batch has no variance: fit needs a batch_size of at least 2")


def _first_bad_example(values: np.ndarray, prepare: Callable[[np.ndarray, None], np.ndarray]) -> int | None:
    step = max(1, BLOCK_ENTRIES // max(1, math.prod(values.shape[1:])))
    for start in range(0, len(values), step):
        block = prepare(values[start : start + step], None)
        if block.dtype.kind == "f" and not np.isfinite(block).all():
            bad = ~np.isfinite(block).reshape(len(block), -1).all(axis=1)
            return start + int(np.flatnonzero(bad)[0])
    return None
