"""One thread for NumPy's BLAS while this library computes: a product on several threads is rounded otherwise.

So results do not depend on OPENBLAS_NUM_THREADS, on the cores of the machine or on what other threads do. The settings
belong to the whole process; they are given back when the last computation ends.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING

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
    _before: tuple[tuple[LibController, int], ...] = ()  # the threads to go back to after the last block

    def __enter__(self) -> None:
        cls = one_blas_thread
        with cls._lock:
            if cls._blocks == 0:
                counts = [(library, library.get_num_threads()) for library in _libraries()]
                cls._before = tuple((library, threads) for library, threads in counts if threads != 1)
                for library, _ in cls._before:
                    _set_threads(library, 1)
            cls._blocks += 1

    def __exit__(self, *error: object) -> None:
        cls = one_blas_thread
        with cls._lock:
            cls._blocks -= 1
            if cls._blocks == 0:
                for library, threads in cls._before:
                    _set_threads(library, threads)


@cache
def multiplies_unpacked() -> bool:
    """Return whether NumPy's BLAS multiplies small matrices where they lie, as OpenBLAS does with AVX-512."""
    kernels = [str(getattr(library, "architecture", "")).lower() for library in _libraries()]
    return any(kernel in UNPACKED_KERNELS for kernel in kernels)


@cache
def _libraries() -> tuple[LibController, ...]:
    from threadpoolctl import ThreadpoolController

    return tuple(ThreadpoolController().select(user_api="blas").lib_controllers)


def _set_threads(library: LibController, threads: int) -> None:
    """Set a library's threads; raise `RuntimeError` where it does not follow.

    Since version 3.7, threadpoolctl lets the first thread alone that sets OpenBLAS's threads do so again, and ignores
    all others until that one is cleared.
    """
    clear = getattr(library, "clear_controlling_thread", None)
    if clear is not None:
        clear(force=True)
    library.set_num_threads(threads)
    if clear is not None:
        clear(force=True)
    if threads == 1 and library.get_num_threads() != 1:
        raise RuntimeError(f"{library.filepath} keeps {library.get_num_threads()} threads: set OPENBLAS_NUM_THREADS=1")
