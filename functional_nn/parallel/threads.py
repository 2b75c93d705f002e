"""Chunks of a batch on a pool of threads: NumPy releases the interpreter's lock, so they run side by side.

What is computed does not depend on the number of workers: chunks follow from the model and the shapes alone, and
their results are taken in the order of the chunks.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache
from typing import TypeVar

from functional_nn.blas import one_blas_thread

__all__ = ["available_cores", "in_order", "own_cores"]

Result = TypeVar("Result")
SWITCH_SECONDS = 1e-4  # Python's own 5 ms are as long as a whole chunk: 4 % slower, measured


def own_cores() -> set[int]:
    """Return the cores that this process may run on."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))


def available_cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(own_cores())


def in_order(
    task: Callable[[int], Result], count: int, workers: int | None, take: Callable[[int, Result], None]
) -> None:
    """Call `take(i, task(i))` for i = 0 .. count - 1 in this order; the tasks run on `workers` threads, this one too.

    `workers` is all cores where None. BLAS is held to one thread meanwhile. An exception, of a task or an
    interrupt, stops the other threads after their current task and reaches the caller as it is.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}, expected at least 1, or None for all cores")
    threads = min(workers or available_cores(), count)
    if threads <= 1:
        with one_blas_thread():
            for i in range(count):
                take(i, task(i))
        return
    remaining = iter(range(count))  # shared: each number goes to one thread
    done: dict[int, Result] = {}
    order, lock = iter(range(count)), threading.Lock()
    expected = next(order, None)

    def drain() -> None:
        nonlocal expected
        try:
            for i in remaining:
                result = task(i)
                with lock:
                    done[i] = result
                    while expected is not None and expected in done:
                        take(expected, done.pop(expected))
                        expected = next(order, None)
        except BaseException:
            for _ in remaining:  # leave nothing for the other threads to start
                pass
            raise

    with one_blas_thread(), _quick_switching():
        # each helper in a copy of the caller's context, which holds np.errstate
        helpers = [_pool().submit(copy_context().run, drain) for _ in range(threads - 1)]
        try:
            drain()
        finally:
            wait([helper for helper in helpers if not helper.cancel()])
        for helper in helpers:
            if not helper.cancelled():
                helper.result()


@cache
def _pool() -> ThreadPoolExecutor:
    """The process's threads: they start when first needed and are kept."""
    return ThreadPoolExecutor(max_workers=64, thread_name_prefix="functional_nn")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not survive a fork


class _Switching:
    """How many blocks of chunks run now, and the switch interval to go back to after the last."""

    lock = threading.Lock()
    blocks = 0
    seconds = 0.0


@contextmanager
def _quick_switching() -> Iterator[None]:
    """Let a thread that wants the interpreter's lock ask for it sooner."""
    with _Switching.lock:
        if _Switching.blocks == 0:
            _Switching.seconds = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
        _Switching.blocks += 1
    try:
        yield
    finally:
        with _Switching.lock:
            _Switching.blocks -= 1
            if _Switching.blocks == 0:
                sys.setswitchinterval(_Switching.seconds)
