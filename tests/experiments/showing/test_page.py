"""The page: its pictures, and the escaping of its text."""

from __future__ import annotations

import numpy as np
from matplotlib import pyplot

from experiments.reproduce.structures import draw_structure
from experiments.showing import page
from functional_nn import models, plots


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


def test_a_wide_plate_keeps_the_size_of_its_pictures(tmp_path):
    figure = page.figure_of(plots.filters(np.random.default_rng(0).random((3, 3, 1, 4))))
    page.write(tmp_path, "t", [page.Plate("narrow", "", [figure], ""), page.Plate("wide", "", [figure], "", wide=True)])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count('<div class="panels">') == text.count('<div class="wide panels">') == 1


def test_a_figure_of_plots_is_kept_by_no_one_else():
    figure = page.figure_of(plots.filters(np.random.default_rng(0).random((3, 3, 1, 4))))
    assert not pyplot.fignum_exists(figure.number)
    assert page.png(figure).startswith(b"\x89PNG")


def test_a_tables_text_is_escaped():
    assert "<b>" not in page.table("<b>", ["<b>"], [["<b> ± <b>"]])


def test_a_paragraphs_text_is_escaped_and_html_is_not(tmp_path):
    page.write(tmp_path, "t", ['<b> & "quotes" $body', page.details("<i>", "<b>")])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<p>&lt;b&gt; &amp; &quot;quotes&quot; $body</p>" in text
    assert "<details><summary>&lt;i&gt;</summary><pre>&lt;b&gt;</pre></details>" in text
