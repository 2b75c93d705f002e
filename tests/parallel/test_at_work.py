"""Processes that are in use: they start once, serve one call at a time, and stay where they are."""

from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest

import functional_nn as fnn
from tests.parallel.calls import CALLS, LABELS, PARAMS, STEP, X, fit
from tests.parallel.leftovers import own_helpers
from tests.refusals import refused


def test_two_may_be_in_use_side_by_side(two, four):
    alone = fit(None).params
    gradient = fnn.data_parallel(STEP, chunk=3, comm=two)
    for _ in range(2):
        np.testing.assert_equal(gradient(PARAMS, X, LABELS), CALLS["data_parallel"](None))
        np.testing.assert_equal(fit(four).params, alone)
        np.testing.assert_equal(fit(two).params, alone)


AT_WORK = (
    "processes(2): is at work in another call: "
    "a callback, or another thread, must call without comm, or with processes of its own"
)
COMPUTING = {name: call for name, call in CALLS.items() if name != "data_parallel of one chunk"}


@pytest.mark.parametrize("call", COMPUTING.values(), ids=COMPUTING)
def test_a_call_within_a_call_is_refused_before_it_waits_for_ever(two, call):
    """A callback that evaluates on the processes that train, say."""
    with refused(RuntimeError, AT_WORK):
        fit(two, callback=lambda result: call(two) and None)
    np.testing.assert_equal(fit(two).params, fit(None).params)


def test_a_call_in_another_thread_is_refused_and_disturbs_nothing(two):
    inside, done, errors = threading.Event(), threading.Event(), []

    def wait(result):
        inside.set()
        assert done.wait(30)

    def other():
        assert inside.wait(30)
        try:
            fit(two)
        except RuntimeError as error:
            errors.append(str(error))
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    np.testing.assert_equal(fit(two, callback=wait).params, fit(None).params)
    thread.join()
    assert errors == [AT_WORK]


def test_processes_are_started_once(two):
    before = {helper.pid for helper in own_helpers()}
    for call in CALLS.values():
        call(two)
    assert {helper.pid for helper in own_helpers()} == before


def test_it_belongs_to_its_process(two):
    for use in (pickle.dumps, copy.copy, copy.deepcopy):
        with refused(TypeError, "processes(2): processes belong to the one that started them and cannot be pickled"):
            use(two)


def test_what_is_refused_before_the_start_disturbs_no_process(two):
    fit(two)
    before = [helper.pid for helper in two._helpers]
    with pytest.raises(ValueError, match="batch_size is 0, expected an int of at least 1"):
        fit(two, batch_size=0)
    with pytest.raises(ValueError, match=r"label 5 at index 0 is outside 0 \.\. 1"):
        fnn.data_parallel(STEP, chunk=20, comm=two)(PARAMS, X, LABELS + 5)
    fit(two)
    assert [helper.pid for helper in two._helpers] == before
