"""Several processes of one machine that share out the chunks of a batch.

The script's own process is rank 0. The others are fresh interpreters, which import functional_nn and wait for tasks: a
whole training run, or the gradients of batch after batch. A task goes to them by cloudpickle, so that layers and losses
which a script or a notebook defines go along; its large arrays lie in memory that all map. From then on every process
does the same work on the same parameters: only the sums of gradients pass between them.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pickle import PicklingError
from selectors import EVENT_READ, DefaultSelector
from time import perf_counter
from types import TracebackType
from typing import Any, NamedTuple, cast

import numpy as np

from functional_nn.arguments import count
from functional_nn.extras import needs_extra
from functional_nn.parallel.packing import LEAST_SHARED, Packed, packed_task
from functional_nn.parallel.pipe import ClosedError, Failure, Pipe
from functional_nn.parallel.process_ranks import REQUESTS, ProcessRanks, partners
from functional_nn.parallel.ranks import RankError, Report, check_size
from functional_nn.parallel.threads import available_cores

__all__ = ["Processes", "check_startable", "processes"]

PROGRAM = "import sys; sys.path[:] = {path!r}; from functional_nn.parallel.helper import serve; serve{arguments!r}"
SPIN_SECONDS = 1e-3  # a core that sleeps takes 0.1 ms to wake: as long as a sum takes to come
SECONDS_TO_END = 5.0


class _Session(NamedTuple):
    """What the other processes serve: the task, as it was given and as it was sent, and this process's ranks."""

    task: tuple[Callable[..., None], tuple[Any, ...], Any]
    pack: Packed
    ranks: ProcessRanks


