"""Drawings of networks, computed from the models themselves (the report's figures 1 to 3)."""

from __future__ import annotations

import ast
import math
from typing import NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import functional_nn as fnn

Shape = tuple[int, ...]
STACKED = 6  # channels that are drawn, at most
TEXT = 1.75  # where the text begins, in units of which a line has 5
IMAGE, VECTOR = "C0", "C1"  # colours of the cycle


class Stage(NamedTuple):
    """A part of a network, with the activations that follow it: its name, its output's shape, its parameters."""

    text: str
    shape: Shape
    parameters: int


def stages(model: fnn.Layer, input_shape: Shape) -> list[Stage]:
    """Return the input and the parts of a serial model in order."""
    result, shape, rng = [Stage("input", input_shape, 0)], input_shape, np.random.default_rng(0)
    for name, part in model.parts:
        parameters = fnn.tree.size(part.init(rng, shape))
        after = part.output_shape(shape)
        if after == shape and not parameters:
            result[-1] = result[-1]._replace(text=f"{result[-1].text}, {part.name}")
        else:
            result.append(Stage(f"{name}: {_call(part)}", after, parameters))
        shape = after
    return result


def draw_structure(model: fnn.Layer, input_shape: Shape) -> Figure:
    """Return a figure with a line a stage, from the input down: its shape to scale, its text and its parameters."""
    lines = stages(model, input_shape)
    figure = Figure(figsize=(3.6, 0.2 + 0.5 * len(lines)), layout="constrained")
    axes = figure.subplots()
    side = max((shape[0] for _, shape, _ in lines if len(shape) == 3), default=1)
    for i, stage in enumerate(lines):
        _draw_shape(axes, stage.shape, -i, side)
        size = "x".join(map(str, stage.shape))
        count = f", {stage.parameters:,} parameters" if stage.parameters else ""
        axes.text(TEXT, -i + 0.17, stage.text, va="center", fontsize=9)
        axes.text(TEXT, -i - 0.2, f"{size}{count}", va="center", fontsize=8, color=rcParams["xtick.color"])
    axes.set(xlim=(-0.05, 5.0), ylim=(0.55 - len(lines), 0.55))
    axes.set_axis_off()
    return figure


def _draw_shape(axes: Axes, shape: Shape, y: float, largest: int) -> None:
    """Draw an image as a stack of its channels, its side to scale, and a vector as a bar, as long as its logarithm."""
    edge = {"edgecolor": rcParams["figure.facecolor"], "linewidth": 0.7}
    if len(shape) == 1:
        length = min(0.2 + 0.12 * math.log2(shape[0]), TEXT - 0.15)
        axes.add_patch(Rectangle((0, y - 0.07), length, 0.14, facecolor=VECTOR, **edge))
        return
    height = 0.66 * shape[0] / largest
    for i in reversed(range(min(shape[2], STACKED))):
        corner = (0.11 * i, y - height / 2 + 0.025 * i)
        axes.add_patch(Rectangle(corner, 1.4 * height, height, facecolor=IMAGE, **edge))


def _call(part: fnn.Layer) -> str:
    """Return a part as it prints, without its keyword arguments: "conv2d(6, 5)"."""
    call = ast.parse(repr(part), mode="eval").body
    return ast.unparse(ast.Call(call.func, call.args, [])) if isinstance(call, ast.Call) else part.name
