"""Contestants in processes of their own, which take turns in blocks of steps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from time import sleep
from types import TracebackType

from experiments.benchmark.works import Work
from experiments.running.machine import seconds

BLOCKS = 4  # at least, of each contestant
BLOCK_SECONDS = 0.3  # long enough for caches and threads to settle as in a training run
PAUSE_SECONDS = 0.1  # before a block: threads of the previous contestant spin for a while after its last step


class Contestant:
    """A process that takes steps of one work when asked, and sleeps in between."""

    def __init__(self, name: str, work: Work) -> None:
        request = json.dumps([name, work.network, work.mode, work.batch])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experiments.benchmark.stopwatch", request],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,  # an interrupt goes to the benchmark alone, which then ends its contestants
        )  # fmt: skip

    def __enter__(self) -> Contestant:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def take(self, steps: int) -> list[float]:
        """Return the seconds of each of so many steps."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a contestant ended with exit code {self.process.wait()}; its error stands above")
        return [float(taken) for taken in json.loads(answer)]


def alternate(names: list[str], work: Work, steps: int, warmup: int = 5) -> dict[str, list[float]]:
    """Return the seconds of at least `steps` steps of each contestant, taken in turns after `warmup` steps each."""
    times: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        contestants = {name: stack.enter_context(Contestant(name, work)) for name in names}
        pace = {name: min(contestant.take(warmup)) for name, contestant in contestants.items()}
        blocks = 0
        while blocks < BLOCKS or any(len(taken) < steps for taken in times.values()):
            blocks += 1
            for name, contestant in contestants.items():
                block = max(1, int(BLOCK_SECONDS / pace[name]))
                sleep(PAUSE_SECONDS)
                times[name] += contestant.take(block)
    return times


def _prepare(name: str, work: Work, processes: ExitStack) -> Callable[[int], list[float]]:
    """Return the function that takes steps and returns the seconds of each."""
    if name in ("threads", "processes"):
        from experiments.benchmark.contestants import ours

        return ours.prepare(work, processes if name == "processes" else None)
    return partial(seconds, _peers_step(name, work))


def _peers_step(name: str, work: Work) -> Callable[[], object]:
    if name in ("torch", "torch.compile"):
        from experiments.benchmark.contestants import torch_peer

        return torch_peer.prepare(work, compiled=name == "torch.compile")
    if name == "jax":
        from experiments.benchmark.contestants import jax_peer

        return jax_peer.prepare(work)
    if name == "sklearn":
        from experiments.benchmark.contestants import sklearn_peer

        return sklearn_peer.prepare(work)
    from experiments.benchmark.contestants import loops

    return loops.prepare(work, images_too=name == "image loops")


def _serve(request: str) -> None:
    """Take steps whenever a line of standard input asks for some, and print their seconds."""
    name, *work = json.loads(request)
    with ExitStack() as processes:
        take = _prepare(name, Work(*work), processes)
        for line in sys.stdin:
            print(json.dumps(take(int(line))), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
