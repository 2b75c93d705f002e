"""Draw the tutorial's pictures: python docs/tutorial/pictures.py (needs the extra `experiments`).

Their colours are of middle brightness and their background is none, so they read on white and on black.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import chdir
from itertools import takewhile
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

from functional_nn.testing import GradientError, check_function

HERE = Path(__file__).parent
GREY, BLUE, ORANGE = "#808080", "#3b8bd0", "#dd8020"
STYLE = {
    "svg.hashsalt": "functional_nn",
    "svg.fonttype": "none",
    "font.size": 11,
    "lines.linewidth": 2,
    "savefig.transparent": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY),
}


def save(name: str) -> None:
    """Write the current figure: without a date, so that it is the same file every time."""
    plt.savefig(HERE / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close()


def forward_and_back() -> None:
    """Draw the two-layer network of part 1: the forward pass above, the pullbacks below."""
    _, ax = plt.subplots(figsize=(7.6, 2.7))
    ax.set(xlim=(-0.8, 9.0), ylim=(-1.3, 2.6))
    ax.axis("off")
    parts = ("hidden", "tanh", "output", "loss")
    for i, (part, after, before) in enumerate(zip(parts, ("z", "a", "y", "L"), ("dz", "da", "dy", "1"), strict=True)):
        x = 2.2 * i
        for y, label, colour in ((2.0, part, BLUE), (0.2, "pullback", ORANGE)):
            box = {"boxstyle": "round,pad=0.4", "facecolor": "none", "edgecolor": colour}
            ax.text(x, y, label, ha="center", va="center", color=colour, bbox=box)
        arrow(ax, (x + 0.75, 2.0), (x + 1.45, 2.0), after, BLUE)
        arrow(ax, (x + 1.45, 0.2), (x + 0.75, 0.2), before, ORANGE)
        ax.plot((x, x), (1.55, 0.65), ":", color=GREY, linewidth=1.5)
        if part in ("hidden", "output"):
            arrow(ax, (x, -0.25), (x, -0.95), "dw, db", ORANGE, beside=True)
    ax.text(-0.95, 2.0, "x", ha="right", va="center", color=BLUE)
    arrow(ax, (-0.9, 2.0), (-0.6, 2.0), "", BLUE)
    ax.text(6.75, 1.1, "each keeps what it needs", va="center", fontsize=9, color=GREY)
    save("forward-and-back")


def arrow(ax: Axes, start, end, label: str, colour: str, beside: bool = False) -> None:
    """Draw an arrow with its label above it, or beside it."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.5})
    x, y = np.mean([start, end], axis=0)
    place = {"ha": "left", "va": "center"} if beside else {"ha": "center", "va": "bottom"}
    ax.text(x + 0.12 * beside, y + 0.12 * (not beside), label, color=colour, **place)


def ladder() -> None:
    """Draw the error of central differences of x^3 at 1 against the right and against a wrong derivative."""
    _, ax = plt.subplots(figsize=(5.6, 3.2))
    steps = 10.0 ** np.arange(-0.5, -14, -0.5)
    measured = ((1 + steps) ** 3 - (1 - steps) ** 3) / (2 * steps)
    for claimed, colour in ((2, ORANGE), (3, BLUE)):
        ax.loglog(steps, np.maximum(np.abs(measured - claimed), 1e-14), "o-", color=colour, markersize=4)
    ax.invert_xaxis()
    ax.set(xlabel="step (it shrinks to the right)", ylabel="measured − pullback")
    ax.text(10**-0.6, 1e-10, "falls with the\nstep's square", color=GREY, fontsize=9)
    ax.text(1e-8, 10**-10.5, "rounding", color=GREY, fontsize=9)
    ax.text(1e-5, 0.05, "the pullback says 2 x²: wrong", color=ORANGE)
    ax.text(10**-2.4, 1e-4, "it says 3 x²: right", color=BLUE)
    save("ladder")


