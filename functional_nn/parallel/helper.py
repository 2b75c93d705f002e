"""What a process does that `processes` starts: it runs the tasks that the first one sends, until that one ends."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress

import numpy as np

from functional_nn.parallel.pipe import ClosedError, Pipe
from functional_nn.parallel.process_ranks import ProcessRanks
from functional_nn.parallel.ranks import report_of

__all__ = ["serve"]


def serve(rank: int, size: int, threads: int, spin_seconds: float, ends: Mapping[int, int]) -> None:
    """Run tasks; `ends` are the descriptors of the sockets to other ranks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the first process, which ends this one
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    pipes = {other: Pipe(socket.socket(fileno=end), spin_seconds) for other, end in ends.items()}
    ranks = ProcessRanks(rank, size, threads, pipes)
    try:
        while True:
            function, arguments, errors = pipes[0].receive()
            with np.errstate(**errors):
                function(ranks, *arguments)
            pipes[0].send(None)
    except ClosedError:  # another process has ended: the first one finds out why
        os._exit(0)
    except BaseException as error:
        for other, pipe in pipes.items():
            if other:
                pipe.close()  # those who wait for this rank end, so that the first one comes to read the report
        with suppress(ClosedError):
            pipes[0].send_failure(report_of(error, rank))
        os._exit(1)


def _end_with_standard_input() -> None:
    """End this process at once when the first one, which holds the other end, has ended in whatever way."""
    while os.read(0, 1):
        pass
    os._exit(0)
