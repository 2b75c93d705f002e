"""The first rank alone shows progress and writes; a run goes on on any number of ranks, and without MPI."""

import csv
import os

import pytest

import functional_nn as fnn
from functional_nn import callbacks
from tests.mpi.cases import overfit
from tests.mpi.report import digest
from tests.mpi.running import Run, needs_mpi

pytestmark = needs_mpi
FILES = ["best.npz", "log.csv", "run.npz"]


@pytest.fixture
def whole(tmp_path):
    """The run that nothing interrupted, on one process."""
    best = callbacks.keep_best()
    result = overfit(6, callback=best, checkpoint=None)
    assert best.result.history[-1]["epoch"] == 1  # each part of a run goes on from the best of an earlier one
    return result, best.result


def without_mpi(folder, epochs):
    """Go on in this process; return what a rank reports."""
    before, best = os.getcwd(), callbacks.keep_best(path="best.npz")
    os.chdir(folder)
    try:
        result = overfit(epochs, callback=[best, callbacks.csv_log("log.csv")])
    finally:
        os.chdir(before)
    return {"result": digest(result), "best": digest(best.result), "epoch of the best": 1}


@pytest.mark.parametrize("parts", [(1, 2, 4), (2, None, 1), (None, 4, 2)], ids=str)
def test_a_run_goes_on_on_another_number_of_ranks_that_do_not_see_its_files(parts, whole, tmp_path):
    first = tmp_path / "first"
    first.mkdir()
    for epochs, ranks in zip((2, 4, 6), parts, strict=True):
        if ranks is None:
            reports, error = [without_mpi(first, epochs)], ""
        else:
            outcome = Run(ranks, "files", tmp_path, epochs).ended()
            assert outcome.code == 0, outcome.error
            reports, error = [rank_s for (rank_s,) in outcome.reports.values()], outcome.error
            assert len(reports) == ranks
        assert all(report == reports[0] for report in reports)
        assert reports[0]["best"] == digest(whole[1])
        assert digest(fnn.load(first / "run.npz")) == reports[0]["result"]
        assert digest(fnn.load(first / "best.npz")) == digest(whole[1])
        assert sorted(file.name for file in first.iterdir()) == FILES
        others = tmp_path / "others"
        assert not others.exists() or list(others.iterdir()) == []
        if ranks is not None:
            assert [line.split(":")[0] for line in error.splitlines()] == [
                f"epoch {epoch}/{epochs}" for epoch in (epochs - 1, epochs)
            ]
    assert reports[0]["result"] == digest(whole[0])
    with open(first / "log.csv", encoding="utf-8") as log:
        assert [row["epoch"] for row in csv.DictReader(log)] == list("123456")
