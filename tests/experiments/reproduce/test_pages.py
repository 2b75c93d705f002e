"""The page of the reproduction: the report's name, the rows' names, its misprints, and when its curves are drawn."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout

import numpy as np
import pytest

from experiments.report.printed import ADDRESS
from experiments.reproduce import __main__ as reproduce
from tests.experiments.conftest import three_classes, write_image_lists
from tests.experiments.parsed import column, read

NAMES = {  # here, and in the report
    "perceptron_sigmoid": "Mine With Sigmoid",
    "perceptron_own": "Mine With Own Act",
    "sklearn_perceptron": "SKLearn",
    "lenet5": "LeNet5",
    "lenet5_grad": "LeNet5grad",
    "improved": "Improved",
    "improved_grad": "Improvedgrad",
    "lenet5_relu": "not in the report",
}


def run(out, data):
    """Return what a small run prints."""
    with redirect_stdout(io.StringIO()) as printed:
        reproduce.main(["--data", str(data), "--out", str(out), "--epochs", "1", "--seeds", "1", "--workers", "1"])
    return printed.getvalue()


@pytest.fixture(scope="module")
def on_digits(tmp_path_factory):
    """Return the directory of results of a small run on the digits, and what it printed."""
    out = tmp_path_factory.mktemp("digits")
    return out, run(out, "digits")


@pytest.fixture(scope="module")
def on_50_classes(tmp_path_factory):
    """Return the same for colour images, of which the largest label is 49."""
    root = tmp_path_factory.mktemp("classes")
    splits = {part: (images, np.where(labels == 2, 49, labels)) for part, (images, labels) in three_classes().items()}
    return root / "out", run(root / "out", write_image_lists(root / "images", splits))


def test_rows_have_the_same_names_everywhere_and_are_mapped_to_the_reports(on_digits):
    out, printed = on_digits
    page = read(out / "page.html")
    names = next(figure for figure in page.figures if "names of the rows" in figure.caption)
    assert dict(zip(column(names, "row"), column(names, "in the report"), strict=True)) == NAMES
    tables = [figure for figure in page.figures if figure.lines]
    assert len(tables) == 4
    assert {name for table in tables for name in column(table, "row")} == set(NAMES)
    results = json.loads((out / "results.json").read_text(encoding="utf-8"))
    assert [row["model"] for row in results["rows"]] == list(NAMES)
    trained = {file.name.partition("-seed")[0] for file in (out / "networks").iterdir()}
    assert trained == set(NAMES) - {"sklearn_perceptron"}
    for name, theirs in NAMES.items():
        line = next(line for line in printed.splitlines() if line.startswith(f"{name} "))
        assert (f"  {theirs} " in line) == (name != "lenet5_relu")
    titles = [name for name in NAMES for f in page.figures for d in f.drawings if f">{name}: accuracy<" in d]
    assert set(titles) == {*NAMES} - {"sklearn_perceptron", "lenet5_relu"}


@pytest.mark.parametrize("run_of", ["on_digits", "on_50_classes"])
def test_the_report_is_named_and_linked_once_at_the_top(run_of, request):
    page = read(request.getfixturevalue(run_of)[0] / "page.html")
    assert page.links == [ADDRESS]
    assert page.paragraphs[0].startswith("The report: Deep Learning HW2, Institute of Data Science")
    assert "on the validation images of Tiny ImageNet's 50 classes" in page.paragraphs[1]  # where the search ran


def test_misprinted_figures_are_the_records_and_marked_in_the_terminal_and_on_the_page(on_digits):
    out, printed = on_digits
    line = next(line for line in printed.splitlines() if line.startswith("lenet5_grad "))
    assert line.split()[-4:] == ["LeNet5grad", "-", "0.1644*", "0.1689"]
    assert "* The report prints the validation accuracies 0.0956, 0.0689, 0.1644" in printed
    page = read(out / "page.html")
    table = next(figure for figure in page.figures if figure.caption.startswith("Table 2."))
    assert column(table, "report: val as recorded") == ["0.1244", "0.1644*", "0.0956*", "0.0689*", ""]
    assert column(table, "report: val as printed") == ["0.1244", "0.0956", "0.0689", "0.1644", ""]
    assert any("They stand beside the wrong names" in text for text in page.paragraphs)


@pytest.mark.parametrize(("run_of", "chance", "drawn"), [("on_digits", "0.100", 0), ("on_50_classes", "0.020", 16)])
def test_the_reports_curves_share_axes_with_50_classes_alone(run_of, chance, drawn, request):
    """There are loss and accuracy of four LeNets, in both themes."""
    page = read(request.getfixturevalue(run_of)[0] / "page.html")
    theirs = [drawing for figure in page.figures for drawing in figure.drawings if ">the report, " in drawing]
    assert len(theirs) == drawn
    assert ("Dashed lines are the report's own records" in page.text) == bool(drawn)
    assert ("dashed line" in page.text) == bool(drawn)
    assert f"Chance is {chance} in this run, 0.020 in the report" in page.text


@pytest.mark.parametrize(("run_of", "flipped"), [("on_digits", False), ("on_50_classes", True)])
def test_settings_record_what_was_done_to_the_images(run_of, flipped, request):
    results = json.loads((request.getfixturevalue(run_of)[0] / "results.json").read_text(encoding="utf-8"))
    settings = {row["model"]: row["settings"] for row in results["rows"]}
    assert settings["improved_grad"]["flip"] == flipped
    assert settings["improved_grad"]["shift"] == 2