class Processes:
    """See `processes`.

    >>> fnn.processes(2)
    processes(2)
    """

    def __init__(self, n: int) -> None:
        self.size = check_size("processes: n", count("processes", "n", n))
        self._helpers: list[subprocess.Popen[bytes]] = []
        self._pipes: dict[int, Pipe] = {}
        self._session: _Session | None = None  # what the helpers serve now
        self._open, self._owner = False, 0  # the owner: the process that started the others
        self._at_work = threading.Lock()

    def __repr__(self) -> str:
        return f"processes({self.size})"

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r}: processes belong to the one that started them and cannot be pickled")

    def __enter__(self) -> Processes:
        if self._open:
            raise RuntimeError(f"{self!r}: is in use already; make another one for another block")
        check_startable("fnn.processes", instead="use threads (the default), or MPI: comm=MPI.COMM_WORLD")
        with self._ending_together():
            self._start()
        self._open, self._owner = True, os.getpid()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._open = False
        self._stop()

    @contextmanager
    def beside(self, function: Callable[..., None], *arguments: Any) -> Iterator[ProcessRanks]:
        """Let the others run `function(ranks, *arguments)` while the body runs with this rank's `ranks`.

        What the body or another process raises ends the others; they start again when they are needed.
        """
        with self._working():
            yield self._begin(self._packed(function, arguments))
            for pipe in self._pipes.values():
                pipe.receive()  # each has ended its task

    @contextmanager
    def session(self, function: Callable[..., None], *arguments: Any) -> Iterator[ProcessRanks]:
        """Do the same with a function that answers `ranks.requests()`, until another task comes.

        Arguments that can change are compared as they are sent: what they refer to may have changed since the last
        call.
        """
        with self._working():
            task = function, arguments, np.geterr()
            if self._session is None or not self._session.pack.constant or self._session.task != task:
                pack = self._packed(function, arguments, least_shared=math.inf)
                if self._session is None or self._session.pack.head != pack.head:
                    self._session = _Session(task, pack, self._begin(pack))
            yield self._session.ranks

    def request(self, rank: int, value: Any, arrays: list[np.ndarray]) -> None:
        """Ask a rank that serves a session."""
        self._pipes[rank].send(value)
        self._pipes[rank].send_arrays(arrays, REQUESTS)

    def check_open(self) -> None:
        """Raise `ValueError` outside of the block."""
        if not self._open:
            raise ValueError(f"{self!r}: has not begun or has ended: use it as `with fnn.processes(n) as comm:`")
        if self._owner != os.getpid():
            raise RuntimeError(f"{self!r}: belongs to the process that this one was forked from: make another one here")

    def _packed(self, function: Callable[..., None], arguments: Any, least_shared: float = LEAST_SHARED) -> Packed:
        errors = {kind: "warn" if mode in ("call", "log") else mode for kind, mode in np.geterr().items()}
        try:
            return packed_task((function, arguments, errors), least_shared)
        except (TypeError, AttributeError, PicklingError, RecursionError) as error:
            kinds = "functions, layers, losses and arrays can, locks, open files and generators cannot"
            raise TypeError(f"{self!r}: an argument cannot go to another process: {error}; {kinds}") from error

    def _begin(self, pack: Packed) -> ProcessRanks:
        if self._session is not None:
            self._session = None
            for pipe in self._pipes.values():
                pipe.send(None)
                pipe.receive()
        if len(self._pipes) < self.size - 1:
            self._start()
        try:
            for pipe in self._pipes.values():
                pipe.send(None, pack=pack)
        finally:
            if pack.memory is not None:
                pack.memory.close()
        own = {rank: self._pipes[rank] for rank in partners(0, self.size)}
        return ProcessRanks(0, self.size, self._threads(), own)

    def _threads(self) -> int:
        return max(1, available_cores() // self.size)

    def _start(self) -> None:
        """Start the other processes, each with sockets to those with which it exchanges sums, and to this one."""
        ends: list[dict[int, socket.socket]] = [{} for _ in range(self.size)]
        path = [entry for entry in sys.path if isinstance(entry, str)]  # Python ignores others
        warn = [f"-W{option}" for option in sys.warnoptions]
        spin = SPIN_SECONDS if self.size * self._threads() <= available_cores() else 0.0
        with ExitStack() as theirs:
            for rank in range(1, self.size):
                for other in {0, *partners(rank, self.size)}:
                    if other < rank:
                        end, ends[rank][other] = map(_above_standard_streams, socket.socketpair())
                        theirs.enter_context(ends[rank][other])
                        if other == 0:
                            self._pipes[rank] = Pipe(end, spin)
                        else:
                            ends[other][rank] = theirs.enter_context(end)
            for rank in range(1, self.size):
                descriptors = {other: end.fileno() for other, end in ends[rank].items()}
                arguments = (rank, self.size, self._threads(), spin, descriptors)
                self._helpers.append(
                    subprocess.Popen(
                        [sys.executable, "-u", *warn, "-c", PROGRAM.format(path=path, arguments=arguments)],
                        stdin=subprocess.PIPE,  # it ends when this process does
                        pass_fds=tuple(descriptors.values()),
                        start_new_session=True,  # Ctrl-C comes to this process alone, which ends the others
                    )
                )

    def _stop(self) -> None:
        """End the other processes."""
        helpers, pipes = self._helpers, self._pipes
        self._helpers, self._pipes, self._session = [], {}, None  # first: an interrupt may come in between
        for helper in helpers:
            helper.kill()  # it holds nothing that outlives it
        for pipe in pipes.values():
            pipe.close()
        for helper in helpers:
            helper.wait()
            assert helper.stdin is not None
            with suppress(OSError):
                helper.stdin.close()

    @contextmanager
    def _working(self) -> Iterator[None]:
        self.check_open()
        if not self._at_work.acquire(blocking=False):
            remedy = "a callback, or another thread, must call without comm, or with processes of its own"
            raise RuntimeError(f"{self!r}: is at work in another call: {remedy}")
        try:
            with self._ending_together():
                yield
        finally:
            self._at_work.release()

    @contextmanager
    def _ending_together(self) -> Iterator[None]:
        try:
            yield
        except (ClosedError, Failure) as error:
            raise self._cause(error) from None
        except BaseException:
            self._stop()
            raise

    def _cause(self, error: ClosedError | Failure) -> BaseException:
        """Return what the process raised that failed first, or how it ended; end all."""
        report: Report | None = error.cause if isinstance(error, Failure) else self._report()
        ended = [(rank, helper.poll()) for rank, helper in enumerate(self._helpers, 1)]
        self._stop()
        if report is not None:
            return report.error(self.size)
        for rank, code in ended:
            if code:
                how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
                return RankError(f"process {rank} of {self.size} {how}; the others have ended, too")
        return RankError("another process has ended")

    def _report(self) -> Report | None:
        """Return what a process has reported that failed; none of one that was killed. The others end of themselves."""
        until = perf_counter() + SECONDS_TO_END
        with DefaultSelector() as selector:
            for pipe, helper in zip(self._pipes.values(), self._helpers, strict=True):
                selector.register(pipe, EVENT_READ, helper)
            while selector.get_map() and (ready := selector.select(max(0.0, until - perf_counter()))):
                for key, _ in ready:
                    try:
                        cast(Pipe, key.fileobj).skip()
                    except Failure as failure:
                        return failure.cause
                    except ClosedError:
                        selector.unregister(key.fileobj)
                        if key.data.wait():
                            return None
        return None


def _above_standard_streams(end: socket.socket) -> socket.socket:
    """Return the socket, under another descriptor where a standard stream is closed: the helper has one of its own."""
    if end.fileno() > 2:
        return end
    from fcntl import F_DUPFD_CLOEXEC, fcntl

    with end:
        return socket.socket(fileno=fcntl(end, F_DUPFD_CLOEXEC, 3))


def processes(n: int) -> Processes:
    """Return a context manager that starts n - 1 processes beside this one: `with fnn.processes(4) as comm:`.

    `fit`, `data_parallel`, `predict`, `evaluate` and `statistics` take `comm`. The processes share out the chunks of a
    batch, and the result is that of one process, bit for bit. They start once and end with the block, with this
    process, or by Ctrl-C. Each computes on its share of the cores unless `workers` says otherwise. What one of them
    raises ends the others and is raised here; they start again at the next call. A script needs no
    `if __name__ == "__main__"`, and may use layers and losses that it, or a notebook, defines. It needs the extra
    `processes`, and Linux or macOS.

    Raises `ValueError` unless n is a power of two, and `OSError` where the system has no such processes.

    >>> x, model = np.ones((8, 1), np.float32), layers.dense(1)
    >>> params = model.init(np.random.default_rng(0), (1,))
    >>> options = {"loss": losses.mean_squared_error, "optimizer": optim.sgd(0.1), "epochs": 2, "batch_size": 4}
    >>> options |= {"seed": 0, "chunk": 2, "progress": False}
    >>> with fnn.processes(2) as comm:
    ...     two = fnn.fit(model, params, (x, x), **options, comm=comm)
    >>> np.array_equal(two.params["w"], fnn.fit(model, params, (x, x), **options).params["w"])
    True
    """
    return Processes(n)


def check_startable(purpose: str, instead: str) -> None:
    """Raise `OSError`, which says what to do `instead`, or `ImportError` where processes cannot start here."""
    if not hasattr(socket, "send_fds"):
        raise OSError(f"{purpose}: this system passes no descriptors between processes: {instead}")
    with needs_extra("processes", purpose):
        import cloudpickle  # noqa: F401
