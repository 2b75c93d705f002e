"""The sweep over depths."""

from __future__ import annotations

import json

import numpy as np

from experiments.reproduce import __main__ as reproduce
from experiments.reproduce.depths import improved_lenet5
from functional_nn import models


def test_the_reports_depths_give_the_improved_lenet5_itself():
    ours, theirs = improved_lenet5(5), models.improved_lenet5(5)
    params = theirs.init(np.random.default_rng(0), (32, 32, 3))
    x = np.random.default_rng(1).standard_normal((2, 32, 32, 3)).astype(np.float32)
    assert ours.parts == theirs.parts
    np.testing.assert_array_equal(ours.apply(params, x), theirs.apply(params, x))


def test_the_sweep_trains_each_depth_and_answers(image_lists, tmp_path, capsys):
    out = tmp_path / "out"
    tiny = ["--epochs", "1", "--seeds", "1", "--workers", "1"]
    reproduce.main(["--data", str(image_lists), "--out", str(out), "--sweep", "depths", *tiny])
    rows = json.loads((out / "results.json").read_text(encoding="utf-8"))["rows"]
    assert rows[0]["model"] == "depths_6_16_6"
    assert len({row["parameters"] for row in rows}) == len(rows)
    networks = {file.name for file in (out / "networks").iterdir()}
    assert networks == {f"{row['model']}.npz" for row in rows}
    answer = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("Validation data choose"))
    assert answer in (out / "page.html").read_text(encoding="utf-8").replace("&#x27;", "'")
