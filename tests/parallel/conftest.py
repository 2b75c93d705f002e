"""Processes for the tests of a module: they are started once, as interpreters take their time."""

import sys

import numpy as np
import psutil
import pytest

import functional_nn as fnn
from tests.parallel.calls import CALLS
from tests.parallel.faults import timeless
from tests.parallel.leftovers import time_limit


@pytest.fixture(autouse=True)
def _limited():
    if sys.platform == "win32":
        yield
    else:
        with time_limit():
            yield


def started(n):
    with fnn.processes(n) as comm:
        yield comm
        last = [helper.pid for helper in comm._helpers]
    assert not any(psutil.pid_exists(pid) for pid in last)


@pytest.fixture(scope="module")
def two():
    yield from started(2)


@pytest.fixture(scope="module")
def four():
    yield from started(4)


def works_again(comm):
    """The processes, which compute after the test what this process computes alone."""
    yield comm
    for call in CALLS.values():
        np.testing.assert_equal(timeless(call(comm)), timeless(call(None)))


@pytest.fixture
def pair(two):
    yield from works_again(two)


@pytest.fixture
def quad(four):
    yield from works_again(four)


@pytest.fixture(params=["two", "four"])
def comm(request):
    yield from works_again(request.getfixturevalue(request.param))
