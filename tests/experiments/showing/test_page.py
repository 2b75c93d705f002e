"""The page: its pictures, and the escaping of its text."""

from __future__ import annotations

from experiments.reproduce.structures import draw_structure
from experiments.showing import page
from functional_nn import models


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


def test_a_paragraphs_text_is_escaped_and_html_is_not(tmp_path):
    page.write(tmp_path, "t", ['<b> & "quotes" $body', page.details("<i>", "<b>")])
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<p>&lt;b&gt; &amp; &quot;quotes&quot; $body</p>" in text
    assert "<details><summary>&lt;i&gt;</summary><pre>&lt;b&gt;</pre></details>" in text
