"""Ranks that are threads of this process: they run the code of processes, and a test sees what each of them has."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from queue import Queue
from typing import Any

from functional_nn.parallel.pipe import Pipe
from functional_nn.parallel.process_ranks import ProcessRanks
from functional_nn.parallel.ranks import Ranks

SECONDS = 30.0


def together(every: list[Ranks], task: Callable[[Any], Any]) -> list[Any]:
    """What `task(ranks)` returns, or raises, on each of the ranks, side by side."""
    outcomes: list[Any] = [TimeoutError("a rank waits for ever")] * len(every)

    def run(rank: int) -> None:
        try:
            outcomes[rank] = task(every[rank])
        except BaseException as error:
            outcomes[rank] = error

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(len(every))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    return outcomes


def results(every: list[Ranks], task: Callable[[Any], Any]) -> list[Any]:
    """What `task(ranks)` returns on each of the ranks; the first error of one is raised."""
    outcomes = together(every, task)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes


class QueueRanks(Ranks):
    """Ranks that pass objects by queues. What an exchange returned is spoilt by the next one, as is allowed."""

    threads = 1

    def __init__(self, rank: int, size: int, queues: dict[tuple[int, int], Queue[Any]], spoilt: Any) -> None:
        self.rank, self.size, self.queues, self.spoilt = rank, size, queues, spoilt
        self.lent: list[Any] = []
        self.partners: list[int] = []

    def exchange(self, partner, arrays, layout):
        for array in self.lent:
            array[...] = self.spoilt
        self.partners.append(partner)
        self.queues[self.rank, partner].put(None if arrays is None else [array.copy() for array in arrays])
        theirs = self.queues[partner, self.rank].get(timeout=SECONDS)
        assert (theirs is None) == (layout is None), "the layout says whether there is something"
        self.lent = theirs or []
        return theirs

    def gather(self, value):
        for other in range(self.size):
            self.queues[self.rank, other].put(value)
        return [self.queues[other, self.rank].get(timeout=SECONDS) for other in range(self.size)]


def queue_ranks(size: int, spoilt: Any = None) -> list[Ranks]:
    queues: dict[tuple[int, int], Queue[Any]] = {(a, b): Queue() for a in range(size) for b in range(size)}
    return [QueueRanks(rank, size, queues, spoilt) for rank in range(size)]


def piped_ranks(size: int, stack: ExitStack, spin_seconds: float = 0.0) -> list[Ranks]:
    """The ranks that processes have, a pipe between every two of them; the stack closes the pipes."""
    pipes: list[dict[int, Pipe]] = [{} for _ in range(size)]
    for a in range(size):
        for b in range(a):
            for (one, two), end in zip(((a, b), (b, a)), socket.socketpair(), strict=True):
                pipes[one][two] = Pipe(end, spin_seconds)
                stack.callback(end.close)
    return [ProcessRanks(rank, size, 1, pipes[rank]) for rank in range(size)]
