"""The main job on a handful of images in the report's form."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")
Image = pytest.importorskip("PIL.Image")

from experiments import reproduce, rows  # noqa: E402

NAMES = [
    "perceptron_sigmoid", "perceptron_own", "sklearn_perceptron", "lenet5", "lenet5_grad", "improved", "improved_grad",
]  # fmt: skip


@pytest.fixture
def image_lists(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 12), ("val", 6), ("test", 6)):
        lines = []
        for i in range(n):
            file = f"{part}{i}.png"
            Image.fromarray(rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)).save(tmp_path / file)
            lines.append(f"{file} {i % 3}")
        (tmp_path / f"{part}.txt").write_text("\n".join(lines))
    return tmp_path


def test_a_directory_gives_the_table_the_results_and_the_pictures(image_lists, tmp_path, capsys):
    out = tmp_path / "out"
    reproduce.main(["--data", str(image_lists), "--epochs", "1", "--seed", "3", "--out", str(out)])
    printed = capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert [row["model"] for row in results["rows"]] == NAMES
    assert all(row.keys() >= {"train", "val", "test", "epoch_seconds", "history"} for row in results["rows"])
    assert (results["seed"], results["epochs"]) == (3, 1)
    assert "3 classes" in printed
    assert "the report (other data, 50 classes)" in printed
    assert all(name in printed for name in NAMES)
    assert {file.stem for file in out.glob("*.png")} == set(NAMES) - {"sklearn_perceptron"}


def test_random_convolutions_are_bound_and_only_the_rest_is_trained(monkeypatch):
    rng = np.random.default_rng(0)
    split = (rng.integers(0, 255, (8, 32, 32, 1), dtype=np.uint8), np.arange(8) % 2)
    trained = []
    monkeypatch.setattr(rows.fnn, "fit", lambda model, params, *a, **k: trained.append(set(params)) or pytest.skip())
    for row in rows.NETWORKS:
        with pytest.raises(pytest.skip.Exception):
            rows.run_network(row, {"train": split, "val": split, "test": split}, seed=0, progress=False)
    names = {row.name: params for row, params in zip(rows.NETWORKS, trained, strict=True)}
    assert names["lenet5"] == {"f5", "f6", "f7"}
    assert names["lenet5_grad"] == {"c1", "c3", "f5", "f6", "f7"}
    assert names["improved"] == {"f6", "f7", "f8"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--epochs", "0"], "expected a whole number of at least 1"), (["--workers", "two"], "'two': expected a whole")],
)
def test_bad_arguments_say_what_is_expected(arguments, message, capsys):
    with pytest.raises(SystemExit):
        reproduce.main(arguments)
    assert message in capsys.readouterr().err


def test_a_directory_without_data_says_what_is_accepted(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"train.txt, val.txt and test.txt"):
        reproduce.main(["--data", str(tmp_path)])
