"""The ranks of one machine's processes: every two that exchange sums have a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from functional_nn.parallel.flat import Arrays, Layout
from functional_nn.parallel.pipe import Pipe
from functional_nn.parallel.ranks import Ranks

__all__ = ["REQUESTS", "ProcessRanks", "partners"]

SUMS, REQUESTS = 0, 1  # what arrays are: a pipe keeps memory for each


class ProcessRanks(Ranks):
    """See `Ranks`."""

    def __init__(self, rank: int, size: int, threads: int, pipes: Mapping[int, Pipe]) -> None:
        self.rank, self.size, self.threads, self.pipes = rank, size, threads, pipes

    def exchange(self, partner: int, arrays: Arrays | None, layout: Layout | None) -> Arrays | None:
        """See `Ranks`."""
        pipe = self.pipes[partner]
        # none, too: a partner that need not wait would overwrite what is not read yet
        pipe.send_arrays(arrays or [], SUMS)
        theirs = pipe.receive_arrays()
        return None if layout is None else theirs

    def gather(self, value: Any) -> list[Any]:
        """See `Ranks`."""
        values = {self.rank: value}
        for partner in partners(self.rank, self.size):
            pipe = self.pipes[partner]
            if self.rank < partner:  # one after the other: two that both send might wait for each other
                pipe.send(values)
                values |= pipe.receive()
            else:
                theirs = pipe.receive()
                pipe.send(values)
                values |= theirs
        return [values[rank] for rank in range(self.size)]

    def requests(self) -> Iterator[tuple[Any, Arrays]]:
        """Yield what the first rank asks this one for, values and arrays, until it asks for nothing more."""
        while (value := self.pipes[0].receive()) is not None:
            yield value, self.pipes[0].receive_arrays()


def partners(rank: int, size: int) -> list[int]:
    """Return the ranks with which a rank exchanges sums, in the order in which it does."""
    return [rank ^ 2**i for i in range(size.bit_length() - 1)]
