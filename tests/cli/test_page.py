"""The page beside a network: one file, its figures, and names that are no markup."""

from __future__ import annotations

import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import functional_nn as fnn
from functional_nn.cli import page
from tests.cli.conftest import QUICK, Run, save_pictures

VOID = {"meta", "source", "img", "br", "link"}


class Reader(HTMLParser):
    """Reads a page's tags and text, and whether every tag is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open += [] if tag in VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_is_one_file_that_loads_nothing(net: Path) -> None:
    text = Path("pets.html").read_text(encoding="utf-8")
    reader = Reader(text)
    assert reader.open == []
    sources = [value for _, attributes in reader.tags for key, value in attributes.items() if key in ("src", "srcset")]
    assert len(sources) == 10  # five pictures, light and dark
    assert all(source.startswith("data:image/png;base64,iVBOR") for source in sources)
    assert not {"script", "link", "iframe"} & {tag for tag, _ in reader.tags}
    assert "http" not in re.sub('base64,[^"]*', "", text)
    assert "prefers-color-scheme: dark" in text
    assert all(attributes.get("alt") for tag, attributes in reader.tags if tag == "img")


def test_the_page_tells_the_figures(net: Path) -> None:
    words = "".join(Reader(Path("pets.html").read_text(encoding="utf-8")).words)
    about = fnn.load(net).about
    assert about["data"] in words
    assert "100.0% of the test images are right: 4 of 4." in words
    assert "from 51.0% to 100.0% (95 % interval)" in words
    assert f"{about['epochs']}, of which the {about['best_epoch']}" in words
    assert "functional-nn classify pets.npz" in words
    assert "chunk" not in words


def test_a_chunk_is_told_where_it_was_chosen(pets: Path, run: Run) -> None:
    assert run("train", pets, "--out", "pets.npz", *QUICK, "--chunk", 4).code == 0
    words = [word.strip() for word in Reader(Path("pets.html").read_text(encoding="utf-8")).words if word.strip()]
    assert words[words.index("chunk") + 1] == "4"


def test_names_of_classes_are_text_and_no_markup(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["<script>alert(1)<", "a & b \"quoted\" 'twice'", "$\\notmath$ and $title ${data}"]
    for level, name in zip((20, 120, 220), names, strict=True):
        save_pictures(tmp_path / "pets" / name, 10, level)
    ran = run("train", "pets", "--out", "pets.npz", *QUICK)
    assert ran.code == 0
    reader = Reader(Path("pets.html").read_text(encoding="utf-8"))
    assert "script" not in {tag for tag, _ in reader.tags}
    text = "".join(reader.words)
    for name in names:
        assert name in text


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode there")
def test_names_that_are_not_utf8_and_names_without_glyphs_are_shown(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for level, name in ((20, os.fsdecode(b"caf\xe9")), (220, "猫")):
        save_pictures(tmp_path / "pets" / name, 10, level)
    assert run("train", "pets", "--out", "pets.npz", *QUICK).code == 0
    text = Path("pets.html").read_text(encoding="utf-8")
    assert "猫" in text
    assert r"caf\udce9" in text
    assert run("classify", "pets.npz", os.path.join("pets", os.fsdecode(b"caf\xe9"), "1.png")).code == 0


def test_without_matplotlib_the_network_and_a_page_of_figures_are_made(
    pets: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("functional_nn.plots")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("functional_nn.plots", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = run("train", pets, "--out", "pets.npz", *QUICK)
    assert ran.code == 0
    assert "pip install -e '.[plots]'" in ran.out
    page = Path("pets.html").read_text()
    assert "<img" not in page
    assert "pip install" in page
    assert "100.0%" in page


def test_every_piece_is_a_template() -> None:
    assert page._templates().keys() == {"page", "headline", "note", "figure", "wide", "recall", "confusion", "fact"}


def test_ordinals() -> None:
    ordinals = "1st 2nd 3rd 4th 11th 12th 13th 21st 113th"
    assert " ".join(page._ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 113)) == ordinals
