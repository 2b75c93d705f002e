"""From what a user gives as `comm` to the ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from functional_nn.parallel import mpi
from functional_nn.parallel.processes import Processes
from functional_nn.parallel.ranks import ALONE, Comm, Ranks

__all__ = ["check_comm", "together"]


def check_comm(function: str, comm: Comm) -> Comm:
    """Return comm. Raise `TypeError` unless it is one, or None, and `ValueError` for one that cannot share out."""
    if comm is None or isinstance(comm, Processes):
        return comm
    if not mpi.is_communicator(comm):
        expected = "an mpi4py communicator, such as MPI.COMM_WORLD, what `with fnn.processes(n) as comm` gives, or None"
        raise TypeError(f"{function}: comm is {comm!r}, expected {expected}")
    mpi.check(function, comm)
    return comm


@contextmanager
def together(comm: Comm, beside: Callable[..., None], *arguments: Any) -> Iterator[Ranks]:
    """Yield this rank's ranks: the only one where comm is None, or has no other.

    The ranks of MPI all run the body. The processes of one machine run `beside(ranks, *arguments)` meanwhile.
    """
    if isinstance(comm, Processes):
        with comm.beside(beside, *arguments) as ranks:
            yield ranks
    elif comm is None or comm.Get_size() == 1:
        yield ALONE
    else:
        with mpi.ending_all():
            yield mpi.ranks_of(comm)
