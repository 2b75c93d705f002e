"""The progress bar fits 80 columns and shows all figures; a log holds a line an epoch."""

import io
import math

import pytest

from functional_nn.result import figures
from functional_nn.training import progress

RECORD = {"epoch": 12, "loss": 0.123456, "accuracy": 0.987654, "val_loss": 1.234567, "val_accuracy": 0.876543}


def test_all_figures_and_a_bar_fit_80_columns():
    tqdm = pytest.importorskip("tqdm").tqdm
    text = io.StringIO()
    bar = tqdm(total=3000, bar_format=progress.BAR, ncols=80, file=text)
    shown = progress._Bar(bar, 30)
    shown.epoch(RECORD)
    shown.step(0.123456, 0.987654)
    bar.refresh()
    last = text.getvalue().rsplit("\r", 1)[-1].strip()
    bar.close()
    assert len(last) <= 80
    assert "loss 0.1235, acc 0.9877 | val 1.235, acc 0.8765" in last
    assert last.startswith("epoch 13/30 |")


def test_a_log_holds_a_line_an_epoch_and_no_bar(capsys):
    with progress.progress_of(30, 100, shown=True) as shown:  # standard error is no terminal here
        shown.step(0.5, 0.5)
        shown.epoch(RECORD)
    assert capsys.readouterr().err == "epoch 12/30: loss 0.1235, acc 0.9877 | val 1.235, acc 0.8765\n"


def test_a_loss_without_accuracy_shows_none():
    record = {"epoch": 1, "loss": 0.5, "accuracy": math.nan, "val_loss": None, "val_accuracy": None}
    assert figures(record) == "loss 0.5"
