"""What the page draws."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.report.printed import PRINTED, records
from experiments.reproduce.structures import draw_structure, stages
from experiments.showing import page
from experiments.showing.galleries import class_names, confident_mistakes, confusions, draw_filters, draw_mistakes
from functional_nn import models


def test_a_structure_is_that_of_the_model():
    found = stages(models.improved_lenet5(50), (32, 32, 3))
    assert [stage.shape for stage in found] == [
        (32, 32, 3), (30, 30, 6), (15, 15, 6), (13, 13, 16), (14, 14, 16), (7, 7, 16), (8, 8, 16), (6, 6, 6),
        (216,), (120,), (84,), (50,),
    ]  # fmt: skip
    assert found[1].text == "c1: conv2d(6, 3), silu"
    assert found[1].parameters == 3 * 3 * 3 * 6 + 6


def test_a_page_holds_its_pictures_and_writes_them_beside_it(tmp_path):
    drawings = [
        draw_structure(model, shape)
        for model, shape in ((models.lenet5(10), (32, 32, 1)), (models.two_layer_perceptron(), (408,)))
    ]
    two, one = page.Plate("two", "caption <2>", drawings, "networks"), page.Plate("one", "", drawings[:1], "a network")
    page.write(tmp_path, "title & more", [page.heading("<h>"), two, [one]])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count("data:image/png;base64,") == 3
    assert all(escaped in text for escaped in ("title &amp; more", "&lt;h&gt;", "caption &lt;2&gt;"))
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"twoa.png", "twob.png", "one.png"}


def test_a_tables_text_is_escaped():
    assert "<b>" not in page.table("<b>", ["<b>"], [["<b> ± <b>"]])


def test_mistakes_are_the_wrong_ones_the_most_confident_first():
    outputs = np.array([[5.0, 0.0], [0.0, 1.0], [0.0, 9.0], [3.0, 0.0]])
    assert [i for i, _, _ in confident_mistakes(np.array([0, 0, 0, 1]), outputs, 12)] == [2, 3, 1]
    images = np.zeros((4, 32, 32, 3), np.uint8)
    assert draw_mistakes(images, outputs.argmax(axis=1), outputs, ["a", "b"]) is None


def test_confusions_are_the_most_frequent_wrong_pairs():
    labels = np.array([0, 0, 0, 1, 1, 2])
    outputs = np.eye(3)[[1, 1, 0, 0, 1, 2]]
    assert confusions(labels, outputs, 2) == [(0, 1, 2), (1, 0, 1)]
    assert confusions(labels, np.eye(3)[labels], 2) == []


def test_filters_of_any_first_layer_are_drawn():
    rng = np.random.default_rng(0)
    for weights in (rng.random((5, 5, 3, 6)), rng.random((5, 5, 1, 6)), rng.random((3072, 9))):
        assert len(draw_filters(weights, (32, 32, 3)).axes) >= weights.shape[-1]
    assert len(draw_filters(rng.random((3072, 64)), (32, 32, 3), most=12).axes) == 12


def test_classes_are_named_where_the_data_names_them(tmp_path):
    assert class_names(tmp_path, 2) == ["0", "1"]
    (tmp_path / "classes.txt").write_text("0\tn01\tgoldfish, Carassius\n1\tn02\tblack widow\n", encoding="utf-8")
    assert class_names(tmp_path, 2) == ["goldfish", "black widow"]


@pytest.mark.parametrize("name", ["lenet5", "lenet5_grad", "improved", "improved_grad"])
def test_the_recorded_figures_are_where_the_records_end(name):
    record = records()[name]
    assert record["val_accuracy"][-1] == PRINTED[name].recorded_val
    assert len(record["train_loss"]) == len(record["val_accuracy"]) == 30