def code_of(page: str, stop: str) -> dict[str, Any]:
    """Return the names that the Python blocks of a page leave, up to the block that holds `stop`."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    blocks = re.findall(r"^```python\n(.*?)^```$", (HERE / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):  # the pages write files
        for block in takewhile(lambda block: stop not in block, blocks):
            exec(block, namespace)
    return namespace


def digits() -> None:
    """Draw the learning curve of part 3, by the page's own code."""
    history = code_of("3-lenet5-on-digits.md", "fnn.evaluate")["result"].history
    _, ax = plt.subplots(figsize=(5.6, 2.8))
    epochs = [record["epoch"] for record in history]
    for key, label, colour in (("accuracy", "training", BLUE), ("val_accuracy", "validation", ORANGE)):
        ax.plot(epochs, [record[key] for record in history], "o-", color=colour, markersize=4, label=label)
    ax.set(xlabel="epoch", ylabel="accuracy", xticks=epochs)
    ax.legend(frameon=False, labelcolor="linecolor", loc="lower right")
    save("digits")


def shapes() -> None:
    """Draw two pictures of each class of part 4, by the page's own code."""
    draw, rng = code_of("4-your-own-pictures.md", "image_folder")["draw"], np.random.default_rng(4)
    names = ("disc", "square", "triangle")
    _, axes = plt.subplots(1, 6, figsize=(6.6, 1.3))
    for i, ax in enumerate(axes):
        ax.imshow(draw(names[i // 2], rng), interpolation="none")
        ax.set_title(names[i // 2], fontsize=10)
        ax.axis("off")
    save("shapes")


def sigmoid_slopes() -> None:
    """Draw the sigmoid's slope and what exercise 1 of part 5 takes for it."""
    x = np.linspace(-3, 3, 121)
    y = 1 / (1 + np.exp(-x))
    _, ax = plt.subplots(figsize=(5.0, 2.8))
    ax.plot(x, y * (1 - y), color=BLUE, label="y (1 − y): right")
    ax.plot(x, x * (1 - x), color=ORANGE, label="x (1 − x): wrong")
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set(xlabel="x", ylabel="slope", ylim=(-6.5, 1))
    ax.legend(frameon=False, labelcolor="linecolor", loc="lower center")
    save("sigmoid-slopes")


def first_screen() -> None:
    """Draw README's picture: a wrong line of a backward, what the checker says of it, and what a right one learns."""
    code = "def cube(x):\n    def pullback(dy):\n        return 2 * x**2 * dy\n\n    return x**3, pullback"
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    verdict = "nothing wrong was found"
    try:
        check_function(lambda x: x**3, namespace["cube"], np.array([1.3, -0.7]))
    except GradientError as error:
        verdict = str(error)
    figure = plt.figure(figsize=(7.8, 4.6))
    text, curve = figure.add_axes((0.0, 0.0, 1.0, 1.0)), figure.add_axes((0.62, 0.66, 0.36, 0.26))
    text.axis("off")
    for lines, top in ((code, 0.96), (verdict, 0.44)):
        for i, line in enumerate(lines.replace(" ", "\N{NO-BREAK SPACE}").splitlines()):
            colour = ORANGE if "**2" in line or line.endswith("derivative") else GREY
            style = {"family": "monospace", "fontsize": 12, "color": colour}
            text.text(0.0, top - 0.07 * i, line, parse_math=False, **style)
    text.text(0.0, 0.54, "what the gradient checker says of it:", color=BLUE)
    history = code_of("3-lenet5-on-digits.md", "fnn.evaluate")["result"].history
    epochs = [record["epoch"] for record in history]
    curve.plot(epochs, [record["val_accuracy"] for record in history], color=BLUE)
    curve.set(xlabel="epoch", title="LeNet-5 on digits: accuracy", ylim=(0.9, 1.0))
    curve.title.set(color=GREY, fontsize=10)
    save("../first-screen")


if __name__ == "__main__":
    with plt.rc_context(STYLE):
        for picture in (forward_and_back, ladder, sigmoid_slopes, digits, shapes, first_screen):
            picture()
