"""The page of a trained network: one HTML file with its figures and pictures, and nothing to load.

`page.html` is its template, `pieces.html` has those of its rows and figures. Every value is escaped but for what a
template made.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np

from functional_nn import tree
from functional_nn.cli.pictures import Picture, answer_pictures, learning_pictures
from functional_nn.cli.scores import Scores
from functional_nn.data.splits import Split
from functional_nn.files import replaced
from functional_nn.trained import Trained

__all__ = ["write_page"]

SETTINGS = ("batch_size", "chunk", "learning_rate", "weight_decay", "shift", "flip", "patience", "seed")  # shown
PIECE = re.compile(r"<!-- (\w+) -->\n(.*?)\n(?=<!--|\Z)", re.DOTALL)


class Html(str):
    """Text that a template made; every other text is escaped."""


def write_page(path: Path, net: str, network: Trained, test: Split, outputs: np.ndarray, scores: Scores | None) -> str:
    """Write the page of a network that `train` made. Return what it lacks and how to get it, "" where nothing.

    `net` is the name of its file, `outputs` are those for the images of `test`, `scores` theirs, None where there are
    none.
    """
    missing = ""
    try:
        curves, answers = learning_pictures(network), answer_pictures(network, test, outputs)
    except ImportError as error:
        curves, answers, missing = [], [], f"without pictures: {error}"
    text = _filled(
        "page",
        title=path.stem,
        data=network.about["data"],
        headline=_headline(scores),
        missing=_filled("note", text=missing) if missing else "",
        curves=_all("figure", map(_placed, curves)),
        recalls=_all("recall", _recalls(scores) if scores else ()),
        confusions=_all("confusion", _confusions(scores) if scores else ()),
        matrix=_all("wide", map(_placed, answers[:1])),
        mistakes=_all("figure", map(_placed, answers[1:])),
        facts=_all("fact", _facts(network)),
        net=net,
    )
    with replaced(path) as stream:
        stream.write(text.encode("utf-8", "backslashreplace"))  # names of folders need not be UTF-8
    return missing


def _headline(scores: Scores | None) -> Html:
    if scores is None:
        return _filled("note", text="There are no test images, so it is not known how often it is right.")
    return _filled(
        "headline",
        accuracy=f"{scores.right / scores.n:.1%}",
        right=f"{scores.right:,}",
        n=f"{scores.n:,}",
        low=f"{scores.low:.1%}",
        high=f"{scores.high:.1%}",
    )


def _recalls(scores: Scores) -> Iterator[dict[str, str]]:
    for name, right, n in scores.recalls:
        share = right / n
        row = {"name": scores.short[name], "width": f"{100 * share:.1f}", "share": f"{share:.0%}"}
        yield row | {"right": f"{right:,} of {n:,}"}


def _confusions(scores: Scores) -> Iterator[dict[str, str]]:
    for name, taken_for, times in scores.confusions:
        yield {"name": scores.short[name], "taken_for": scores.short[taken_for], "times": str(times)}


def _placed(picture: Picture) -> dict[str, str]:
    light, dark = (f"data:image/png;base64,{base64.b64encode(png).decode()}" for png in (picture.light, picture.dark))
    return {"light": light, "dark": dark, "width": str(picture.width), "caption": picture.caption, "alt": picture.alt}


def _facts(network: Trained) -> Iterable[dict[str, str]]:
    about = network.about
    epochs = f"{about['epochs']}, of which the {_ordinal(about['best_epoch'])} had the lowest validation loss"
    validation = about["validation"]
    settings = {name: value for name in SETTINGS if (value := about["settings"][name]) is not None}
    facts = {
        "model": repr(network.model),
        "parameters": f"{tree.size(network.params):,}",
        "input": " x ".join(map(str, network.input_shape)),
        "epochs": epochs,
        "validation": f"loss {validation['loss']:.4g}, accuracy {validation['accuracy']:.1%}",
        **{name.replace("_", " "): str(value) for name, value in settings.items()},
        **about["versions"],
    }
    return [{"name": name, "value": value} for name, value in facts.items()]


def _ordinal(n: int) -> str:
    ending = "th" if 10 < n % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def _all(piece: str, values: Iterable[dict[str, str]]) -> Html:
    return Html("\n".join(_filled(piece, **each) for each in values))


def _filled(piece: str, /, **values: str) -> Html:
    """Return a template with these values, escaped unless a template made them."""
    return Html(
        _templates()[piece].substitute(
            {key: value if isinstance(value, Html) else escape(value) for key, value in values.items()}
        )
    )


@cache
def _templates() -> dict[str, Template]:
    folder = resources.files("functional_nn.cli")
    page, pieces = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.html", "pieces.html"))
    return {"page": Template(page), **{name: Template(text) for name, text in PIECE.findall(pieces)}}
