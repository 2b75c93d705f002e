"""The residual network on one data set: its table, with validation and test images together."""

from __future__ import annotations

import json

from experiments import resnet
from tests.experiments.parsed import read


def test_a_run_gives_a_table_and_holds_the_validation_images_out(tmp_path, capsys):
    resnet.main(["--data", "digits", "--out", str(tmp_path), "--epochs", "1"])
    (row,) = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["rows"]
    assert row["model"] == "small_resnet"
    assert row["settings"]["epochs"] == 1
    assert "small_resnet" in read(tmp_path / "page.html").paragraphs[0]
    printed = capsys.readouterr().out
    assert "val + test" in printed
    assert "trained on too" not in printed
