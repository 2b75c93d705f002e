"""Batch after batch on processes: what the gradient function refers to may change, and whatever fails ends all."""

from __future__ import annotations

import os
import pathlib
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, tree
from functional_nn.training.grad import ValueAndGrad
from tests.refusals import refused

X = np.arange(16.0)[:, np.newaxis]
PARAMS = {"w": np.array([[2.0]]), "b": np.array([0.5])}
LOSS_AND_GRAD = fnn.value_and_grad(layers.dense(1), losses.mean_squared_error)


class LargeError(Exception):
    """One whose report does not fit into a socket's buffer."""


class Scaled:
    def __init__(self):
        self.scale = 1.0

    def __call__(self, params, x, targets, *, key=None):
        value, grads = LOSS_AND_GRAD(params, x, targets)
        return self.scale * value, tree.map(lambda g: self.scale * g, grads)


def failing(params, x, targets, *, key=None):
    if 15.0 in x:  # in the last rank's chunk alone
        error = LargeError("mine")
        error.batch = np.zeros(400_000, np.uint8)
        raise error
    return LOSS_AND_GRAD(params, x, targets)


@pytest.mark.parametrize("n", [2, 4, 8])
def test_a_large_error_of_the_last_rank_reaches_the_script(n):
    with fnn.processes(n) as comm, pytest.raises(LargeError, match="mine") as caught:
        fnn.data_parallel(failing, chunk=2, comm=comm)(PARAMS, X, X)
    assert caught.value.batch.shape == (400_000,)


def test_what_a_gradient_function_holds_may_change_from_call_to_call():
    grad_fn = Scaled()
    with fnn.processes(2) as comm:
        step = fnn.data_parallel(grad_fn, chunk=4, comm=comm)
        for scale in (1.0, 2.0, 0.5):
            grad_fn.scale = scale
            assert step(PARAMS, X, X)[0] == fnn.data_parallel(grad_fn, chunk=4)(PARAMS, X, X)[0]


@dataclass(frozen=True)
class Frozen:
    held: Any = None

    def __call__(self, params, x, targets, *, key=None):
        return LOSS_AND_GRAD(params, x, targets)


def of_layer(layer, transform=None):
    return ValueAndGrad(fnn.serial(f=layers.dense(1), l=layer), losses.mean_squared_error, transform=transform)


def closure():
    held = [1.0]
    return lambda params, x: held[0] * x


BY_HAND = fnn.Layer("by hand", apply=np.multiply, vjp=lambda params, x, **_: (x, lambda dy: ({}, dy)))
STANDARDIZE = fnn.data.standardize(X)
# what can change where the caller keeps it, or cannot
GRAD_FUNCTIONS = {
    "a library's": (of_layer(layers.relu), True),
    "a library's, with a transform": (of_layer(layers.leaky_relu(0.2), STANDARDIZE), True),
    "with a function of its own": (of_layer(layers.relu, closure()), False),
    "a layer of its own": (of_layer(BY_HAND), False),
    "with an array": (of_layer(fnn.bind(layers.dense(1), {"w": np.ones((1, 1))})), False),
    "a partial one": (partial(LOSS_AND_GRAD, key=None), False),
    "a bound method": (LOSS_AND_GRAD.__call__, False),
    "with an object": (Scaled(), False),
    "frozen, with a list": (Frozen([1.0]), False),
    "frozen, with a dict": (Frozen({"a": 1.0}), False),
}


@pytest.mark.parametrize("name", GRAD_FUNCTIONS)
def test_what_cannot_change_is_packed_once(name, monkeypatch):
    grad_fn, constant = GRAD_FUNCTIONS[name]
    packs = []
    with fnn.processes(2) as comm:
        pack = comm._packed
        monkeypatch.setattr(comm, "_packed", lambda *args, **how: packs.append(pack(*args, **how)) or packs[-1])
        with comm.session(nothing_asked, grad_fn):
            pass
        with comm.session(nothing_asked, grad_fn):
            pass
        assert len(packs) == (1 if constant else 2)
        assert packs[0].constant is constant
        with comm.session(nothing_asked, grad_fn, "another argument"):
            pass
        with np.errstate(all="raise"), comm.session(nothing_asked, grad_fn, "another argument"):
            pass
        assert len({pack.head for pack in packs}) == 3


def nothing_asked(ranks, *arguments):
    assert list(ranks.requests()) == []


def test_gradients_unlike_the_parameters_are_refused():
    def part_of_it(params, x, targets, *, key=None):
        value, grads = LOSS_AND_GRAD(params, x, targets)
        return value, {"w": grads["w"]}

    what = "data_parallel: with comm, grad_fn's gradients must have the names, shapes and dtypes of params: "
    with fnn.processes(2) as comm, pytest.raises(TypeError, match=f"^{what}"):
        fnn.data_parallel(part_of_it, chunk=4, comm=comm)(PARAMS, X, X)


def test_an_entry_of_the_path_that_python_ignores_is_left_out(monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path, pathlib.Path("/nowhere")])
    with fnn.processes(2) as comm:
        assert fnn.data_parallel(LOSS_AND_GRAD, chunk=4, comm=comm)(PARAMS, X, X)[0] > 0


def test_a_fork_cannot_use_the_processes_of_its_parent(monkeypatch):
    with fnn.processes(2) as comm:
        own = os.getpid()
        monkeypatch.setattr(os, "getpid", lambda: own + 1)
        why = "belongs to the process that this one was forked from: make another one here"
        with refused(RuntimeError, f"processes(2): {why}"):
            fnn.data_parallel(LOSS_AND_GRAD, chunk=4, comm=comm)(PARAMS, X, X)
        monkeypatch.undo()


def test_an_interrupt_while_processes_are_ended_leaves_none_of_them_behind(monkeypatch):
    with fnn.processes(2) as comm:
        step = fnn.data_parallel(LOSS_AND_GRAD, chunk=4, comm=comm)
        expected = step(PARAMS, X, X)[0]
        (helper,) = comm._helpers
        with monkeypatch.context() as patched:
            patched.setattr(helper, "wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                comm._stop()
        assert step(PARAMS, X, X)[0] == expected
        helper.wait(5)
        helper.stdin.close()
