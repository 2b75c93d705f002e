"""The page: its pictures in both themes, its tables, and the escaping of its text."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from experiments.reproduce.structures import draw_structure
from experiments.showing import page
from experiments.showing.themes import DARK, LIGHT
from functional_nn import models, plots
from tests.experiments.parsed import column, read

HOSTILE = "</td><script>alert(1)</script> & \"'$body {{ 7 * 7 }} {% raw %}"


def drawing(text: str = "drawn"):
    figure = Figure(figsize=(3, 2))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1])
    axes.set_title(text)
    return figure


def test_a_page_holds_its_pictures_and_writes_them_beside_it(tmp_path):
    shapes = ((models.lenet5(10), (32, 32, 1)), (models.two_layer_perceptron(), (408,)))
    panels = [page.Panel(lambda given=given: draw_structure(*given), f"network {i}") for i, given in enumerate(shapes)]
    two = page.Plate("two", "the caption of two", panels)
    one = page.Plate("one", "the caption of one", panels[:1])
    page.write(tmp_path, "title & more", [page.Heading("<h>"), two, [one]])
    found = read(tmp_path / "page.html")
    assert [(figure.caption, figure.descriptions) for figure in found.figures] == [
        ("the caption of two", ["network 0", "network 1"]),
        ("the caption of one", ["network 0"]),
    ]
    files = {file.stem: file.read_text(encoding="utf-8") for file in (tmp_path / "figures").iterdir()}
    assert set(files) == {"twoa", "twoa-dark", "twob", "twob-dark", "one", "one-dark"}
    assert set(found.figures[0].drawings) == {files[name] for name in ("twoa", "twoa-dark", "twob", "twob-dark")}
    assert "<title>title &amp; more</title>" in found.source
    assert "<h2>&lt;h&gt;</h2>" in found.source


def test_the_dark_drawing_is_the_readers_on_dark(tmp_path):
    page.write(tmp_path, "t", [page.Plate("one", "a caption to be read", [page.Panel(drawing, "a text")])])
    source = read(tmp_path / "page.html").source
    dark, light = ((tmp_path / "figures" / name).read_text(encoding="utf-8") for name in ("one-dark.svg", "one.svg"))
    for theme, svg in ((LIGHT, light), (DARK, dark)):
        assert f"fill: {theme.background}" in svg
        assert f"fill: {theme.text}" in svg
    order = re.findall(r'media="(.*?)" srcset|<img', source)
    assert order == ["(prefers-color-scheme: dark)", ""]  # the browser takes the first that fits


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_texts_and_curves_are_read_on_the_background(theme):
    """WCAG 2.1: 4.5 for text (1.4.3), 3 for what a figure needs (1.4.11)."""

    def luminance(colour):
        shares = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    def contrast(a, b):
        low, high = sorted((luminance(a), luminance(b)))
        return (high + 0.05) / (low + 0.05)

    for colour in (theme.text, theme.faint, theme.link):
        assert contrast(colour, theme.background) > 4.5
        assert contrast(colour, theme.shade) > 4.5
    for colour in theme.cycle:
        assert contrast(colour, theme.background) > 3


def test_the_same_drawing_gives_the_same_bytes():
    assert page.svg(drawing, LIGHT) == page.svg(drawing, LIGHT)
    assert page.svg(drawing, LIGHT)[1] == (288, 192)


def test_images_in_drawings_are_finer_than_a_pixel():
    content, _ = page.svg(lambda: page.figure_of(plots.filters(np.eye(9).reshape(3, 3, 1, 9))), LIGHT)
    tag = re.search(r"<image [^>]*>", content.decode())[0]
    points = float(re.search(r'width="([\d.]+)"', tag)[1])
    png = base64.b64decode(re.search(r"base64,\s*([^\"]+)\"", tag)[1])
    assert int.from_bytes(png[16:20]) > 2 * points * 96 / 72  # its width, by the header of a PNG file


def test_a_wide_plate_keeps_the_size_of_its_pictures(tmp_path):
    panels = [page.Panel(drawing, "a text")]
    plates = [page.Plate(name, "a caption to be read", panels, wide=name == "wide") for name in ("narrow", "wide")]
    page.write(tmp_path, "t", plates)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert text.count('<div class="panels"') == text.count('<div class="own panels"') == 1


def test_a_figure_of_plots_is_kept_by_no_one_else():
    figure = page.figure_of(plots.filters(np.random.default_rng(0).random((3, 3, 1, 4))))
    assert not pyplot.fignum_exists(figure.number)


def test_every_text_is_escaped(tmp_path):
    """Names of classes and files are the user's own."""
    panel = page.Panel(lambda: drawing("<&>"), HOSTILE)
    pieces = [
        HOSTILE,
        page.Heading(HOSTILE),
        page.Link(HOSTILE, HOSTILE, "https://example.org/?a=1&b=\"'>", HOSTILE),
        page.Table(HOSTILE, [HOSTILE, "n"], [[f"`{HOSTILE}`", f"{HOSTILE} ± {HOSTILE}"]]),
        page.Plate("one", HOSTILE, [panel]),
        page.Details(HOSTILE, HOSTILE),
    ]
    page.write(tmp_path, HOSTILE, pieces)
    found = read(tmp_path / "page.html")
    assert found.tags.count("script") == 1  # the page's own
    assert found.text.count(HOSTILE) == 15
    assert found.links == ["https://example.org/?a=1&b=\"'>"]
    assert found.figures[1].descriptions == [HOSTILE]


def test_figures_are_set_to_the_right_and_prose_to_the_left():
    lines = [["`a_b`", "0.5 ± 0.1", "0.1 to 0.9", "not in it", "1,024", ""], ["c", "+1.2*", "", "1", "-", ""]]
    assert page.Table("c", list("abcdef"), lines).prose == [True, False, False, True, False, False]


def test_a_table_is_read_as_it_was_given_and_can_say_that_it_scrolls(tmp_path):
    table = page.Table("the caption of a table", ["row", "val"], [["`lenet5_grad`", "0.5 ± 0.1"], ["b", "0.25"]])
    page.write(tmp_path, "t", [table])
    found = read(tmp_path / "page.html")
    assert column(found.figures[0], "row") == ["lenet5_grad", "b"]
    assert [" ".join(cell.split()) for cell in column(found.figures[0], "val")] == ["0.5 ± 0.1", "0.25"]
    assert any("Scroll the table sideways" in paragraph for paragraph in found.paragraphs)
    assert '<p class="more" hidden>' in found.source  # the script shows it where the table does not fit
    assert 'tabindex="0"' in found.source  # the keys scroll it too


def test_what_follows_a_figure_is_small_and_text_in_brackets_is_not(tmp_path):
    lines = [["a (b)", "0.5 ± 0.1", "+0.5 (+0.4 to +0.6)", "1 (one)"]]
    page.write(tmp_path, "t", [page.Table("a table's caption", list("abcd"), lines)])
    source = read(tmp_path / "page.html").source
    assert re.findall(r"<small>(.*?)</small>", source) == ["± 0.1", "(+0.4 to +0.6)"]


def test_a_paragraphs_code_is_set_as_code(tmp_path):
    page.write(tmp_path, "t", ["before `a_b` after", page.Table("a table's caption", ["x"], [["1"]])])
    assert "<p>before <code>a_<wbr>b</code> after</p>" in (tmp_path / "page.html").read_text(encoding="utf-8")
