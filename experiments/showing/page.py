"""A self-contained page, report.html, made of pieces: paragraphs, tables, and figures as embedded pictures.

The pictures are written beside it too, as figures/NAME.png.
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

from matplotlib.figure import Figure

DPI = 110


@dataclass(frozen=True)
class Plate:
    """A figure of one panel or several, which stand side by side where there is room.

    `name`: of its files; `caption`: what to see; `described`: what is on it, for those who cannot see it.
    """

    name: str
    caption: str
    panels: Sequence[Figure]
    described: str


Piece = str | Plate | list[Plate]  # a list: plates side by side where there is room


def write(directory: Path, title: str, pieces: Sequence[Piece]) -> None:
    """Write report.html and the pictures to `directory`."""
    pictures = directory / "figures"
    pictures.mkdir(parents=True, exist_ok=True)
    frame = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
    body = "\n".join(_html(piece, pictures) for piece in pieces)
    (directory / "report.html").write_text(frame.substitute(title=escape(title), body=body), encoding="utf-8")


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def table(caption: str, header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table that scrolls sideways where it is too wide; a cell's " ± ..." is set small."""
    head = "".join(f"<th>{escape(text)}</th>" for text in header)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(text)}</td>' for text in line)}</tr>" for line in lines)
    return (
        f'<figure><figcaption>{escape(caption)}</figcaption><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></figure>"
    )


def details(summary: str, text: str) -> str:
    return f"<details><summary>{escape(summary)}</summary><pre>{escape(text)}</pre></details>"


def configuration(results: dict[str, Any]) -> list[Piece]:
    """Return what a results.json holds beside its "rows", and the rows' "settings"."""
    rest = {key: value for key, value in results.items() if key != "rows"}
    settings = {row["model"]: row["settings"] for row in results["rows"] if row.get("settings")}
    return [
        heading("Configuration"),
        details("data, options, versions, machine, seconds", json.dumps(rest, indent=1)),
        details("settings of every row", json.dumps(settings, indent=1)),
    ]


def _html(piece: Piece, pictures: Path) -> str:
    if isinstance(piece, str):
        return piece
    if isinstance(piece, Plate):
        return _figure(piece, pictures)
    return f'<div class="beside">{"".join(_figure(plate, pictures) for plate in piece)}</div>'


def _figure(plate: Plate, pictures: Path) -> str:
    images = []
    for i, panel in enumerate(plate.panels):
        name = plate.name if len(plate.panels) == 1 else f"{plate.name}{'abcdefghijklmnopqrstuvwxyz'[i]}"
        picture = _rendered(panel)
        (pictures / f"{name}.png").write_bytes(picture)
        encoded = base64.b64encode(picture).decode()
        images.append(f'<img alt="{escape(plate.described)}" src="data:image/png;base64,{encoded}">')
    return (
        f'<figure><div class="panels">{"".join(images)}</div><figcaption>{escape(plate.caption)}</figcaption></figure>'
    )


def _rendered(panel: Figure) -> bytes:
    stream = io.BytesIO()
    panel.savefig(stream, format="png", dpi=DPI)
    return stream.getvalue()


def _cell(text: str) -> str:
    mean, sign, deviation = text.partition(" ± ")
    return f"{escape(mean)} <small>± {escape(deviation)}</small>" if sign else escape(text)
