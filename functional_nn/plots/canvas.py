"""Axes to draw in, and sheets of small images within them. matplotlib is imported here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from functional_nn.extras import needs_extra

with needs_extra("plots", "functional_nn.plots"):
    from matplotlib import pyplot, rcParams
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgba
    from matplotlib.ticker import MaxNLocator

__all__ = [
    "LETTER_INCHES",
    "Axes",
    "Line",
    "MaxNLocator",
    "axes_of",
    "draw_sheet",
    "font_scale",
    "inches_of",
    "rcParams",
    "shades",
    "text_on",
    "unit_range",
]

GAP = 0.08  # between images, in widths of an image
USUAL_FONT = 10.0  # points, at which sizes are as given
SMALL = 0.8  # of the usual font: the text beside images
LINE_INCHES, LETTER_INCHES = 0.145, 0.065  # of text of that size

TITLE_INCHES = 3.0  # of the longest title


class Line(NamedTuple):
    """A line of a sheet: the text at its left, its images (h, w) or (h, w, 3) from 0 to 1, and the text above each."""

    text: str
    images: Sequence[np.ndarray]
    captions: Sequence[str] = ()


def axes_of(function: str, ax: Axes | None, width: float, height: float) -> Axes:
    """Return `ax`, or the axes of a new figure of so many inches; raises `TypeError` for what is no axes."""
    if ax is None:
        return pyplot.subplots(figsize=(width, height), layout="constrained")[1]
    if not isinstance(ax, Axes):
        raise TypeError(f"{function}: ax is a {type(ax).__name__}, expected matplotlib axes, such as plt.subplots()[1]")
    return ax


def font_scale() -> float:
    """Return the user's font size by the usual one, by which pictures grow."""
    return float(rcParams["font.size"]) / USUAL_FONT


def unit_range(values: np.ndarray) -> np.ndarray:
    """Return the values brought to the range from 0 to 1; zeros where all are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros(values.shape)


def draw_sheet(
    function: str,
    ax: Axes | None,
    lines: Sequence[Line],
    *,
    tile: float,
    title: str,
    cmap: str | None = None,
) -> Axes:
    """Draw lines of images that are `tile` inches wide, with the texts at their left.

    In axes that are too small for that, everything is smaller. `cmap` is that of images (h, w).
    """
    letters = max(len(text) for line in lines for text in line.text.split("\n"))
    beside = (LETTER_INCHES * letters + 0.1) / tile if letters else 0.0
    scale = font_scale()
    line_height = LINE_INCHES / tile
    above = [line_height * max((c.count("\n") + 1 for c in line.captions), default=0) for line in lines]
    ratios = [line.images[0].shape[0] / line.images[0].shape[1] for line in lines]
    width = beside + max(len(line.images) for line in lines) * (1 + GAP) - GAP
    height = sum(above) + sum(ratios) + GAP * (len(lines) - 1)
    inches = tile * scale
    own = ax is None
    ax = axes_of(function, ax, max(width * inches + 0.1, TITLE_INCHES * scale), height * inches + 0.4 * scale)
    shrunk = 1.0 if own else _shrunk(ax, width * inches, height * inches)
    font = SMALL * rcParams["font.size"] * shrunk
    top = 0.0
    for line, space, ratio in zip(lines, above, ratios, strict=True):
        top += space
        if line.text:
            ax.text(0.0, top + ratio / 2, line.text, fontsize=font, va="center")
        for i, image in enumerate(line.images):
            left = beside + i * (1 + GAP)
            ax.imshow(image, extent=(left, left + 1, top + ratio, top), cmap=cmap, vmin=0, vmax=1)
            if line.captions:
                ax.text(left + 0.5, top, line.captions[i], fontsize=font, ha="center", va="bottom", linespacing=1.1)
        top += ratio + GAP
    ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
    ax.set_axis_off()
    ax.set_title(title, fontsize=rcParams["font.size"])
    return ax


def inches_of(ax: Axes) -> tuple[float, float]:
    """Return the axes' width and height in inches."""
    figure = ax.get_figure(root=True)
    assert figure is not None  # these axes are not removed
    box = ax.get_window_extent().transformed(figure.dpi_scale_trans.inverted())
    return float(box.width), float(box.height)


def _shrunk(ax: Axes, width: float, height: float) -> float:
    """Return by how much less than `width` times `height` inches the axes hold, 1 where they hold more."""
    held = inches_of(ax)
    return min(1.0, held[0] / width, held[1] / height)


def shades(ax: Axes) -> Colormap:
    """Return the colours from the axes' background to the first colour of the cycle, light or dark as the user's."""
    return LinearSegmentedColormap.from_list("shades", [_background(ax), to_rgba("C0")])


def text_on(colour: Any) -> str:
    """Return black or white, to be read on a colour: their contrast ratio (WCAG 2.1, 1.4.3) is 3.5 or more."""
    return "black" if _luminance(colour) > 0.25 else "white"


def _background(ax: Axes) -> Any:
    """Return the colour behind the axes; behind transparent ones, that of a page on which the user's text is read."""
    figure = ax.get_figure(root=True)
    for colour in (ax.get_facecolor(), figure.get_facecolor() if figure is not None else "none"):
        if to_rgba(colour)[3] > 0.5:
            return to_rgba(colour)[:3]
    return text_on(rcParams["text.color"])


def _luminance(colour: Any) -> float:
    rgb = np.array(to_rgba(colour)[:3])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
