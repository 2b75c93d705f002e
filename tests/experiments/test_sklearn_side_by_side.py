"""The comparison with MLPClassifier: what stands in its table, and that both sides get the same."""

import pytest

pytest.importorskip("sklearn", minversion="1.6")

from experiments import sklearn_side_by_side as side_by_side


def test_a_cell_holds_the_mean_the_spread_and_the_median_of_the_seconds():
    outcomes = [side_by_side.Outcome(a, s) for a, s in ((0.9, 1.0), (1.0, 5.0), (0.95, 2.0))]
    assert side_by_side.shown(outcomes) == "0.950 ± 0.050, 2.00 s"
    assert side_by_side.shown(outcomes[:1]) == "0.900, 1.00 s"


def test_the_contestants_have_the_same_units_rate_and_seed():
    ours, plain, alike = side_by_side.contestants(7).values()
    assert ours.seed == plain[-1].random_state == alike[-1].random_state == 7
    assert ours.hidden == plain[-1].hidden_layer_sizes == alike[-1].hidden_layer_sizes
    assert ours.learning_rate == plain[-1].learning_rate_init == alike[-1].learning_rate_init
    assert (ours.batch_size, ours.epochs) == (alike[-1].batch_size, alike[-1].max_iter)


def test_the_command_prints_a_row_a_data_set(monkeypatch, capsys):
    monkeypatch.setattr(
        side_by_side,
        "compared",
        lambda x, y, seeds: dict.fromkeys(
            side_by_side.contestants(0), [side_by_side.Outcome(len(x) / 1e4, 0.5)] * seeds
        ),
    )
    side_by_side.main(["--seeds", "2"])
    rows = [line.split("|")[1:4] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert rows[2] == [" digits ", " 1,797 ", " 0.180 ± 0.000, 0.50 s "]
    assert [row[0].strip() for row in rows[2:]] == ["digits", "breast cancer", "wine"]


def test_comparing_fits_every_contestant_once_a_seed():
    import numpy as np

    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 80)
    outcomes = side_by_side.compared(rng.standard_normal((160, 3)) + 9.0 * y[:, np.newaxis], y, seeds=2)
    assert {name: len(of) for name, of in outcomes.items()} == dict.fromkeys(side_by_side.contestants(0), 2)
    assert all(one.accuracy == 1.0 and one.seconds > 0.0 for of in outcomes.values() for one in of)
