"""The main job on a handful of images in the report's form."""

from __future__ import annotations

import json

import pytest

from experiments.reproduce import __main__ as reproduce
from experiments.reproduce.differences import PAIRS
from tests.experiments.parsed import read

NAMES = [
    "perceptron_sigmoid",
    "perceptron_own",
    "sklearn_perceptron",
    "lenet5",
    "lenet5_grad",
    "improved",
    "improved_grad",
]
TINY = ("--epochs", "1", "--seeds", "2", "--workers", "1")


@pytest.fixture
def reproduced(image_lists, tmp_path, capsys):
    """Return the directory of results of a tiny run, and what it printed."""
    out = tmp_path / "out"
    reproduce.main(["--data", str(image_lists), "--out", str(out), "--seed", "3", *TINY])
    return out, capsys.readouterr().out


def test_a_directory_gives_the_table_the_results_and_the_page(reproduced, image_lists):
    out, printed = reproduced
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert [row["model"] for row in results["rows"]] == [*NAMES, "lenet5_relu"]
    keys = {"train", "val", "test", "epoch_seconds", "test_interval", "val_test", "seeds", "settings"}
    assert all(row.keys() >= keys for row in results["rows"])
    records = [record for row in results["rows"] for record in row["seeds"]]
    assert all(len(record["history"]) == (record["model"] != "sklearn_perceptron") for record in records)
    assert [record["seed"] for record in records[:2]] == results["seeds"] == [3, 4]
    assert {"data", "source", "options", "python", "packages", "commit", "machine", "seconds"} <= results.keys()
    assert "mean of 2 seeds" in printed
    assert "3 classes" in printed
    assert "the report (other data, 50 classes)" in printed
    assert all(name in printed for name in NAMES)
    page = read(out / "page.html")
    assert all(f"Figure {number}." in page.text for number in range(1, 14))
    assert str(image_lists) in page.text
    assert len(list((out / "figures").glob("*.svg"))) == sum(len(figure.drawings) for figure in page.figures)
    written = (out / "table.md").read_text(encoding="utf-8")
    (last,) = (line for line in written.splitlines() if line.startswith("| `improved_grad` |"))
    best = results["rows"][-2]
    assert last.startswith(f"| `improved_grad` | {best['train']:.3f} ± {best['train_sd']:.3f} |")
    assert last.endswith("| Improvedgrad: 0.0689*, 0.1689 |")
    assert "\n* The report prints" in written
    assert len(results["differences"]) == len(PAIRS) == written.count("| no |") + written.count("| yes |")
    assert "told apart" in printed


def test_finished_runs_are_found_again_and_only_the_missing_ones_are_run(reproduced, image_lists, capsys):
    out, _ = reproduced
    before = json.loads((out / "results.json").read_text(encoding="utf-8"))["rows"]
    networks = {file.name: file.read_bytes() for file in (out / "networks").iterdir()}
    assert len(networks) == 14  # seven rows that train ours, two seeds
    next((out / "runs").glob("improved_grad-seed-4-*.npz")).unlink()
    reproduce.main(["--data", str(image_lists), "--out", str(out), "--seed", "3", *TINY])
    printed = capsys.readouterr().out
    after = json.loads((out / "results.json").read_text(encoding="utf-8"))["rows"]
    assert "15 of 16 runs are finished already" in printed
    assert [line for line in printed.splitlines() if line.startswith("improved_grad, seed")][-1].endswith(" s")
    assert not any(line.startswith("lenet5_grad, seed") for line in printed.splitlines())
    assert [(row["val"], row["test"]) for row in after] == [(row["val"], row["test"]) for row in before]
    assert networks == {file.name: file.read_bytes() for file in (out / "networks").iterdir()}


def test_an_older_store_is_refused_with_what_to_do_before_any_work(image_lists, tmp_path, capsys):
    runs = tmp_path / "out" / "runs"
    runs.mkdir(parents=True)
    (runs / "lenet5-seed-0-0123456789abcdef.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        reproduce.main(["--data", str(image_lists), "--out", str(tmp_path / "out"), *TINY])
    assert stopped.value.code == 2
    assert f"{runs} holds runs of an older version" in (error := capsys.readouterr().err)
    assert "delete this directory to train them anew, or give another --out" in error


def test_an_interrupt_says_how_to_go_on(image_lists, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("experiments.running.training.fnn.fit", interrupted)
    with pytest.raises(SystemExit) as stopped:
        reproduce.main(["--data", str(image_lists), "--out", str(tmp_path / "out"), *TINY])
    assert stopped.value.code == 130
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "'0': expected a whole number from 1 to 1,000,000"),
        (["--seed", "-1"], "expected a whole number from 0 to 4,294,967,295"),
        (["--workers", "two"], "'two': expected a whole"),
        (["--data", "nowhere"], "nowhere: there is no such directory"),
        (["--data", "nowhere"], "train.txt, val.txt and test.txt"),
        (["--scheduler", "tcp://a:1"], "give --backend dask as well"),
        (["--backend", "nothing"], "Invalid backend: nothing"),
        (["--backend", "multiprocessing"], "expected dask or a backend of joblib that returns results as they finish"),
        (["--sweep", "depths", "--features", "handmade"], "leave --features out"),
    ],
)
def test_bad_arguments_say_what_to_do_before_any_work(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        reproduce.main([*arguments, "--out", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(("option", "extra"), [("--backend", "dask"), ("--features", "handmade")])
def test_a_missing_package_is_named_by_its_extra(option, extra, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        reproduce.main([option, extra, "--out", str(tmp_path / "out")])
    assert f"pip install -e '.[{extra}]'" in capsys.readouterr().err


def test_an_out_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(SystemExit):
        reproduce.main(["--out", str(tmp_path / "out")])
    assert "File exists" in capsys.readouterr().err
