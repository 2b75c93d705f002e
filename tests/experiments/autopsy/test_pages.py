"""The autopsy's page: formulas, then results, gradients and a panel a defect; the drawing for other documents."""

from __future__ import annotations

import json
from functools import partial

import pytest

from experiments.autopsy import __main__ as autopsy
from experiments.autopsy.defects import DEFECTS
from experiments.autopsy.figures import Findings, draw_accuracies, draw_course
from experiments.autopsy.pages import autopsy_page, write_overview
from experiments.autopsy.variants import LENET5, NETWORKS, variants
from experiments.report.printed import ADDRESS
from experiments.showing import page
from experiments.showing.themes import LIGHT
from tests.experiments.parsed import column, read


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the directory of results of a small run on the digits."""
    out = tmp_path_factory.mktemp("autopsy")
    autopsy.main(["--out", str(out), "--epochs", "1", "--seeds", "2", "--workers", "1"])
    return out


@pytest.fixture
def results(finished):
    return json.loads((finished / "results.json").read_text(encoding="utf-8"))


def test_the_report_is_named_and_linked_once_at_the_top(finished):
    found = read(finished / "page.html")
    assert found.links == [ADDRESS]
    assert found.paragraphs[0].startswith("The report: Deep Learning HW2")


def test_formulas_come_first_then_results_then_gradients_then_drawings(finished):
    found = read(finished / "page.html")
    formulas, results, gradients, *drawings = found.figures
    assert column(formulas, "wrong") == [defect.wrong.replace("`", "") for defect in DEFECTS.values()]
    assert column(formulas, "right") == [defect.right.replace("`", "") for defect in DEFECTS.values()]
    header = [cell.strip() for cell in results.lines[0]]
    assert {"test", "harm", "repaired", "gain"} <= set(header)
    assert (header[0], header[-1]) == ("defect", "network")  # a narrow page shows the results first
    assert {"checker", "cosine", "error by layer"} <= {cell.strip() for cell in gradients.lines[0]}
    assert column(results, "defect") == column(gradients, "defect")
    assert {network.title for network in NETWORKS} == set(column(results, "network"))
    assert drawings[0].drawings


def test_every_defect_has_a_panel_of_its_own(finished):
    found = read(finished / "page.html")
    for network in NETWORKS:
        courses = next(figure for figure in found.figures if f"{network.title}, a panel" in figure.caption
                       or f"{network.title.capitalize()}, a panel" in figure.caption)  # fmt: skip
        assert len(courses.descriptions) == len(network.defects) + bool(network.ran)
        assert len(set(courses.descriptions)) == len(courses.descriptions)
        for name in network.defects:
            assert sum(f">{name}: " in drawing for drawing in courses.drawings) == 2  # light and dark


def test_the_networks_have_the_same_names_in_the_tables_the_files_and_the_terminal(finished, results):
    found = read(finished / "page.html")
    names, trained = found.figures[-2:]
    assert column(trained, "network") == [variant.name for network in NETWORKS for variant in variants(network)]
    assert column(trained, "network") == [row["model"] for row in results["rows"]]
    theirs = dict(zip(column(names, "network here"), column(names, "row of the report"), strict=True))
    assert set(theirs) <= set(column(trained, "network"))
    assert theirs["LeNet-5, the author's"] == "LeNet5"  # its convolutions' gradients are dropped
    assert theirs["LeNet-5, the author's, 2 repaired"] == "LeNet5grad"
    ours = dict(zip(column(names, "network here"), column(names, "row of experiments.reproduce"), strict=True))
    assert ours["LeNet-5, right"] == "lenet5_grad"


def findings(results, ranking, classes):
    own = [line for line in ranking if line["network"] == LENET5.name]
    return Findings(LENET5, own, results["rows"], classes)


@pytest.mark.parametrize(("classes", "drawn"), [(10, False), (50, True)])
def test_the_reports_record_shares_axes_with_50_classes_alone(classes, drawn, results):
    found = findings(results, results["defects"], classes)
    svg, _ = page.svg(partial(draw_course, found, None), LIGHT)
    assert (b"stroke-dasharray: 3.7" in svg) == drawn  # a dashed line; the guess is dotted
    _, pieces = autopsy_page(results | {"classes": classes})
    captions = [piece.caption for piece in pieces if isinstance(piece, page.Plate)]
    assert ["Dashed: the report's own record of LeNet5." in caption for caption in captions] == [drawn, False, False]


def test_intervals_are_drawn_where_a_line_has_them(results):
    def thick_lines(ranking):
        svg, _ = page.svg(partial(draw_accuracies, findings(results, ranking, 10)), LIGHT)
        return svg.count(b"stroke-width: 2.5")

    interval = {"harm_interval": [0.0, 0.3], "gain_interval": [-0.1, 0.2]}
    without = [{key: value for key, value in line.items() if key not in interval} for line in results["defects"]]
    assert thick_lines(without) == 0
    assert thick_lines([line | interval for line in without]) == len(LENET5.defects) + len(LENET5.ran)


def test_the_drawing_for_other_documents_is_small_and_in_both_themes(finished, results, tmp_path):
    for name in ("autopsy.svg", "autopsy-dark.svg"):
        file = finished / "figures" / name
        assert file.stat().st_size < 200_000
        text = file.read_text(encoding="utf-8")
        assert all(f">{name}: " in text for name in LENET5.defects)
    (tmp_path / "figures").mkdir()
    others = [line for line in results["defects"] if line["network"] != LENET5.name]
    write_overview(tmp_path, results | {"defects": others})
    assert not list((tmp_path / "figures").iterdir())
