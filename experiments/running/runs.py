"""Runs through joblib, on this machine's cores or on a cluster; what is finished is kept at once and found again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from time import perf_counter
from typing import Any

from joblib import Parallel, cpu_count, delayed, effective_n_jobs, parallel_config
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from experiments.running.store import Outcome, Store

Work = Callable[..., Outcome]


@dataclass(frozen=True)
class Cluster:
    """Where runs go: `workers` at a time (None: one a core) on a joblib backend.

    Dask's backend sends them to the scheduler at the address `scheduler`, as many at a time as its workers have
    threads, or to `workers` processes of this machine where that is None.
    """

    workers: int | None = None
    backend: str = "loky"
    scheduler: str | None = None


@dataclass(frozen=True)
class Job:
    """One run.

    - `name`: what progress calls it, and the beginning of its file's name;
    - `configuration`: all that its outcome follows from, as JSON can hold it;
    - `arguments`: those of the work, picklable.
    """

    name: str
    configuration: dict[str, Any]
    arguments: tuple[Any, ...]


class RunError(RuntimeError):
    """A run failed; the message names it. The runs that finished before are kept."""


def run(
    work: Work,
    jobs: Sequence[Job],
    data: Sequence[Any],
    store: Store,
    cluster: Cluster,
    describe: Callable[[dict[str, Any]], str] = lambda record: "",
) -> list[Outcome]:
    """Return the jobs' outcomes in their order, each from the store or run now, and then kept there.

    A run is `work(*job.arguments, *data, threads=..., progress=...)`, a function that can be pickled; BLAS runs on
    one thread meanwhile, so that figures do not depend on the number of cores. `data` is what all runs share: it
    goes to a process once. A run's "seconds" are added to its record. `describe(record)` is what progress says of
    a finished run. Raises `RunError` where a run fails.
    """
    found = [store.find(job.name, job.configuration) for job in jobs]
    missing = [i for i, outcome in enumerate(found) if outcome is None]
    if len(missing) < len(jobs):
        print(f"{len(jobs) - len(missing)} of {len(jobs)} runs are finished already, in {store.directory}")
    for number, outcome in _finished(work, [jobs[i] for i in missing], data, cluster, describe):
        i = missing[number]
        store.add(jobs[i].name, jobs[i].configuration, outcome)
        found[i] = outcome
    return [outcome for outcome in found if outcome is not None]


def _finished(
    work: Work, jobs: list[Job], data: Sequence[Any], cluster: Cluster, describe: Callable[[dict[str, Any]], str]
) -> Iterator[tuple[int, Outcome]]:
    """Yield the jobs' numbers with their outcomes as they finish, behind a progress bar."""
    if not jobs:
        return
    with _backend(cluster, data), threadpool_limits(1, user_api="blas"):
        workers = min(effective_n_jobs(cluster.workers or -1), len(jobs))
        alone = workers == 1 and cluster.backend != "dask"  # runs one after the other, here, with bars of their own
        threads = 1 if cluster.backend == "dask" else max(1, cpu_count() // workers)
        calls = (delayed(_run)(i, work, job, threads, alone, *data) for i, job in enumerate(jobs))
        parallel = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1)
        with tqdm(total=len(jobs), unit="run", disable=True if alone else None) as bar:
            for number, outcome in parallel(calls):
                said = describe(outcome.record)
                bar.write(f"{jobs[number].name}: {said}{', ' if said else ''}{outcome.record['seconds']:.1f} s")
                bar.update()
                yield number, outcome


def _run(number: int, work: Work, job: Job, threads: int, progress: bool, *data: Any) -> tuple[int, Outcome]:
    if progress:
        print(job.name)
    _hold_blas()
    began = perf_counter()
    try:
        outcome = work(*job.arguments, *data, threads=threads, progress=progress)
    except Exception as error:  # of any kind: not every exception can leave the process that it was raised in
        raise RunError(f"{job.name}: {type(error).__name__}: {error}") from error
    return number, replace(outcome, record=outcome.record | {"seconds": perf_counter() - began})


@cache
def _hold_blas() -> None:
    """Hold BLAS to one thread in this process for good: runs on several threads must not give it back between them.

    In the main process `_finished` gives it back.
    """
    threadpool_limits(1, user_api="blas")


@contextmanager
def _backend(cluster: Cluster, data: Sequence[Any]) -> Iterator[None]:
    """Select joblib's backend; Dask's workers get the data once, at the start."""
    if cluster.backend != "dask":
        with parallel_config(cluster.backend):
            yield
        return
    from distributed import Client

    here = {"n_workers": cluster.workers or cpu_count(), "threads_per_worker": 1, "dashboard_address": None}
    try:
        client = Client(cluster.scheduler) if cluster.scheduler else Client(**here)
    except OSError as error:
        raise OSError(f"no answer from Dask at {cluster.scheduler}: start `dask scheduler` there ({error})") from error
    with client, parallel_config("dask", scatter=[shared for shared in data if shared is not None]):
        yield
