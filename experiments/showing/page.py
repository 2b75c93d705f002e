"""A self-contained HTML page of paragraphs, tables and figures, whose pictures are embedded.

`page.html` is its template. The pictures are written beside the page too, as figures/NAME.png.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import matplotlib
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.showing.files import write_whole

DPI = 110
FILE = "page.html"  # the name of the page in the directory of results
matplotlib.use("agg")  # pages are written: no figure needs a window
TEMPLATE = Path(__file__).parent / "page.html"


class Html(str):
    """Text that is HTML already; every other text is escaped."""


@dataclass(frozen=True)
class Plate:
    """A figure of one panel or several, which stand side by side where there is room.

    - `name`: of its files;
    - `caption`: what to look for;
    - `description`: what the figure shows, for readers who cannot see it;
    - `wide`: the panels stand below each other, each in its own size, as far as the page is wide enough.
    """

    name: str
    caption: str
    panels: Sequence[Figure]
    description: str
    wide: bool = False


Piece = str | Html | Plate | list[Plate]  # a str is a paragraph; the plates of a list stand side by side


def write(directory: Path, title: str, pieces: Sequence[Piece]) -> None:
    """Write the page and its pictures to `directory`."""
    pictures = directory / "figures"
    pictures.mkdir(parents=True, exist_ok=True)
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    body = "\n".join(_html(piece, pictures) for piece in pieces)
    write_whole(directory / FILE, template.substitute(title=escape(title), body=body).encode())


def heading(text: str) -> Html:
    return Html(f"<h2>{escape(text)}</h2>")


def table(caption: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> Html:
    """Return a table that scrolls sideways where it is too wide; the " ± ..." of a cell is set small."""
    head = "".join(f"<th>{escape(text)}</th>" for text in header)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(text)}</td>' for text in line)}</tr>" for line in lines)
    return Html(
        f'<figure><figcaption>{escape(caption)}</figcaption><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></figure>"
    )


def details(summary: str, text: str) -> Html:
    """Return a text that a click on `summary` unfolds."""
    return Html(f"<details><summary>{escape(summary)}</summary><pre>{escape(text)}</pre></details>")


def configuration(results: dict[str, Any]) -> list[Piece]:
    """Return the contents of a results.json without its "rows", and the "settings" of these rows."""
    rest = {key: value for key, value in results.items() if key != "rows"}
    settings = {row["model"]: row["settings"] for row in results["rows"] if row.get("settings")}
    return [
        heading("Configuration"),
        details("data, options, versions, machine, seconds", json.dumps(rest, indent=1)),
        details("settings of every row", json.dumps(settings, indent=1)),
    ]


def figure_of(axes: Axes) -> Figure:
    """Return the figure of axes that a function of `functional_nn.plots` made, which pyplot then no longer keeps."""
    figure = axes.get_figure(root=True)
    pyplot.close(figure)
    return figure


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI)
    return stream.getvalue()


def _html(piece: Piece, pictures: Path) -> str:
    if isinstance(piece, Html):
        return piece
    if isinstance(piece, str):
        return f"<p>{escape(piece)}</p>"
    if isinstance(piece, Plate):
        return _figure(piece, pictures)
    return f'<div class="beside">{"".join(_figure(plate, pictures) for plate in piece)}</div>'


def _figure(plate: Plate, pictures: Path) -> str:
    images = []
    for i, panel in enumerate(plate.panels):
        name = plate.name if len(plate.panels) == 1 else f"{plate.name}{'abcdefghijklmnopqrstuvwxyz'[i]}"
        picture = png(panel)
        write_whole(pictures / f"{name}.png", picture)
        encoded = base64.b64encode(picture).decode()
        images.append(f'<img alt="{escape(plate.description)}" src="data:image/png;base64,{encoded}">')
    kind = "wide panels" if plate.wide else "panels"
    return (
        f'<figure><div class="{kind}">{"".join(images)}</div><figcaption>{escape(plate.caption)}</figcaption></figure>'
    )


def _cell(text: str) -> str:
    mean, sign, deviation = text.partition(" ± ")
    return f"{escape(mean)} <small>± {escape(deviation)}</small>" if sign else escape(text)
