"""Runs through joblib, and what is kept of them."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import functional_nn as fnn
from experiments.report.rows import rows_as
from experiments.running import inputs
from experiments.running.inputs import Inputs
from experiments.running.runs import Cluster, Job, RunError, run
from experiments.running.store import Outcome, Store, code

ROWS = [row for row in rows_as("tuned", epochs=1) if row.name in ("perceptron_sigmoid", "lenet5", "sklearn_perceptron")]


def figures(splits, store, cluster):
    """Return the accuracies of these rows and two seeds."""
    jobs = inputs.jobs(ROWS, [0, 1], Inputs("noise", splits))
    outcomes = run(inputs.train_and_test, jobs, (splits, None), store, cluster)
    return [[outcome.record[what] for what in ("model", "seed", "train", "val", "test")] for outcome in outcomes]


@pytest.fixture
def alone(splits, tmp_path):
    """Return their figures, one run after the other."""
    return figures(splits, Store(tmp_path / "alone"), Cluster(1))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_figures_are_the_same_on_every_backend(backend, alone, splits, tmp_path):
    assert [found[:2] for found in alone] == [[row.name, seed] for seed in (0, 1) for row in ROWS]
    assert figures(splits, Store(tmp_path / backend), Cluster(2, backend)) == alone


def test_figures_are_the_same_on_a_dask_cluster_of_two_processes(alone, splits, tmp_path):
    distributed = pytest.importorskip("distributed", reason="Dask is an extra: pip install 'functional-nn[dask]'")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
    ) as cluster:
        where = Cluster(backend="dask", scheduler=cluster.scheduler_address)
        assert figures(splits, Store(tmp_path / "dask"), where) == alone
        workers = run(process, numbered(4), [], Store(tmp_path / "processes"), where)
    assert os.getpid() not in {outcome.record["process"] for outcome in workers}


def numbered(count):
    return [Job(f"job {i}", {"number": i}, (i,)) for i in range(count)]


def process(number, *, threads, progress):
    return Outcome({"process": os.getpid()})


def blas_threads(number, *, threads, progress):
    return Outcome({"blas": [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]})


@pytest.mark.parametrize("cluster", [Cluster(1), Cluster(2), Cluster(2, "threading")])
def test_blas_runs_on_one_thread_within_a_run_and_as_before_after_it(cluster, tmp_path):
    before = threadpool_info()
    outcomes = run(blas_threads, numbered(3), [], Store(tmp_path), cluster)
    assert all(set(outcome.record["blas"]) == {1} for outcome in outcomes)
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


def diverging(number, *, threads, progress):
    if number == 1:
        raise fnn.train.DivergenceError("the loss is nan", None)
    return Outcome({"number": number})


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_that_fails_is_named_with_its_error(workers, tmp_path):
    with pytest.raises(RunError, match="job 1: DivergenceError: the loss is nan"):
        run(diverging, numbered(3), [], Store(tmp_path), Cluster(workers))


def test_a_run_is_found_under_its_own_configuration_alone(splits, tmp_path):
    loaded, row = Inputs("noise", splits), ROWS[0]
    own = inputs.configuration(row, 0, loaded, code())
    store, outcome = Store(tmp_path), Outcome({"val": 0.5}, {"test_outputs": np.eye(3)})
    store.add("run", own, outcome)
    found = store.find("run", own)
    assert found.record == outcome.record
    np.testing.assert_array_equal(found.arrays["test_outputs"], np.eye(3))
    others = [
        inputs.configuration(row, 1, loaded, code()),
        inputs.configuration(replace(row, settings=replace(row.settings, epochs=7)), 0, loaded, code()),
        inputs.configuration(row, 0, Inputs("other", splits), code()),
        inputs.configuration(row, 0, loaded, code("report/rows.py")),
        inputs.configuration(row, 0, Inputs("noise", splits, dict(splits)), code()),
    ]
    assert all(store.find("run", other) is None for other in others)
    assert store.find("another run", own) is None


def test_a_damaged_file_is_named(tmp_path):
    store = Store(tmp_path)
    store.add("run", {}, Outcome({}))
    file = next(tmp_path.glob("*.json"))
    file.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=f"{file.name}.*delete it"):
        store.find("run", {})
