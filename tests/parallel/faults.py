"""What the tests of faults share: what other processes do, the calls that run it, and what must be left: nothing."""

from __future__ import annotations

import os
from contextlib import contextmanager

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses
from tests.parallel.calls import LABELS, MODEL, PARAMS, X, fit
from tests.parallel.leftovers import own_helpers, shared_files

HERE = os.getpid()


@contextmanager
def ends(comm, kind, message=None):
    """The block raises this error, and leaves neither another process of `comm` nor shared memory."""
    shared, pids = shared_files(), {helper.pid for helper in comm._helpers}
    with pytest.raises(kind) as caught:
        yield caught
    assert message is None or str(caught.value) == message
    assert comm._helpers == []
    assert pids.isdisjoint(helper.pid for helper in own_helpers())
    assert shared_files() - shared == set()


def timeless(result):
    return result[:2] if isinstance(result, fnn.FitResult) else result


def of_other(action):
    """A transform that acts in the other processes alone."""

    def transform(x, key):
        if os.getpid() != HERE:
            action(x)
        return x

    return transform


def raising(error):
    def action(x):
        raise error

    return of_other(action)


def at(chunk, action):
    """An action of the process that has this chunk of three rows."""

    def acting(x):
        if x[0, 0] == X[3 * chunk, 0]:
            action()

    return acting


ONES = np.ones((4000, 3), np.float32)  # several chunks of a prediction


def own_gradient(comm, transform):
    def grad_fn(params, x, targets, key=None):
        return float(transform(x, key).sum()), {}

    return fnn.data_parallel(grad_fn, chunk=3, comm=comm)({}, X, LABELS)


TRANSFORMING = {
    "fit": lambda comm, transform: fit(comm, transform=transform),
    "predict": lambda comm, transform: fnn.predict(layers.relu, {}, ONES, transform=transform, comm=comm),
    "evaluate": lambda comm, transform: fnn.evaluate(
        layers.relu, {}, ONES, ONES, loss=losses.mean_squared_error, transform=transform, comm=comm
    ),
    "statistics": lambda comm, transform: fnn.statistics(
        MODEL, PARAMS, X, batch_size=3, transform=transform, comm=comm
    ),
    "data_parallel": own_gradient,
}  # fmt: skip
