"""Runs through joblib, on this machine's cores or on a cluster. Finished runs are kept at once and not repeated."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from experiments.running.options import DASK
from experiments.running.outcome import Outcome
from experiments.running.store import Store
from functional_nn.training import available_cores

Work = Callable[..., Outcome]


@dataclass(frozen=True)
class Cluster:
    """Where runs take place: `workers` at a time (None: one a core) on a joblib backend.

    Dask's backend sends them to the scheduler at the address `scheduler`, as many at a time as its workers have
    threads, or to `workers` processes of this machine where that is None.
    """

    workers: int | None = None
    backend: str = "loky"
    scheduler: str | None = None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Cluster:
        """Return the cluster that the options name."""
        return cls(options.workers, options.backend, options.scheduler)


@dataclass(frozen=True)
class Job:
    """One run.

    - `key`: what is run; the outcomes are grouped by it;
    - `seed`: from which it is run;
    - `configuration`: all that its outcome follows from, as JSON can hold it;
    - `arguments`: those of the work; they can be pickled.
    """

    key: str
    seed: int
    configuration: dict[str, Any]
    arguments: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The run's name on the screen and at the start of its file's name."""
        return f"{self.key}, seed {self.seed}"


class RunError(RuntimeError):
    """A run failed; the message names it. The runs that finished before are kept."""


def run(
    work: Work,
    jobs: Sequence[Job],
    data: Sequence[Any],
    store: Store,
    cluster: Cluster,
    describe: Callable[[dict[str, Any]], str] = lambda record: "",
) -> dict[str, list[Outcome]]:
    """Return the outcomes by the jobs' keys, those of one key in the order of its jobs.

    Each comes from the store, or is computed and put there. To compute one is to call
    `work(*job.arguments, *data, threads=..., progress=...)`; `work` can be pickled. BLAS runs on one thread meanwhile,
    so that figures do not depend on the number of cores. All runs share `data`, which goes to each process once. The
    seconds of a run are added to its record as "seconds". `describe(record)` is printed when a run is finished.
    Raises `RunError` where a run fails.
    """
    outcomes = [store.find(job.name, job.configuration) for job in jobs]
    missing = [i for i, outcome in enumerate(outcomes) if outcome is None]
    if len(missing) < len(jobs):
        print(f"{len(jobs) - len(missing)} of {len(jobs)} runs are finished already, in {store.directory}")
    stale = sum(store.has_of_other_code(jobs[i].name, jobs[i].configuration) for i in missing)
    if stale:
        print(f"{stale} of {len(jobs)} runs in {store.directory} were computed by other code: they are run again")
    for number, outcome in _finished(work, [jobs[i] for i in missing], data, cluster, describe):
        i = missing[number]
        store.add(jobs[i].name, jobs[i].configuration, outcome)
        outcomes[i] = outcome
    groups: dict[str, list[Outcome]] = {job.key: [] for job in jobs}
    for job, finished in zip(jobs, outcomes, strict=True):
        if finished is not None:
            groups[job.key].append(finished)
    return groups


def _finished(
    work: Work, jobs: list[Job], data: Sequence[Any], cluster: Cluster, describe: Callable[[dict[str, Any]], str]
) -> Iterator[tuple[int, Outcome]]:
    """Yield the jobs' numbers with their outcomes as they finish, and show a progress bar."""
    if not jobs:
        return
    with _backend(cluster, data), threadpool_limits(1, user_api="blas"):
        workers = min(effective_n_jobs(cluster.workers or -1), len(jobs))
        alone = workers == 1 and cluster.backend != DASK  # one run after another, in this process, each with a bar
        threads = 1 if cluster.backend == DASK else max(1, available_cores() // workers)
        calls = (delayed(_run)(i, work, job, threads, alone, *data) for i, job in enumerate(jobs))
        parallel = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
        with tqdm(total=len(jobs), unit="run", disable=True if alone else None) as bar:
            for number, outcome in parallel(calls):
                text = describe(outcome.record)
                bar.write(f"{jobs[number].name}: {text}{', ' if text else ''}{outcome.record['seconds']:.1f} s")
                bar.update()
                yield number, outcome


def _run(number: int, work: Work, job: Job, threads: int, progress: bool, *data: Any) -> tuple[int, Outcome]:
    if progress:
        print(job.name)
    _hold_blas()
    began = perf_counter()
    try:
        outcome = work(*job.arguments, *data, threads=threads, progress=progress)
    except Exception as error:  # of any kind: some exceptions cannot be sent to another process
        raise RunError(f"{job.name}: {type(error).__name__}: {error}") from error
    return number, replace(outcome, record=outcome.record | {"seconds": perf_counter() - began})


@cache
def _hold_blas() -> None:
    """Hold BLAS to one thread in this process for good: runs on several threads must not release it between them.

    In the main process `_finished` releases it.
    """
    threadpool_limits(1, user_api="blas")


@contextmanager
def _backend(cluster: Cluster, data: Sequence[Any]) -> Iterator[None]:
    """Select joblib's backend; Dask's workers get the data once, at the start."""
    if cluster.backend != DASK:
        with parallel_config(cluster.backend):
            yield
        return
    from distributed import Client

    here = {"n_workers": cluster.workers or available_cores(), "threads_per_worker": 1, "dashboard_address": None}
    try:
        client = Client(cluster.scheduler) if cluster.scheduler else Client(**here)
    except OSError as error:
        raise OSError(f"no answer from Dask at {cluster.scheduler}: start `dask scheduler` there ({error})") from error
    with client, parallel_config("dask", scatter=[shared for shared in data if shared is not None]):
        yield
