"""What fails in one process ends the call in all of them, with that process's error; the next call works again."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn.parallel import RankError
from tests.parallel.calls import LABELS, PARAMS, STEP, X, fit
from tests.parallel.faults import HERE, TRANSFORMING, at, ends, of_other, own_gradient, raising, timeless
from tests.parallel.leftovers import open_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such processes")


# Errors


@pytest.mark.parametrize("name", TRANSFORMING)
def test_an_error_in_the_other_alone_reaches_the_caller_as_it_is(pair, name):
    with ends(pair, KeyError) as caught:
        TRANSFORMING[name](pair, raising(KeyError("mine", 7)))
    assert caught.value.args == ("mine", 7)
    (note,) = caught.value.__notes__
    assert note.startswith("on rank 1 of 2:\nTraceback (most recent call last):\n")
    assert "in action\n    raise error" in note


def test_the_error_of_a_process_that_this_one_exchanges_nothing_with(quad):
    """Process 3 reports to this one; process 1, which waits for it, ends of itself."""

    def bad():
        raise FloatingPointError("in the fourth chunk")

    with ends(quad, FloatingPointError, "in the fourth chunk") as caught:
        own_gradient(quad, of_other(at(3, bad)))
    assert caught.value.__notes__[0].startswith("on rank 3 of 4:\n")


def test_an_error_after_many_good_steps(comm):
    """In a session, which has not been told again what to compute."""

    def grad_fn(params, x, targets, *, key=None):
        if os.getpid() != HERE and params["w"][0] > 0.0:
            raise ArithmeticError("beyond 0")
        return float(x.sum()), {"w": np.ones(1)}

    step = fnn.data_parallel(grad_fn, chunk=3, comm=comm)
    for _ in range(2):
        for w in (-2.0, -1.0, 0.0):
            assert step({"w": np.array([w])}, X, LABELS)[1]["w"][0] == 1.0
        with ends(comm, ArithmeticError, "beyond 0"):
            step({"w": np.array([1.0])}, X, LABELS)


@pytest.mark.parametrize("name", TRANSFORMING)
def test_an_error_in_this_process_alone_reaches_the_caller_as_it_is(pair, name):
    """The others wait for its sum; fit looks at an example and more before they start."""
    seen, error = [], KeyError("mine")

    def transform(x, key):
        seen.append(1)
        if os.getpid() == HERE and len(seen) > (2 if name == "fit" else 0):
            raise error
        return x

    with ends(pair, KeyError) as caught:
        TRANSFORMING[name](pair, transform)
    assert caught.value is error
    assert not hasattr(error, "__notes__")


def test_an_error_in_all_is_this_processs_own(quad):
    error = KeyError("mine")

    def transform(x, key):
        raise error

    for name in ("predict", "statistics", "data_parallel"):
        with ends(quad, KeyError) as caught:
            TRANSFORMING[name](quad, transform)
        assert caught.value is error
        assert not hasattr(error, "__notes__")


def test_what_a_callback_raises_has_the_result(comm):
    def callback(result):
        if len(result.history) == 2:
            raise KeyError("mine")

    with ends(comm, KeyError) as caught:
        fit(comm, epochs=4, callback=callback)
    np.testing.assert_equal(timeless(caught.value.result), timeless(fit(None, epochs=2)))


def test_an_error_that_does_not_pickle_arrives_as_its_text(pair):
    def with_lock(x):
        error = ValueError("with a lock")
        error.lock = threading.Lock()
        raise error

    with ends(pair, RankError, "ValueError: with a lock"):
        fit(pair, transform=of_other(with_lock))


def test_divergence_has_the_result_of_the_epochs_before(comm):
    options = {"optimizer": fnn.optim.sgd(1e30), "epochs": 5}
    with pytest.raises(fnn.DivergenceError) as alone:
        fit(None, **options)
    with ends(comm, fnn.DivergenceError, str(alone.value)) as caught:
        fit(comm, **options)
    np.testing.assert_equal(timeless(caught.value.result), timeless(alone.value.result))


# Ends


def test_what_would_end_a_script_is_an_error_of_another_process(pair):
    with ends(pair, RankError, "SystemExit: 3"):
        fit(pair, transform=of_other(lambda x: sys.exit(3)))


def test_a_process_that_ends_without_a_word(comm):
    rank = comm.size - 1
    with ends(comm, RankError, f"process {rank} of {comm.size} ended with exit code 7; the others have ended, too"):
        own_gradient(comm, of_other(at(3, lambda: os._exit(7))))


KILLS = [(1, signal.SIGKILL), (2, signal.SIGTERM), (3, signal.SIGKILL), (3, signal.SIGSEGV)]


@pytest.mark.parametrize(("rank", "number"), KILLS)
def test_a_process_that_is_killed_within_a_fit(quad, rank, number):
    def kill(result):
        if len(result.history) == 1:
            os.kill(quad._helpers[rank - 1].pid, number)

    with ends(quad, RankError, f"process {rank} of 4 was killed by {number.name}; the others have ended, too"):
        fit(quad, epochs=1000, callback=kill)


def test_a_process_that_is_killed_between_two_calls(comm):
    fit(comm)
    comm._helpers[-1].kill()
    comm._helpers[-1].wait()
    rank = comm.size - 1
    with ends(comm, RankError, f"process {rank} of {comm.size} was killed by SIGKILL; the others have ended, too"):
        fit(comm)


def test_a_process_that_is_killed_within_a_session(comm):
    step = fnn.data_parallel(STEP, chunk=3, comm=comm)
    expected = step(PARAMS, X, LABELS)
    comm._helpers[0].kill()
    with ends(comm, RankError, f"process 1 of {comm.size} was killed by SIGKILL; the others have ended, too"):
        for _ in range(1000):
            step(PARAMS, X, LABELS)
    np.testing.assert_equal(step(PARAMS, X, LABELS), expected)


def test_nobody_waits_for_a_busy_process_when_another_was_killed(quad, monkeypatch):
    """This process exchanges sums with 1 first, then with 2, which would take its time."""
    monkeypatch.setattr(sys.modules["functional_nn.parallel.processes"], "SECONDS_TO_END", 1e6)

    def kill():
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGKILL)

    def transform(x, key):
        at(1, kill)(x)
        at(2, lambda: time.sleep(1000))(x)
        return x

    with ends(quad, RankError, "process 1 of 4 was killed by SIGKILL; the others have ended, too"):
        own_gradient(quad, transform)


# Interrupts


def test_an_interrupt_within_a_fit_has_the_result(comm):
    def interrupt(result):
        if len(result.history) == 2:
            os.kill(HERE, signal.SIGINT)
            time.sleep(10)

    with ends(comm, fnn.Interrupted) as caught:
        fit(comm, epochs=100, callback=interrupt)
    part = caught.value.result
    assert len(part.history) == 2
    np.testing.assert_equal(timeless(fit(comm, epochs=4, resume=part)), timeless(fit(None, epochs=4)))


@pytest.mark.parametrize("name", ["fit", "predict", "data_parallel"])
def test_an_interrupt_while_this_process_waits_for_another(pair, name):
    """Which would take its time."""
    alarm = threading.Timer(0.3, os.kill, (HERE, signal.SIGINT))
    alarm.start()
    with ends(pair, fnn.Interrupted if name == "fit" else KeyboardInterrupt):
        TRANSFORMING[name](pair, of_other(lambda x: time.sleep(1000)))
    alarm.join()


def test_faults_leave_no_descriptor_open(pair):
    counts = []
    for action in 2 * [raising(KeyError("mine")), of_other(lambda x: os._exit(3))]:
        with pytest.raises((KeyError, RankError)):
            fit(pair, transform=action)
        counts.append(open_files())
    assert len(set(counts)) == 1
