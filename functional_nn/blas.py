"""One thread for NumPy's BLAS while this library computes: a product on several threads is rounded otherwise.

So results do not depend on OPENBLAS_NUM_THREADS, on the cores of the machine or on what other threads do. The settings
belong to the whole process; they are given back when the last computation ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from threadpoolctl import LibController

__all__ = ["multiplies_unpacked", "one_blas_thread"]

# OpenBLAS's kernels that multiply small matrices where they lie; all others copy them into blocks first
UNPACKED_KERNELS = ("skylakex", "cooperlake", "sapphirerapids")


class one_blas_thread:
    """Hold BLAS to one thread within `with one_blas_thread():`, for all threads; blocks may nest and run side by side.

    (A class, since it runs at every step.)
    """

    __slots__ = ()
    _lock = threading.Lock()
    _blocks = 0  # under way in this process
    _before: tuple[tuple[_Threads, int], ...] = ()  # the numbers to go back to after the last block

    def __enter__(self) -> None:
        cls = one_blas_thread
        with cls._lock:
            if cls._blocks == 0:
                cls._before = tuple((library, n) for library in _libraries() if (n := library.get()) != 1)
                for library, _ in cls._before:
                    library.set(1)
            cls._blocks += 1

    def __exit__(self, *error: object) -> None:
        cls = one_blas_thread
        with cls._lock:
            cls._blocks -= 1
            if cls._blocks == 0:
                for library, threads in cls._before:
                    library.set(threads)


def _new_lock() -> None:
    one_blas_thread._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_new_lock)  # another thread may have held it at the fork


class _Threads(NamedTuple):
    """How to ask a BLAS library for the number of its threads, and how to set it."""

    get: Callable[[], int]
    set: Callable[[int], object]


@cache
def multiplies_unpacked() -> bool:
    """Return whether NumPy's BLAS multiplies small matrices where they lie, as OpenBLAS does with AVX-512."""
    kernels = [str(getattr(library, "architecture", "")).lower() for library in _controllers()]
    return any(kernel in UNPACKED_KERNELS for kernel in kernels)


@cache
def _libraries() -> tuple[_Threads, ...]:
    return tuple(_threads_of(library) for library in _controllers())


@cache
def _controllers() -> tuple[LibController, ...]:
    from threadpoolctl import ThreadpoolController

    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


def _threads_of(library: LibController) -> _Threads:
    """Return OpenBLAS's own functions, else those of threadpoolctl.

    Since version 3.7, threadpoolctl lets the first thread alone that sets OpenBLAS's threads do so again. Its own
    functions take a tenth of the time, too.
    """
    for prefix, suffix in product(("", "scipy_"), ("", "64_", "_64", "64")):
        names = [f"{prefix}openblas_{verb}_num_threads{suffix}" for verb in ("get", "set")]
        if library.user_api == "blas" and all(hasattr(library.dynlib, name) for name in names):
            return _Threads(*(getattr(library.dynlib, name) for name in names))
    return _Threads(library.get_num_threads, library.set_num_threads)
