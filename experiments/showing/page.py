"""A self-contained HTML page of paragraphs, tables and figures, light or dark as the reader's system is.

`page.html` is its template. The pictures are in the page, and beside it too: figures/NAME.svg and NAME-dark.svg.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import ascii_lowercase
from typing import Any, NamedTuple

import matplotlib
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.showing.files import write_whole
from experiments.showing.themes import DARK, LIGHT, Theme

FILE = "page.html"  # the name of the page in the directory of results
FIGURES = "figures"
IMAGE_DPI = 200  # of images within a drawing
PIXELS = 96  # an inch, in a browser
# Text stays text, which takes half the room of outlines (Verdana is as wide as DejaVu Sans); the same drawing gives the
# same bytes.
SVG = {"svg.fonttype": "none", "svg.hashsalt": "functional_nn", "font.sans-serif": ["DejaVu Sans", "Verdana"]}
matplotlib.use("agg")  # pages are written: no figure needs a window

Drawing = Callable[[], Figure]


@dataclass(frozen=True)
class Heading:
    """The head of a section."""

    text: str


@dataclass(frozen=True)
class Link:
    """A paragraph with a link: the texts before, in and after it."""

    before: str
    text: str
    address: str
    after: str


@dataclass(frozen=True)
class Table:
    """A table that says so where it scrolls; the " ± ..." of a cell, and what stands in brackets, is set small."""

    caption: str
    header: Sequence[str]
    lines: Sequence[Sequence[str]]

    @property
    def prose(self) -> list[bool]:
        """Which columns hold text; those that hold figures alone are set to the right."""
        return [not all(_is_figure(line[i]) for line in self.lines) for i in range(len(self.header))]


@dataclass(frozen=True)
class Details:
    """A text that a click on `summary` unfolds."""

    summary: str
    text: str


class Panel(NamedTuple):
    """A drawing, which is made once for each theme, and what it shows, for readers who cannot see it."""

    draw: Drawing
    description: str


@dataclass(frozen=True)
class Plate:
    """A figure of one panel or several, which stand side by side where there is room.

    - `name`: of its files;
    - `caption`: what to look for;
    - `wide`: the panels keep their own size as far as the page is wide enough; others fill the page.
    """

    name: str
    caption: str
    panels: Sequence[Panel]
    wide: bool = False


# A str is a paragraph; the plates of a list stand side by side. What stands between ` in a text is set as code.
Piece = str | Heading | Link | Table | Details | Plate | list[Plate]


class Picture(NamedTuple):
    """A panel's drawings in base64, and its size in a browser's pixels."""

    light: str
    dark: str
    width: int
    height: int
    description: str


def write(directory: Path, title: str, pieces: Sequence[Piece]) -> None:
    """Write the page and its pictures to `directory`."""
    (directory / FIGURES).mkdir(parents=True, exist_ok=True)
    shown = [_shown(piece, directory) for piece in pieces]
    html = _template().render(title=title, pieces=shown, light=LIGHT, dark=DARK)
    write_whole(directory / FILE, html.encode())


def write_picture(directory: Path, name: str, panel: Panel) -> Picture:
    """Write a panel's drawings to the figures of `directory`, NAME.svg and NAME-dark.svg, and return them."""
    encoded, size = [], (0, 0)
    for theme, ending in ((LIGHT, ""), (DARK, "-dark")):
        content, size = svg(panel.draw, theme)
        write_whole(directory / FIGURES / f"{name}{ending}.svg", content)
        encoded.append(base64.b64encode(content).decode())
    return Picture(*encoded, *size, panel.description)


def svg(draw: Drawing, theme: Theme) -> tuple[bytes, tuple[int, int]]:
    """Return the drawing as an SVG file, and its width and height in a browser's pixels."""
    stream = io.BytesIO()
    with matplotlib.rc_context(SVG | theme.settings()):
        figure = draw()
        figure.savefig(stream, format="svg", dpi=IMAGE_DPI, metadata={"Date": None})
    width, height = (round(inches * PIXELS) for inches in figure.get_size_inches())
    content = re.sub(rb"(\.\d\d)\d+", rb"\1", stream.getvalue())  # hundredths of a point will do
    return re.sub(rb"\n +", b"\n", content), (width, height)


def configuration(results: dict[str, Any]) -> list[Piece]:
    """Return the contents of a results.json without its "rows", and the "settings" of these rows."""
    rest = {key: value for key, value in results.items() if key != "rows"}
    settings = {row["model"]: row["settings"] for row in results["rows"] if row.get("settings")}
    return [
        Heading("Configuration"),
        Details("data, options, versions, machine, seconds", json.dumps(rest, indent=1)),
        Details("settings of every row", json.dumps(settings, indent=1)),
    ]


def figure_of(axes: Axes) -> Figure:
    """Return the figure of axes that a function of `functional_nn.plots` made, which pyplot then no longer keeps."""
    figure = axes.get_figure(root=True)
    pyplot.close(figure)
    return figure


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    options = {"autoescape": True, "trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    return Environment(loader=loader, **options).get_template("page.html")


def _shown(piece: Piece, directory: Path) -> tuple[str, Any]:
    """Return what the template knows a piece by, and what it needs of it."""
    if isinstance(piece, str):
        return "text", piece
    if isinstance(piece, Plate | list):
        plates = [piece] if isinstance(piece, Plate) else piece
        return "plates", [(plate, _pictures(plate, directory)) for plate in plates]
    return type(piece).__name__.lower(), piece


def _pictures(plate: Plate, directory: Path) -> list[Picture]:
    letters = ascii_lowercase if len(plate.panels) > 1 else ("",)
    return [
        write_picture(directory, f"{plate.name}{letter}", panel)
        for letter, panel in zip(letters, plate.panels, strict=False)
    ]


def _is_figure(cell: str) -> bool:
    """Return whether a cell is empty or begins with a number, or a sign, and holds no words but "to"."""
    return not re.search(r"[^\W\d_]", cell.replace(" to ", ""))
