"""What processes may leave behind: other processes, and files in shared memory."""

from __future__ import annotations

import gc
import os
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

SHARED, OPEN = Path("/dev/shm"), Path("/proc/self/fd")
SECONDS = 20.0


def helpers(mark="", parent=None):
    """The helper processes that live, of this process, or whose command line has the mark."""
    found = []
    for process in psutil.process_iter() if parent is None else psutil.Process(parent).children():
        try:
            command = " ".join(process.cmdline())
            if "functional_nn.parallel.helper" in command and mark in command:
                found.append(process)
        except psutil.Error:
            continue
    return found


def own_helpers():
    """The helper processes of this process."""
    return helpers(parent=os.getpid())


def shared_files():
    """The names of files in shared memory, but for those of MPI and Python's own semaphores, which others use."""
    names = os.listdir(SHARED) if SHARED.is_dir() else []
    return {name for name in names if name.startswith(("functional_nn", "tmp"))}


def open_files():
    """The number of this process's open descriptors, without those of objects that wait to be collected."""
    if not OPEN.is_dir():
        pytest.skip(f"counts descriptors in {OPEN}")
    gc.collect()
    return len(os.listdir(OPEN))


@contextmanager
def nothing_left(mark=None):
    """After the block no helper lives, of this process or with the mark, and no file lies in shared memory."""
    before = shared_files()
    yield
    until = time.monotonic() + SECONDS
    left = own_helpers if mark is None else lambda: helpers(mark)
    while left() and time.monotonic() < until:
        time.sleep(0.02)
    assert left() == []
    assert shared_files() - before == set()


@contextmanager
def time_limit(seconds=60):
    """The block raises `TimeoutError` where it takes longer: a test that hangs would end no run of tests."""

    def over(number, frame):
        raise TimeoutError(f"the test takes more than {seconds} seconds: something hangs")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
