"""Contestants in processes of their own, timed in alternating blocks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter, sleep
from types import TracebackType

from experiments.benchmark.works import Work

BLOCKS = 4  # at least, of each contestant
BLOCK_SECONDS = 0.3  # long enough for caches and threads to be as they are within a training run
PAUSE_SECONDS = 0.1  # before a block: idle threads of the contestant before go on spinning for a while


class Contestant:
    """A process that takes steps of one work when asked, and sleeps in between."""

    def __init__(self, name: str, work: Work) -> None:
        request = json.dumps([name, work.network, work.mode, work.batch])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experiments.benchmark.stopwatch", request],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
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
            raise RuntimeError(f"a contestant ended: exit code {self.process.wait()}; its error stands above")
        return [float(seconds) for seconds in json.loads(answer)]

    @staticmethod
    def cores() -> int:
        """Return the number of cores that every contestant may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def alternate(names: list[str], work: Work, steps: int, warmup: int = 5) -> dict[str, list[float]]:
    """Return the seconds of at least `steps` steps of each contestant, taken in turns after `warmup` steps each."""
    contestants = {name: Contestant(name, work) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    try:
        pace = {name: min(contestant.take(warmup)) for name, contestant in contestants.items()}
        blocks = 0
        while blocks < BLOCKS or any(len(taken) < steps for taken in times.values()):
            blocks += 1
            for name, contestant in contestants.items():
                block = max(1, int(BLOCK_SECONDS / pace[name]))
                sleep(PAUSE_SECONDS)
                times[name] += contestant.take(block)
    finally:
        for contestant in contestants.values():
            contestant.__exit__(None, None, None)
    return times


def _prepare(name: str, work: Work) -> Callable[[], None]:
    if name == "ours":
        from experiments.benchmark.contestants import ours

        return ours.prepare(work)
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
    name, *work = json.loads(request)
    step = _prepare(name, Work(*work))
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            began = perf_counter()
            step()
            seconds.append(perf_counter() - began)
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
