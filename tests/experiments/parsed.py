"""A page as its reader gets it: its figures, tables, text and what it loads, by the standard library's parser."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

EMBEDDED = "data:image/svg+xml;base64,"


@dataclass
class Figure:
    """One figure element: its caption, the texts for readers who cannot see it, its drawings, its table's cells."""

    caption: str = ""
    descriptions: list[str | None] = field(default_factory=list)
    drawings: list[str] = field(default_factory=list)
    lines: list[list[str]] = field(default_factory=list)


class Page(HTMLParser):
    """The page in a file."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.figures: list[Figure] = []
        self.paragraphs: list[str] = []
        self.tags: list[str] = []
        self.resources: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.source = file.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        if tag not in ("meta", "source", "img", "wbr"):
            self._open.append(tag)
        if tag == "figure":
            self.figures.append(Figure())
        elif tag == "p":
            self.paragraphs.append("")
        elif tag == "tr":
            self.figures[-1].lines.append([])
        elif tag in ("td", "th"):
            self.figures[-1].lines[-1].append("")
        elif tag == "img":
            self.figures[-1].descriptions.append(given.get("alt"))
        elif tag == "a":
            self.links.append(given["href"])
        for name in ("src", "srcset", "href", "data", "action", "poster"):
            if name in given and tag != "a":
                self.resources.append(given[name])
                if given[name].startswith(EMBEDDED):
                    drawing = base64.b64decode(given[name].removeprefix(EMBEDDED)).decode()
                    self.figures[-1].drawings.append(drawing)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag, f"{tag} is closed, and is not what is open"

    def handle_data(self, data):
        if self._open and self._open[-1] in ("style", "script"):
            return
        self.text += data
        if "figcaption" in self._open:
            self.figures[-1].caption += data
        elif {"td", "th"} & set(self._open):
            self.figures[-1].lines[-1][-1] += data
        elif "p" in self._open:
            self.paragraphs[-1] += data


def read(file: Path) -> Page:
    """Return the page in a file, which keeps the rules of every page.

    It loads nothing, every figure has a caption, every picture a description and a drawing for each theme, and each
    line of a table has a cell a column.
    """
    page = Page(file)
    assert not page._open
    assert all(resource.startswith(EMBEDDED) for resource in page.resources)
    assert not any(word in page.source for word in ("@import", "url(", "fetch(", "<link"))
    assert page.figures
    for figure in page.figures:
        assert len(figure.caption.strip()) > 15
        assert all(description and description.strip() for description in figure.descriptions)
        assert len(figure.drawings) == 2 * len(figure.descriptions)
        assert bool(figure.drawings) != bool(figure.lines)
        assert len({len(line) for line in figure.lines}) <= 1
        assert not any(address in drawing for drawing in figure.drawings for address in ('href="http', "url(http"))
    assert "prefers-color-scheme: dark" in page.source
    return page


def column(figure: Figure, name: str) -> list[str]:
    """Return the cells of a table's column, without white space at their ends."""
    cells = [[cell.strip() for cell in line] for line in figure.lines]
    i = cells[0].index(name)
    return [line[i] for line in cells[1:]]
