"""The pages' examples run as they stand, print what the pages show, and quote the source as it is."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks, imported, is_quoted_from, links, pages, run, runs

QUOTES = [(page, block) for page in pages() for block in blocks(page, "python") if block.quoted]
README = ROOT / "README.md"


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", [page for page in pages() if runs(page)], ids=name)
def test_page_runs_and_prints_what_it_shows(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    missing = sorted(package for package in imported(page) if find_spec(package) is None)
    if missing:
        assert not os.environ.get("REQUIRE_TORCH"), missing  # set by .ci/run, where no page may be skipped
        pytest.skip(f"{name(page)} needs {', '.join(missing)}")
    monkeypatch.chdir(tmp_path)  # the examples write files
    for step in run(page):
        printed, shown = step.compared()
        assert printed == shown, f"{name(page)}, line {step.block.line + 1}"


@pytest.mark.parametrize(("page", "block"), QUOTES, ids=[f"{name(page)}:{block.line}" for page, block in QUOTES])
def test_quoted_code_is_the_source(page: Path, block) -> None:
    quote = block.text.partition("\n")[2]
    source = (ROOT / block.quoted).read_text(encoding="utf-8")
    assert is_quoted_from(quote, source), f"{name(page)}, line {block.line}: {block.quoted} has other lines"


@pytest.mark.parametrize("page", [README, *pages()], ids=name)
def test_every_file_that_a_page_links_is_there(page: Path) -> None:
    for target in links(page):
        assert (page.parent / target).exists(), target


def test_pictures_of_the_tutorial_are_small_and_drawn_the_same_every_time() -> None:
    pictures = list((ROOT / "docs" / "tutorial").glob("*.svg"))
    assert pictures
    for picture in pictures:
        assert picture.stat().st_size < 50_000, picture
        assert "<dc:date>" not in picture.read_text(encoding="utf-8"), picture


def test_every_layer_has_its_derivation_with_its_code() -> None:
    quoted = {block.quoted for page, block in QUOTES if page.parent.name == "derivations"}
    families = {f"functional_nn/layers/{path.name}" for path in (ROOT / "functional_nn" / "layers").glob("[!_]*.py")}
    assert families <= quoted
