"""The measurements measure what they say, on few and small points, and the command writes what it found."""

from __future__ import annotations

import json
from importlib.util import find_spec
from itertools import count
from typing import ClassVar

import numpy as np
import pytest

import functional_nn as fnn
from experiments.scaling import __main__ as command
from experiments.scaling import measure, rounds, run, tables
from experiments.scaling.idle import idle
from experiments.scaling.model import Link
from experiments.scaling.rounds import IDLE, Measured, Parts, exchange_seconds
from experiments.scaling.subjects import GRADIENTS, SUBJECTS, Point, idle_point, shapes_of, size_of
from experiments.scaling.under_mpi import mpiexec, on_mpi
from functional_nn.testing import check_layer

needs_processes = pytest.mark.skipif(find_spec("cloudpickle") is None, reason="needs the extra processes")
needs_mpi = pytest.mark.skipif(find_spec("mpi4py") is None or mpiexec() is None, reason="needs mpi4py and mpiexec")
SMALL = [Point("idle", 1, 2, 3, ((5,), (2, 3))), Point("lenet5", 2, 2, 1)]


def test_an_idle_network_is_a_layer_whose_gradients_are_zero():
    layer = idle((2, 3), (3,))
    check_layer(layer, (1,))
    params = layer.init(np.random.default_rng(0), (1,))
    assert [leaf.shape for leaf in fnn.tree.leaves(params)] == [(2, 3), (3,)]


def test_an_exchange_is_what_two_ranks_take_longer_than_their_work():
    chunk, addition, rest, exchange = 7.0, 2.0, 11.0, 5.0
    one_rank, of_four = (n * chunk + (n - 1) * addition + rest for n in (2, 4))
    assert exchange_seconds(chunk + exchange + rest, one_rank, of_four) == exchange


def test_the_networks_gradients_have_their_bytes_and_arrays():
    assert [size_of(shapes_of(subject.network)) for subject in SUBJECTS] == [4 * 65_406, 4 * 154_738, 4 * 669_810]
    assert len(shapes_of("lenet5")) == 10


@pytest.mark.parametrize(("chunk", "chunks", "steps"), [(0.01, 5, 5), (1.0, 4, 2)])
def test_an_epoch_lasts_a_quarter_of_a_second_or_two_steps(chunk, chunks, steps):
    assert measure.steps_of_epoch(chunk, chunks) == steps


def test_idle_epochs_are_shorter_for_large_gradients():
    assert idle_point(((1,),), 2).steps > idle_point(((2**20,),), 2).steps >= 10


def test_parts_and_whole_steps_take_time(monkeypatch):
    monkeypatch.setattr(measure, "TIMES", 2)
    assert measure.chunk_seconds("lenet5", 2) > 0.0
    assert min(measure.beside_seconds("lenet5", 2)) > 0.0
    assert min(map(measure.whole_step, SMALL)) > 0.0


@needs_processes
def test_a_chunk_is_measured_beside_another_process(monkeypatch):
    monkeypatch.setattr(measure, "TIMES", 2)
    with fnn.processes(2) as comm:
        assert measure.chunk_seconds("lenet5", 2, comm) > 0.0
        assert min(measure.whole_step(point, comm) for point in SMALL) > 0.0


@needs_mpi
def test_points_go_to_mpi_and_come_back():
    taken = on_mpi(2, SMALL)
    assert len(taken) == len(SMALL)
    assert min(taken) > 0.0


@needs_mpi
def test_ranks_that_fail_end_the_measurement(capfd):
    with pytest.raises(RuntimeError, match="mpiexec ended with exit code"):
        on_mpi(2, [Point("no_network", 2, 2, 1)])
    assert "no_network" in capfd.readouterr().err


@pytest.mark.parametrize("mpi", [False, True])
def test_the_fastest_round_counts(mpi, monkeypatch):
    """Everything takes as many seconds as there were measurements before it, and so each round longer than the last."""
    clock = count(1)
    for name in ("chunk_seconds", "whole_step"):
        monkeypatch.setattr(rounds, name, lambda *arguments: float(next(clock)))
    monkeypatch.setattr(rounds, "beside_seconds", lambda *arguments: (float(next(clock)), float(next(clock))))
    monkeypatch.setattr(rounds, "on_mpi", lambda ranks, points: [float(next(clock)) for _ in points])
    monkeypatch.setattr(fnn, "processes", Opened)
    found = rounds.measure([1, 2, 4], mpi=mpi, progress=lambda line: None)
    assert Opened.sizes[-2:] == [2, 4]
    assert found.parts["lenet5"] == Parts(1.0, 2.0, 3.0, 4.0)
    transports = ["processes", *(["MPI"] if mpi else [])]
    expected = [("alone", 1), *((transport, ranks) for ranks in (2, 4) for transport in transports)]
    assert list(dict.fromkeys((transport, ranks) for _, _, transport, ranks in found.steps)) == expected
    first = {where: min(s for (*_, t, n), s in found.steps.items() if (t, n) == where) for where in expected}
    per_run = len(found.steps) // len(expected)
    assert first["alone", 1] == 13.0
    assert first["processes", 2] == 13.0 + per_run + len(IDLE)
    assert list(found.exchanges) == transports
    assert all(len(taken) == len(GRADIENTS) for taken in found.exchanges.values())


