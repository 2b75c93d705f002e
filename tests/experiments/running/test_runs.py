"""Runs through joblib, and what is kept of them."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from experiments.report.rows import rows_as
from experiments.running import inputs
from experiments.running.inputs import Inputs
from experiments.running.outcome import Outcome
from experiments.running.runs import Cluster, Job, RunError, run
from experiments.running.store import Store
from experiments.running.training import train_and_test
from functional_nn import losses

ROWS = [row for row in rows_as("tuned", epochs=1) if row.name in ("perceptron_sigmoid", "lenet5", "sklearn_perceptron")]


def figures(splits, store, cluster):
    """Return the accuracies of these rows and two seeds."""
    jobs = inputs.jobs(ROWS, [0, 1], Inputs("noise", splits))
    outcomes = run(train_and_test, jobs, (splits, None), store, cluster)
    keys = ("model", "seed", "train", "val", "test")
    return {row: [[outcome.record[key] for key in keys] for outcome in some] for row, some in outcomes.items()}


@pytest.fixture
def alone(splits, tmp_path):
    """Return their figures, one run after the other."""
    return figures(splits, Store(tmp_path / "alone"), Cluster(1))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_figures_are_the_same_on_every_backend(backend, alone, splits, tmp_path):
    for row in ROWS:
        assert [record[:2] for record in alone[row.name]] == [[row.name, seed] for seed in (0, 1)]
    assert figures(splits, Store(tmp_path / backend), Cluster(2, backend)) == alone


def test_figures_are_the_same_on_a_dask_cluster_of_two_processes(alone, splits, tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is an extra: pip install -e '.[dask]'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
    ) as cluster:
        where = Cluster(backend="dask", scheduler=cluster.scheduler_address)
        assert figures(splits, Store(tmp_path / "dask"), where) == alone
        workers = run(process, numbered(4), [], Store(tmp_path / "processes"), where)
    assert os.getpid() not in {outcome.record["process"] for (outcome,) in workers.values()}


def numbered(count):
    return [Job(f"job {i}", 0, {"number": i}, (i,)) for i in range(count)]


def process(number, *, threads, progress):
    return Outcome({"process": os.getpid()})


def blas_threads(number, *, threads, progress):
    return Outcome({"blas": [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]})


@pytest.mark.parametrize("cluster", [Cluster(1), Cluster(2), Cluster(2, "threading")])
def test_blas_runs_on_one_thread_within_a_run_and_as_before_after_it(cluster, tmp_path):
    before = threadpool_info()
    outcomes = run(blas_threads, numbered(3), [], Store(tmp_path), cluster)
    assert all(set(outcome.record["blas"]) == {1} for (outcome,) in outcomes.values())
    assert threadpool_info() == before


def interrupted(number, *, threads, progress):
    if number == 2:
        raise KeyboardInterrupt
    return Outcome({"number": number})


def test_an_interrupted_run_keeps_what_was_finished(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(interrupted, numbered(4), [], store, Cluster(1))
    assert [store.find(job.name, job.configuration) is not None for job in numbered(4)] == [True, True, False, False]


class DivergenceError(ArithmeticError):
    """Any exception, with a name to be found in the message."""


def diverging(number, *, threads, progress):
    if number == 1:
        raise DivergenceError("the loss is nan")
    return Outcome({"number": number})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_fails_is_named_with_its_error(workers, tmp_path):
    with pytest.raises(RunError, match="job 1, seed 0: DivergenceError: the loss is nan"):
        run(diverging, numbered(3), [], Store(tmp_path), Cluster(workers))


def test_a_run_is_found_under_its_own_configuration_alone(splits, tmp_path):
    loaded, row = Inputs("noise", splits), ROWS[0]
    own = inputs.configuration(row, 0, loaded)
    store, outcome = Store(tmp_path), Outcome({"val": 0.5}, {"test_outputs": np.eye(3)})
    store.add("run", own, outcome)
    found = store.find("run", own)
    assert found.record == outcome.record
    np.testing.assert_array_equal(found.arrays["test_outputs"], np.eye(3))
    others = [
        inputs.configuration(row, 1, loaded),
        inputs.configuration(replace(row, settings=replace(row.settings, epochs=7)), 0, loaded),
        inputs.configuration(replace(row, loss=losses.mean_squared_error), 0, loaded),
        inputs.configuration(replace(row, smallest_wins=True), 0, loaded),
        inputs.configuration(row, 0, Inputs("other", splits)),
        inputs.configuration(row, 0, Inputs("noise", splits, dict(splits))),
        own | {"code": "another"},
    ]
    assert all(store.find("run", other) is None for other in others)
    assert store.find("another run", own) is None


def test_outcomes_are_grouped_by_key_whatever_the_order_of_the_jobs(tmp_path):
    """Item B15: `reproduce` and `autopsy` cut one list of outcomes by the order of its jobs."""
    jobs = [Job(key, seed, {"key": key, "seed": seed}, (key, seed)) for seed in (3, 1) for key in ("b", "a")]
    for some in (jobs, jobs[::-1], [jobs[0], jobs[2], jobs[1]]):
        outcomes = run(named, some, [], Store(tmp_path), Cluster(1))
        assert {key: [o.record["job"] for o in of_key] for key, of_key in outcomes.items()} == {
            key: [[key, job.seed] for job in some if job.key == key] for key in {job.key for job in some}
        }


def test_runs_of_other_code_are_counted_and_run_again(tmp_path, capsys):
    jobs = [Job("job", seed, {"seed": seed, "code": code}, ("job", seed)) for seed, code in ((0, "a"), (1, "a"))]
    run(named, jobs, [], Store(tmp_path), Cluster(1))
    changed = [replace(job, configuration=job.configuration | {"code": "b"}) for job in jobs[:1]]
    run(named, [*changed, jobs[1]], [], Store(tmp_path), Cluster(1))
    printed = capsys.readouterr().out
    assert "1 of 2 runs are finished already" in printed
    assert f"1 of 2 runs in {tmp_path} were computed by other code: they are run again" in printed


def named(key, seed, *, threads, progress):
    return Outcome({"job": [key, seed]})
