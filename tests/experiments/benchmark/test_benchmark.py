"""The benchmark measures the right things: same sums, counted work, and slow loops that agree with our layers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.benchmark import __main__ as benchmark
from experiments.benchmark import limit, run
from experiments.benchmark.contestants import loops, ours
from experiments.benchmark.stopwatch import alternate
from experiments.benchmark.works import Work
from functional_nn import layers


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
    times = alternate(["ours"], Work("perceptron", "train", 2), steps=7)
    assert len(times["ours"]) >= 7
    assert all(seconds > 0 for seconds in times["ours"])


def test_exponent_of_a_power_law_is_found():
    assert limit._exponent({n: 3.0 * n**1.5 for n in (1, 2, 4, 8, 16, 32)}) == pytest.approx(1.5)


def test_a_comparison_is_the_ratio_of_medians(capsys):
    work = Work("lenet5", "train", 32)
    comparison = run._comparison(work, "torch", [0.001, 0.002, 0.009], [0.004, 0.004, 0.004])
    assert comparison["ratio"] == 0.5
    assert json.dumps(comparison)
    assert "0.500" in capsys.readouterr().out


def test_a_step_of_ours_changes_the_parameters_it_holds():
    step = ours.prepare(Work("perceptron", "train", 2))
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