class Opened:
    """Stands in for processes that nobody uses."""

    sizes: ClassVar[list[int]] = []

    def __init__(self, size):
        self.sizes.append(size)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def exactly(parts, exchange, cores=2):
    """Return measurements that agree with the model to the last digit."""
    steps = {}
    for subject in SUBJECTS:
        arrays, size = len(shapes_of(subject.network)), size_of(shapes_of(subject.network))
        for chunks in subject.measured:
            for transport, ranks in (("alone", 1), ("processes", 2), ("processes", 4)):
                passes = parts.alone if ranks == 1 else parts.beside
                own = chunks // ranks * (passes + parts.of_chunk) + parts.of_step
                doublings = ranks // 2  # 0, 1, 2
                packed = arrays * exchange.packing if ranks > 1 else 0.0
                crowd = max(1.0, ranks / cores)
                steps[subject.network, chunks, transport, ranks] = crowd * (
                    own + packed + doublings * (exchange.fixed + size * exchange.a_byte)
                )
    seconds = [exchange.fixed + size_of(s) * exchange.a_byte + len(s) * exchange.packing for s in GRADIENTS]
    return Measured({subject.network: parts for subject in SUBJECTS}, steps, {"processes": seconds})


PARTS = Parts(1e-3, 1.2e-3, 1e-5, 2e-4)


def exchange():
    return rounds.Exchange(3e-5, 1 / 4e9, 3e-6)


def test_whole_steps_that_agree_with_the_model_have_no_error():
    rows = list(tables.whole_steps(exactly(PARTS, exchange()), cores=2))
    assert [(row.network, row.batch, row.ranks) for row in rows[:4]] == [
        ("lenet5", 64, 1), ("lenet5", 64, 2), ("lenet5", 64, 4), ("lenet5", 256, 1),
    ]  # fmt: skip
    assert all(abs(row.error) < 1e-9 for row in rows)
    assert rows[0].speedup == 1.0
    assert rows[1].speedup == pytest.approx(rows[0].measured / rows[1].measured)


def test_a_model_that_is_too_high_by_a_tenth_says_so():
    measured = exactly(PARTS, exchange())
    faster = measured._replace(steps={key: s / 1.1 for key, s in measured.steps.items()})
    assert all(row.error == pytest.approx(0.1) for row in tables.whole_steps(faster, cores=2))


def test_curves_over_the_network_lie_below_those_in_memory():
    found = list(tables.curves(exactly(PARTS, exchange()), Link(50e-6, 1.25e9), [1, 2, 4, 8]))
    by_link = {name: [curve for curve in found if curve.link == name] for name in ("network", "memory")}
    for slow, quick in zip(by_link["network"], by_link["memory"], strict=True):
        assert (slow.network, slow.batch, slow.seconds) == (quick.network, quick.batch, quick.seconds)
        assert slow.speedups[1] == quick.speedups[1] == 1.0
        assert all(slow.speedups[ranks] < quick.speedups[ranks] for ranks in (2, 4, 8))


def test_the_command_prints_its_tables_and_writes_its_results(tmp_path, monkeypatch, capsys):
    asked = []

    def measured(ranks, *, mpi, progress):
        asked.append(ranks)
        return exactly(PARTS, exchange())

    monkeypatch.setattr(run, "measure", measured)
    monkeypatch.setattr(run, "available_cores", lambda: 2)
    command.main(["--ranks", "1,2,4", "--latency", "20", "--bandwidth", "25", "--out", str(tmp_path)])
    assert asked == [[1, 2, 4]]
    printed = capsys.readouterr().out
    assert "over a network of 20 us and 25 Gbit/s" in printed
    assert "processes: 30 us + bytes / 4.00 GB/s, and 3.0 us an array once a step" in printed
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["link"] == pytest.approx({"latency": 20e-6, "bandwidth": 3.125e9})
    assert len(results["steps"]) == 3 * sum(len(subject.measured) for subject in SUBJECTS)
    picture = (tmp_path / "scaling.svg").read_bytes()
    assert len(picture) < 200_000
    assert b"<dc:date>" not in picture


@pytest.mark.parametrize("ranks", ["3", "1", "2,4", "1,2,3", "1,2,x", "1,2,", "1,2,2", ""])
def test_other_ranks_are_refused(ranks, capsys):
    with pytest.raises(SystemExit):
        command.main([f"--ranks={ranks}"])
    assert f"{ranks!r}: expected powers of two, with 1 and 2, such as 1,2,4" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--latency", "--bandwidth"])
@pytest.mark.parametrize("number", ["0", "-1", "nan", "inf", "fast"])
def test_a_link_needs_numbers_above_zero(option, number, capsys):
    with pytest.raises(SystemExit):
        command.main([f"{option}={number}"])
    assert f"argument {option}: {number!r}: expected a number above 0" in capsys.readouterr().err


@pytest.mark.parametrize(("missing", "line"), [("mpi4py", "run pip install -e '.[mpi]'"), ("mpiexec", "no mpiexec")])
def test_mpi_that_is_not_there_is_left_out_and_named(missing, line, tmp_path, monkeypatch, capsys):
    measured = []
    monkeypatch.setattr(run, "scaling", lambda *arguments, mpi: measured.append(mpi))
    find = command.importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == missing else find(name) or True)
    monkeypatch.setattr("experiments.scaling.under_mpi.mpiexec", lambda: None if missing == "mpiexec" else "mpiexec")
    command.main(["--out", str(tmp_path)])
    assert measured == [False]
    assert line in capsys.readouterr().out
