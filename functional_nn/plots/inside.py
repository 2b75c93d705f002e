"""The inside of a network: its filters, its feature maps, and how the gradient flows through it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from functional_nn.anatomy import Trace, activations
from functional_nn.anatomy.leaves import matching
from functional_nn.arguments import array, count
from functional_nn.layer import Layer, Params
from functional_nn.plots.canvas import Axes, Line, axes_of, draw_sheet, font_scale, unit_range

__all__ = ["feature_maps", "filters", "gradient_flow"]

TILE, SMALL_TILE = 0.62, 0.45  # inches of a filter or a feature map, and of a filter's channel
COLUMNS = 8
ROW = 0.24  # inches of a layer's name
ZERO, NOT_FINITE = 0.03, 0.97  # heights of the crosses, in shares of the axes'


def filters(w: np.ndarray, *, most: int = 32, ax: Axes | None = None) -> Axes:
    """Draw the first `most` filters of convolution weights w (kh, kw, channels, filters), each in its own range.

    Filters of three channels are shown in colour, those of one in grey. Of others every channel is a picture, a line a
    filter, in the range of the filter, with eight channels at most. Raises `ValueError` for another shape and for
    values that are not finite, `TypeError` for what is no array.

    >>> from functional_nn import plots
    >>> conv, hidden = layers.conv2d(4, 3), layers.dense(5)
    >>> plots.filters(conv.init(np.random.default_rng(0), (8, 8, 1))["w"]).get_title()
    '4 filters'
    >>> w = hidden.init(np.random.default_rng(0), (8 * 8 * 3,))["w"]  # of a dense layer on flattened images
    >>> plots.filters(w.reshape(8, 8, 3, -1)).get_title()
    '5 filters'
    """
    count("filters", "most", most)
    if array("filters", "w", w).ndim != 4 or 0 in w.shape:
        remedy = "; of a dense layer on images give w.reshape(h, w, c, -1)" if w.ndim == 2 else ""
        raise ValueError(f"filters: w has shape {w.shape}, expected (kh, kw, channels, filters){remedy}")
    _check_finite("filters", "w", w)
    channels, known = w.shape[2:]
    shown = [unit_range(w[..., i].astype(np.float64)) for i in range(min(known, most))]
    if channels == 3:
        lines = _in_lines(shown)
    elif channels == 1:
        lines = _in_lines([picture[..., 0] for picture in shown])
    else:
        kept = min(channels, COLUMNS)
        lines = [Line(f"filter {i}", [picture[..., c] for c in range(kept)]) for i, picture in enumerate(shown)]
    title = f"{known} filters" if known == len(shown) else f"{len(shown)} of {known} filters"
    if channels not in (1, 3):
        title += f", {min(channels, COLUMNS)} of {channels} channels" if channels > COLUMNS else ", channel by channel"
    tile = TILE if channels in (1, 3) else SMALL_TILE
    return draw_sheet("filters", ax, lines, tile=tile, title=title, cmap="gray")


def feature_maps(
    model: Layer,
    params: Params,
    image: np.ndarray,
    *,
    filter: str = "*",
    most: int = COLUMNS,
    ax: Axes | None = None,
) -> Axes:
    """Draw what the layers make of one image (h, w, c), as the model takes it: a line a layer, a picture a channel.

    Lines are the image itself and the layers without parts whose output has height and width, as in `fnn.activations`,
    with their first `most` channels, each in its own range. `filter` is a shell pattern on the layers' paths. Raises
    `ValueError` for an image of another shape, a filter that no such path matches, and values that are not finite,
    and what `model.apply` raises.

    >>> from functional_nn import plots
    >>> model, image = fnn.serial(c1=layers.conv2d(4, 3), a1=layers.relu), np.zeros((8, 8, 1), np.float32)
    >>> axes = plots.feature_maps(model, model.init(np.random.default_rng(0), image.shape), image, filter="c*")
    >>> [line.get_text().splitlines() for line in axes.texts]
    [['image', '8x8, 1 channel'], ['c1', '6x6, 4 channels']]
    """
    count("feature_maps", "most", most)
    if array("feature_maps", "image", image).ndim != 3:
        remedy = ": give one of the batch, images[0]" if image.ndim == 4 else ""
        raise ValueError(f"feature_maps: image has shape {image.shape}, expected (height, width, channels){remedy}")
    outputs = activations(model, params, image[np.newaxis])
    maps = [(path, y[0]) for path, y in outputs.items() if y.ndim == 4]
    if not maps:
        raise ValueError("feature_maps: no layer's output has height and width")
    maps = matching("feature_maps", filter, maps, lambda entry: entry[0])
    for path, y in [("the image", image), *maps]:
        _check_finite("feature_maps", path, y)
    lines = [_image_line(image, most), *(_maps_line(path, y, most) for path, y in maps)]
    return draw_sheet("feature_maps", ax, lines, tile=TILE, title="feature maps")


def gradient_flow(trace: Trace, *, ax: Axes | None = None) -> Axes:
    """Draw the sizes of the gradients layer by layer, of an `fnn.trace`, from the input to the output.

    They are root mean squares on a logarithmic scale: of the mean loss's gradient by every layer's output, and by the
    parameters of those that have some. Crosses at the bottom are gradients that are zero throughout, crosses at the
    top gradients that are not finite. Raises `TypeError` for what is no trace.

    >>> from functional_nn import plots
    >>> model, x = fnn.serial(f1=layers.dense(4), a1=layers.tanh, f2=layers.dense(2)), np.ones((1, 3), np.float32)
    >>> params = model.init(np.random.default_rng(0), (3,))
    >>> axes = plots.gradient_flow(fnn.trace(model, params, x, np.array([0]), losses.softmax_cross_entropy))
    >>> [label.get_text() for label in axes.get_xticklabels()]
    ['f1', 'a1', 'f2']
    """
    if not isinstance(trace, Trace):
        raise TypeError(f"gradient_flow: trace is a {type(trace).__name__}, expected what fnn.trace returns")
    scale, rows = font_scale(), trace.rows
    ax = axes_of("gradient_flow", ax, scale * (1.6 + ROW * max(len(rows), 14)), scale * 3.8)
    ax.set_yscale("log")
    _draw_sizes(ax, [row.gradient_rms for row in rows], ".-", "by the layer's output")
    _draw_sizes(ax, [row.parameter_gradient_rms for row in rows], "D", "by its parameters")
    ax.set_xticks(range(len(rows)), [row.path for row in rows], rotation=90, fontsize="small")
    ax.set(ylabel="root mean square", title="gradient of the mean loss, layer by layer", xlim=(-0.5, len(rows) - 0.5))
    ax.set_xlabel("layer, from the input to the output")
    ax.legend(fontsize="small")
    return ax


def _draw_sizes(ax: Axes, sizes: Sequence[float | None], style: str, label: str) -> None:
    """Draw what is known at the layers' places; crosses stand for what has no place on a logarithmic scale."""
    known = [(i, size) for i, size in enumerate(sizes) if size is not None]
    shown = [(i, size) for i, size in known if 0.0 < size < math.inf]
    (line,) = ax.plot([i for i, _ in shown], [size for _, size in shown], style, markersize=5, label=label)
    for height, what, places in (
        (ZERO, "zero", [i for i, size in known if size == 0.0]),
        (NOT_FINITE, "not finite", [i for i, size in known if not math.isfinite(size)]),
    ):
        if places:
            heights, across = [height] * len(places), ax.get_xaxis_transform()
            ax.plot(places, heights, "x", color=line.get_color(), transform=across, label=f"{label}: {what}")


def _in_lines(pictures: list[np.ndarray]) -> list[Line]:
    return [Line("", pictures[i : i + COLUMNS]) for i in range(0, len(pictures), COLUMNS)]


def _image_line(image: np.ndarray, most: int) -> Line:
    """Return the line of the image itself, in colour where it has three channels."""
    if image.shape[2] != 3:
        return _maps_line("image", image, most)
    return Line(f"image\n{image.shape[0]}x{image.shape[1]}, in colour", [unit_range(image.astype(np.float64))])


def _maps_line(path: str, y: np.ndarray, most: int) -> Line:
    height, width, channels = y.shape
    kept = min(channels, most)
    pictures = [unit_range(y[..., c].astype(np.float64)) for c in range(kept)]
    some = f"{kept} of {channels} channels" if kept < channels else f"{channels} channel{'s'[: channels > 1]}"
    return Line(f"{path}\n{height}x{width}, {some}", pictures)


def _check_finite(function: str, name: str, values: np.ndarray) -> None:
    bad = np.count_nonzero(~np.isfinite(values))
    if bad:
        raise ValueError(
            f"{function}: {bad} of {values.size} values of {name} are not finite; fnn.trace finds the first"
        )
