"""The pictures of a network's page, light and dark: its learning curves, and what it gets wrong."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn.data.splits import Split
from functional_nn.trained import Trained

__all__ = ["Picture", "answer_pictures", "learning_pictures"]

DPI, PAGE_DPI = 160, 96  # sharp on fine screens too
COMMON = {"text.parse_math": False, "axes.grid": False}  # the name of a class may hold a $
LIGHT = {"figure.facecolor": "#ffffff", "axes.facecolor": "#ffffff"}
DARK = {"figure.facecolor": "#16181c", "axes.facecolor": "#16181c"}  # as in page.html
MOST_MISTAKES = 8


class Picture(NamedTuple):
    """A picture as PNG for a light and a dark page, `width` pixels of the page wide."""

    light: bytes
    dark: bytes
    width: int
    caption: str
    alt: str


def learning_pictures(network: Trained) -> list[Picture]:
    """Return the curves of loss and accuracy. Raises `ImportError` without matplotlib."""
    from functional_nn import plots

    history = network.about["history"]
    return [
        _picture(
            partial(plots.learning_curves, history, what),
            f"The {what} on training and validation images after each epoch.",
            f"Curves of the {what} over {len(history)} epochs, training and validation",
        )
        for what in ("loss", "accuracy")
    ]


def answer_pictures(network: Trained, test: Split, outputs: np.ndarray) -> list[Picture]:
    """Return the confusion matrix, and the images of the frequent confusions and of the most confident mistakes."""
    from functional_nn import plots

    images, labels = test
    if not len(images):
        return []
    # matplotlib takes no names of folders that are not UTF-8
    classes = [name.encode("utf-8", "backslashreplace").decode("utf-8") for name in network.classes]
    loss = network.loss
    return [
        _picture(
            partial(plots.confusion, labels, outputs, classes, loss=loss),
            "The test images by class, a line each, and by the class that the network took them for.",
            "Confusion matrix of the test images",
        ),
        _picture(
            partial(plots.confusions, images, labels, outputs, classes, loss=loss),
            "Test images of the most frequent confusions.",
            "Rows of test images of one class that were taken for another",
        ),
        _picture(
            partial(plots.mistakes, images, labels, outputs, classes, most=MOST_MISTAKES, loss=loss),
            "Mistakes of which the network was most sure: labels that are wrong show here too.",
            "Test images with their class and the wrong class that the network gave",
        ),
    ]


def _picture(draw: Callable[[], Any], caption: str, alt: str) -> Picture:
    light, width = _png(draw, "default", LIGHT)
    dark, _ = _png(draw, "dark_background", DARK)
    return Picture(light, dark, width, caption, alt)


def _png(draw: Callable[[], Any], style: str, colours: dict[str, str]) -> tuple[bytes, int]:
    """Return a picture in a style of matplotlib, and its width on the page."""
    import matplotlib
    from matplotlib import pyplot

    matplotlib.use("agg")  # files need no window
    with pyplot.style.context([style, {**COMMON, **colours}]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of names in scripts that the font does not have
        figure = draw().figure
        try:
            stream = io.BytesIO()
            figure.savefig(stream, format="png", dpi=DPI)
            return stream.getvalue(), round(figure.get_size_inches()[0] * PAGE_DPI)
        finally:
            pyplot.close(figure)
