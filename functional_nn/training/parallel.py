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
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from threadpoolctl import LibController

__all__ = ["available_cores", "in_order", "keep_freed_memory"]

Result = TypeVar("Result")
SWITCH_SECONDS = 1e-4  # Python's own 5 ms are as long as a whole chunk: 4 % slower, measured


def available_cores() -> int:
    """Return the number of cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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

    with _tuned_for_chunks():
        helpers = [_pool().submit(drain) for _ in range(threads - 1)]
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


@cache
def keep_freed_memory() -> None:
    """Let glibc keep large freed blocks: it gives them back after every step otherwise, and page faults take over.

    Freeing a block just below glibc's limit of 32 MiB raises its thresholds for good; no page of it is touched.
    """
    np.empty(31 << 20, np.uint8)


@cache
def _blas_libraries() -> list[LibController]:
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)


class _Process:
    """What is the whole process's: how many callers hold it now, and the settings to go back to after the last."""

    lock = threading.Lock()
    holders = 0
    blas_threads: tuple[int, ...] = ()
    switch_seconds = 0.0


@contextmanager
def _tuned_for_chunks() -> Iterator[None]:
    """Hold BLAS to one thread, and let a thread that wants the interpreter's lock ask for it sooner."""
    libraries = _blas_libraries()
    with _Process.lock:
        if _Process.holders == 0:
            _Process.blas_threads = tuple(library.get_num_threads() for library in libraries)
            _Process.switch_seconds = sys.getswitchinterval()
            for library in libraries:
                library.set_num_threads(1)
            sys.setswitchinterval(SWITCH_SECONDS)
        _Process.holders += 1
    try:
        yield
    finally:
        with _Process.lock:
            _Process.holders -= 1
            if _Process.holders == 0:
                for library, threads in zip(libraries, _Process.blas_threads, strict=True):
                    library.set_num_threads(threads)
                sys.setswitchinterval(_Process.switch_seconds)
