"""Tasks on threads: taken in order, stopped by an exception, with BLAS held to one thread meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from functional_nn.parallel.threads import in_order
from tests.refusals import refused


def blas_threads():
    """The threads of NumPy's BLAS: another test may have loaded a library with a BLAS of its own, such as PyTorch."""
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    own = [library for library in libraries if "numpy" in library["filepath"]]
    if not libraries:
        pytest.skip("threadpoolctl knows no BLAS here, so there are no threads to count")
    return [library["num_threads"] for library in own or libraries]


@pytest.mark.parametrize("workers", [1, 2, 3, 8, None])
def test_results_are_taken_in_order(workers):
    taken = []
    in_order(lambda i: time.sleep(0.002 * (i % 3)) or i * i, 20, workers, lambda i, result: taken.append((i, result)))
    assert taken == [(i, i * i) for i in range(20)]


def test_tasks_run_on_as_many_threads_as_asked_for():
    together = threading.Barrier(3, timeout=10)
    in_order(lambda i: together.wait(), 3, 3, lambda i, result: None)


def test_blas_is_held_to_one_thread_and_given_back():
    during = []
    with threadpool_limits(2, user_api="blas"):
        in_order(lambda i: during.append(blas_threads()), 2, 2, lambda i, result: None)
        after = blas_threads()
    assert during
    assert all(threads == 1 for counts in during for threads in counts)
    assert all(threads == 2 for threads in after)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_stops_the_others_and_comes_out_as_it_is(workers):
    started = []

    def task(i):
        started.append(i)
        if i == 1:
            raise KeyError("mine")
        time.sleep(0.01)

    with pytest.raises(KeyError, match="mine"):
        in_order(task, 1000, workers, lambda i, result: None)
    count = len(started)
    assert count < 20
    time.sleep(0.05)
    assert len(started) == count


def test_the_processes_settings_are_given_back_after_an_exception_too():
    def task(i):
        raise KeyError("mine")

    interval = sys.getswitchinterval()
    with threadpool_limits(2, user_api="blas"):
        with pytest.raises(KeyError, match="mine"):
            in_order(task, 4, 2, lambda i, result: None)
        assert all(threads == 2 for threads in blas_threads())
    assert sys.getswitchinterval() == interval


def test_no_worker_is_refused():
    with refused(ValueError, "workers is 0, expected at least 1, or None for all cores"):
        in_order(lambda i: i, 1, 0, lambda i, result: None)


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
import functional_nn as fnn
from functional_nn import losses, models

model = models.lenet5()
params = model.init(np.random.default_rng(0), (32, 32, 3))
step = fnn.data_parallel(fnn.value_and_grad(model, losses.softmax_cross_entropy), workers=2)
x, labels = np.zeros((50_000, 32, 32, 3), np.float32), np.zeros(50_000, int)
step(params, x[:128], labels[:128])
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    step(params, x, labels)
    print("finished")
except KeyboardInterrupt:
    used = time.process_time()
    time.sleep(0.3)
    print("interrupted", "idle" if time.process_time() - used < 0.1 else "busy")
"""


def test_an_interrupt_stops_a_step_and_leaves_no_thread_busy():
    run = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.split() == ["interrupted", "idle"]
