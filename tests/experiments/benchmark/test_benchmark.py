"""The benchmark measures the right things: same sums, counted work, and slow loops that agree with our layers."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from importlib.util import find_spec

import numpy as np
import pytest

import functional_nn as fnn
from experiments.benchmark import __main__ as benchmark
from experiments.benchmark import limit, run, starts
from experiments.benchmark.contestants import loops, ours
from experiments.benchmark.ratios import ratios_picture
from experiments.benchmark.stopwatch import alternate
from experiments.benchmark.works import NETWORKS, ON_PROCESSES, SHAPES, Work, process_count
from functional_nn import layers

needs_processes = pytest.mark.skipif(find_spec("cloudpickle") is None, reason="needs the extra processes")


@pytest.mark.parametrize("images_too", [False, True])
def test_the_reports_loops_agree_with_our_layers(images_too):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 8, 8, 2))
    pairs = [
        (loops.conv2d(4, 3, images_too), layers.conv2d(4, 3)),
        (loops.max_pool(images_too), layers.max_pool(2)),
    ]
    for slow, fast in pairs:
        params = {name: p.astype(np.float64) for name, p in fast.init(rng, (8, 8, 2)).items()}
        (y, pullback), (expected, expected_pullback) = slow.vjp(params, x), fast.vjp(params, x)
        np.testing.assert_allclose(y, expected, atol=1e-12)
        dy = rng.standard_normal(y.shape)
        (dparams, dx), (expected_dparams, expected_dx) = pullback(dy), expected_pullback(dy)
        np.testing.assert_allclose(dx, expected_dx, atol=1e-12)
        for name in params:
            np.testing.assert_allclose(dparams[name], expected_dparams[name], atol=1e-11)


def test_work_of_a_step_is_the_one_counted_by_hand():
    forward = 28 * 28 * 6 * 75 + 10 * 10 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 50
    assert limit.step_multiply_adds("lenet5") == 3 * forward - 28 * 28 * 6 * 75


def test_contestants_take_at_least_the_steps_asked_for_in_turns():
    times = alternate(["threads"], Work("perceptron", "train", 2), steps=7)
    assert len(times["threads"]) >= 7
    assert all(seconds > 0 for seconds in times["threads"])


@needs_processes
def test_processes_take_the_steps_of_a_work_and_its_epochs(monkeypatch):
    for mode in ("train", "fit"):
        monkeypatch.setattr("experiments.benchmark.works.EPOCH", 512)
        with ExitStack() as processes:
            times = ours.prepare(Work("perceptron", mode, 256), processes)(3)
        assert len(times) == 3
        assert all(seconds > 0 for seconds in times)


@needs_processes
def test_processes_train_the_very_network_that_threads_train(monkeypatch):
    monkeypatch.setattr("experiments.benchmark.works.EPOCH", 512)
    work = Work("perceptron", "fit", 256)
    train = [NETWORKS[work.network](), SHAPES[work.network], work]
    with fnn.processes(2) as comm:
        results = [ours.trainer(*train, chunk=128, comm=where)(epochs=1) for where in (None, comm)]
    assert all(np.array_equal(*arrays) for arrays in zip(*(fnn.tree.leaves(r.params) for r in results), strict=True))


@needs_processes
def test_the_first_call_on_processes_takes_longer_by_their_start():
    assert starts.processes_start_ms(times=1) > 0.0


def test_exponent_of_a_power_law_is_found():
    assert limit._exponent({n: 3.0 * n**1.5 for n in (1, 2, 4, 8, 16, 32)}) == pytest.approx(1.5)


def test_a_comparison_is_the_ratio_of_medians(capsys):
    work = Work("lenet5", "train", 32)
    comparison = run._comparison(work, "threads", "torch", [0.001, 0.002, 0.009], [0.004, 0.004, 0.004])
    assert comparison["ratio"] == 0.5
    assert json.dumps(comparison)
    assert re.search(r"threads +torch +0\.500", capsys.readouterr().out)


SECONDS = {"threads": [0.003], "processes": [0.002], "torch": [0.004], "jax": [0.006]}


@pytest.mark.parametrize(
    ("work", "peers", "expected"),
    [
        (
            Work("lenet5", "train", 128),
            ["torch", "jax"],
            [("threads", "torch", 0.75), ("threads", "jax", 0.5), ("processes", "torch", 0.5),
             ("processes", "threads", 2 / 3)],
        ),
        (Work("lenet5", "infer", 128), ["torch"], [("threads", "torch", 0.75)]),
        (Work("wide", "fit", 64), [], [("processes", "threads", 2 / 3)]),
        (Work("lenet5", "infer", 128), [], []),
    ],
)  # fmt: skip
def test_processes_are_compared_with_pytorch_and_with_threads(work, peers, expected, monkeypatch):
    monkeypatch.setattr(run, "alternate", lambda names, *more, **options: {name: SECONDS[name] for name in names})
    rows = run.compare(work, peers, 4, processes=True)
    assert [(row["contestant"], row["peer"], row["ratio"]) for row in rows] == expected
    alone = run.compare(work, peers, 4, processes=False)
    assert [(row["contestant"], row["peer"]) for row in alone] == [
        pair[:2] for pair in expected if pair[0] == "threads"
    ]


def test_every_network_whose_epochs_are_measured_is_measured_on_processes_too():
    assert {work for work in run.WORKS if work.mode == "fit"} <= set(ON_PROCESSES)
    assert set(ON_PROCESSES) <= set(run.WORKS)


@pytest.mark.parametrize(("cores", "count"), [(1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (64, 64)])
def test_as_many_processes_as_cores_lowered_to_a_power_of_two(cores, count, monkeypatch):
    monkeypatch.setattr("experiments.benchmark.works.available_cores", lambda: cores)
    assert process_count() == count


def row(contestant, peer, batch=128, mode="train"):
    return {"network": "lenet5", "mode": mode, "batch": batch, "contestant": contestant, "peer": peer, "ratio": 0.5}


def test_the_picture_marks_processes_beside_pytorch_alone():
    rows = [row("threads", "torch"), row("threads", "jax"), row("threads", "torch", mode="infer")]
    marked = [row("processes", "torch"), row("processes", "threads")]
    assert b"processes" not in ratios_picture(rows)
    assert ratios_picture([*rows, *marked]).count(b"processes beside") == 1
    assert ratios_picture([row("processes", "threads")]) is None


def test_a_step_of_ours_changes_the_parameters_it_holds():
    work = Work("perceptron", "train", 2)
    step = ours.stepper(NETWORKS[work.network](), SHAPES[work.network], work)
    before = step.__closure__
    assert before is not None
    values = [cell.cell_contents for cell in before if isinstance(cell.cell_contents, dict)]
    step()
    after = [cell.cell_contents for cell in step.__closure__ if isinstance(cell.cell_contents, dict)]
    assert not np.array_equal(values[0]["hidden"]["w"], after[0]["hidden"]["w"])


def test_unknown_peers_are_refused(capsys):
    with pytest.raises(SystemExit):
        benchmark.main(["--peers", "torch,caffe"])
    assert "'caffe': expected some of torch,jax,sklearn" in capsys.readouterr().err


def test_processes_that_cannot_start_are_left_out_or_where_asked_for_refused(monkeypatch, tmp_path, capsys):
    measured = []
    monkeypatch.setattr(run, "benchmark", lambda *arguments, **options: measured.append(options["processes"]))
    monkeypatch.setattr("experiments.benchmark.works.process_count", lambda: 1)
    benchmark.main(["--peers", "sklearn", "--out", str(tmp_path)])
    with pytest.raises(SystemExit):
        benchmark.main(["--peers", "sklearn", "--processes", "--out", str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "cloudpickle" else True)
    with pytest.raises(SystemExit):
        benchmark.main(["--peers", "sklearn", "--processes", "--out", str(tmp_path)])
    assert measured == [False]
    out, error = capsys.readouterr()
    assert "several processes are left out: there is one core" in out
    assert "--processes: there is one core" in error
    assert "--processes: this needs cloudpickle, which is not installed: run pip install -e '.[processes]'" in error
