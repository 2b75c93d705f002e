"""The ranks of an MPI communicator: `mpiexec -n 4 python train.py`, with `comm=MPI.COMM_WORLD`.

All ranks run the script and make the same calls with comm, in the same order. A rank that skips one leaves the others
waiting for it. A communicator of some of the ranks will do, as `Split` gives it; on `MPI.COMM_SELF` a rank works alone.

What one rank alone raises, in a call with comm or anywhere after the first, is printed, and ends all ranks. What it
raises before that first call is not seen here, nor is `sys.exit(1)` on one rank: the others wait for ever. mpi4py sees
both: `mpiexec -n 4 python -m mpi4py train.py` ends them there, too.

Messages are sent and received by the thread that makes the call. So any level of MPI's threads does, except where
several threads make calls, each with a communicator of its own: they need mpi4py's default, `MPI.THREAD_MULTIPLE`.
"""

from __future__ import annotations

import io
import math
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from functools import cache
from types import TracebackType
from typing import Any

import numpy as np

from functional_nn.parallel.flat import Arrays, Layout
from functional_nn.parallel.packing import packed, unpacked
from functional_nn.parallel.ranks import Ranks, check_size, is_alike
from functional_nn.parallel.threads import own_cores

__all__ = ["MpiRanks", "check", "ending_all", "is_communicator", "ranks_of"]

SECONDS_TO_PRINT = 2.0  # that the first rank has for an error of all ranks before others print it, too
SECONDS_TO_PASS_ON = 0.5  # that mpiexec has for what is printed: one end in 40 came too early, none at 0.1, measured


class MpiRanks(Ranks):
    """See `Ranks`. Messages go by a duplicate of the communicator, apart from those of the user's own."""

    def __init__(self, comm: Any) -> None:
        self.comm, self.rank, self.size = comm.Dup(), comm.Get_rank(), comm.Get_size()
        self.threads = _threads(self.comm)

    def exchange(self, partner: int, arrays: Arrays | None, layout: Layout | None) -> Arrays | None:
        """See `Ranks`."""
        from mpi4py.MPI import BYTE

        theirs = None if layout is None else [np.empty(shape, dtype) for shape, dtype, _ in layout]
        messages = [self.comm.Irecv([array, BYTE], partner) for array in theirs or ()]
        messages += [self.comm.Isend([array, BYTE], partner) for array in arrays or ()]
        for message in messages:
            message.Wait()
        return theirs

    def gather(self, value: Any) -> list[Any]:
        """See `Ranks`."""
        head, layout, *_ = packed(value, least_shared=math.inf)
        return [unpacked(theirs, layout, []) for theirs in self.comm.allgather(head)]


def is_communicator(comm: Any) -> bool:
    """Return whether this is an mpi4py communicator; mpi4py is not imported where the user has not."""
    return "mpi4py.MPI" in sys.modules and isinstance(comm, sys.modules["mpi4py.MPI"].Intracomm)


def check(function: str, comm: Any) -> None:
    """Raise `ValueError` unless this rank is in comm and its ranks are a power of two.

    From here on an exception that ends this rank's script ends all ranks.
    """
    if not comm:
        remedy = f"call {function} on the ranks of the communicator alone, and before it is freed"
        raise ValueError(f"{function}: comm is MPI.COMM_NULL, which has no ranks: {remedy}")
    if comm.Get_size() > 1:
        _end_all_if_uncaught()
    check_size(f"{function}: the number of comm's ranks", comm.Get_size())


def ranks_of(comm: Any) -> MpiRanks:
    """Return the communicator's ranks, which are made once and end with it."""
    ranks = comm.Get_attr(_key())
    if ranks is None:
        ranks = MpiRanks(comm)
        comm.Set_attr(_key(), ranks)
    return ranks


@contextmanager
def ending_all() -> Iterator[None]:
    """End all ranks, after printing, where the body raises on this one alone: the others would wait for ever."""
    try:
        yield
    except BaseException as error:
        if not is_alike(error):
            _end_all(error, traceback.format_exc())
        raise


@cache
def _key() -> int:
    """Return the key under which a communicator holds its ranks."""
    from mpi4py import MPI

    def free(comm: Any, key: int, ranks: MpiRanks) -> None:
        ranks.comm.Free()

    return MPI.Comm.Create_keyval(delete_fn=free)


@cache
def _end_all_if_uncaught() -> None:
    from mpi4py import MPI

    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
        if MPI.Is_finalized():
            before(kind, error, tb)
            return
        with redirect_stderr(io.StringIO()) as text:
            before(kind, error, tb)
        _end_all(error, text.getvalue())

    sys.excepthook = hook


def _end_all(error: BaseException, text: str) -> None:
    """Print an error's text whole, as those of several ranks might mix, and end all ranks with exit code 1."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    try:
        if world.Get_rank() > 0 and (is_alike(error) or isinstance(error, KeyboardInterrupt)):
            time.sleep(SECONDS_TO_PRINT)
        sys.stdout.flush()
        sys.stderr.write(f"rank {world.Get_rank()} of {world.Get_size()} failed, and ends the others:\n{text}")
        sys.stderr.flush()
        time.sleep(SECONDS_TO_PASS_ON)
    finally:
        world.Abort(1)
        os._exit(1)  # MPICH's Abort returns where the ranks are being ended already


def _threads(comm: Any) -> int:
    """Return this rank's share of the cores that it may run on."""
    from mpi4py import MPI

    here = comm.Split_type(MPI.COMM_TYPE_SHARED)
    cores = own_cores()
    sharing = here.allgather(cores).count(cores)
    here.Free()
    return max(1, len(cores) // sharing)
