"""The ranks of an MPI communicator: `mpiexec -n 4 python train.py`, with `comm=MPI.COMM_WORLD`."""

from __future__ import annotations

import math
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Any

import numpy as np

from functional_nn.parallel.flat import Arrays, Layout, layout_of
from functional_nn.parallel.packing import packed, unpacked
from functional_nn.parallel.ranks import Ranks, check_size, is_alike
from functional_nn.parallel.threads import available_cores

__all__ = ["MpiRanks", "aborting", "is_communicator", "ranks_of"]


class MpiRanks(Ranks):
    """See `Ranks`. Messages go by a duplicate of the communicator, apart from those of the user's own."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm.Dup()
        self.rank, self.size = comm.Get_rank(), check_size("comm: the number of ranks", comm.Get_size())
        self.threads = _threads(comm)
        self._buffers: dict[Any, tuple[np.ndarray, Arrays]] = {}

    def exchange(self, partner: int, arrays: Arrays | None, layout: Layout | None) -> Arrays | None:
        """See `Ranks`."""
        sent = received = np.empty(0, np.uint8)
        theirs: Arrays | None = None
        if arrays is not None:
            sent, views = self._buffer("out", layout_of(arrays))
            for view, array in zip(views, arrays, strict=True):
                view[...] = array
        if layout is not None:
            received, theirs = self._buffer("in", layout)
        self.comm.Sendrecv(sent, partner, recvbuf=received, source=partner)
        return theirs

    def gather(self, value: Any) -> list[Any]:
        """See `Ranks`."""
        head, layout, _ = packed(value, least_shared=math.inf)
        return [unpacked(theirs, layout, []) for theirs in self.comm.allgather(head)]

    def _buffer(self, use: str, layout: Layout) -> tuple[np.ndarray, Arrays]:
        """Return the bytes of a message of this layout, and the arrays in it."""
        key = (use, tuple(layout))
        if key not in self._buffers:
            sizes = [math.prod(shape) * dtype.itemsize for shape, dtype, _ in layout]
            starts = np.concatenate([[0], np.cumsum([-(-size // 8) * 8 for size in sizes])]).tolist()
            whole = np.zeros(starts[-1], np.uint8)
            arrays = [
                whole[start : start + size].view(dtype).reshape(shape)
                for start, size, (shape, dtype, _) in zip(starts, sizes, layout, strict=False)
            ]
            self._buffers[key] = whole, arrays
        return self._buffers[key]


def is_communicator(comm: Any) -> bool:
    """Return whether this is an mpi4py communicator; mpi4py is not imported where the user has not."""
    return "mpi4py.MPI" in sys.modules and isinstance(comm, sys.modules["mpi4py.MPI"].Intracomm)


def ranks_of(comm: Any) -> MpiRanks:
    """Return the communicator's ranks, which are made once."""
    ranks = comm.Get_attr(_keyval())
    if ranks is None:
        ranks = MpiRanks(comm)
        comm.Set_attr(_keyval(), ranks)
        _abort_on_uncaught(comm)
    return ranks


@contextmanager
def aborting(comm: Any) -> Iterator[None]:
    """End all ranks, after printing, where the body raises on this one alone: the others would wait for ever."""
    try:
        yield
    except BaseException as error:
        if is_alike(error) or comm.Get_size() == 1:
            raise
        _abort(comm)


def _abort(comm: Any) -> None:
    sys.stdout.flush()
    print(f"rank {comm.Get_rank()} of {comm.Get_size()} failed, and ends the others:", file=sys.stderr)
    traceback.print_exc()
    sys.stderr.flush()
    comm.Abort(1)


@cache
def _keyval() -> int:
    from mpi4py import MPI

    return MPI.Comm.Create_keyval()


def _abort_on_uncaught(comm: Any) -> None:
    """Let an exception that ends this rank's script end the others': they would wait for it at their exit."""
    from mpi4py import MPI

    before = sys.excepthook

    def hook(kind: type[BaseException], error: BaseException, tb: TracebackType | None) -> None:
        before(kind, error, tb)
        sys.stderr.flush()
        if not MPI.Is_finalized() and comm.Get_size() > 1:
            comm.Abort(1)

    sys.excepthook = hook


def _threads(comm: Any) -> int:
    """Return this rank's share of the cores that it may run on."""
    here = comm.Split_type(_shared_memory())
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(available_cores()))
    sharing = here.allgather(cores).count(cores)
    here.Free()
    return max(1, len(cores) // sharing)


def _shared_memory() -> int:
    from mpi4py import MPI

    return MPI.COMM_TYPE_SHARED
