"""The two looks of a page, light and dark: its own colours, and matplotlib's settings for figures on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib import cycler


@dataclass(frozen=True)
class Theme:
    """Colours as #rrggbb; `faint` is of notes and axes, `line` of rules, `shade` of boxes, `cycle` of curves."""

    background: str
    text: str
    faint: str
    line: str
    shade: str
    link: str
    cycle: tuple[str, ...]

    def settings(self) -> dict[str, Any]:
        """Return matplotlib's settings: `matplotlib.rc_context(theme.settings())`."""
        named = {
            self.background: ("figure.facecolor", "axes.facecolor"),
            self.text: ("text.color", "axes.labelcolor"),
            self.faint: ("axes.edgecolor", "xtick.color", "ytick.color"),
            self.line: ("grid.color", "legend.edgecolor"),
        }
        colours = {name: colour for colour, names in named.items() for name in names}
        return colours | {"axes.prop_cycle": cycler(color=self.cycle), "axes.axisbelow": True}


# The curves' colours are those of Okabe and Ito, which colour-blind readers tell apart; on dark, their lighter ones.
LIGHT = Theme("#ffffff", "#1f2328", "#59636e", "#d1d9e0", "#f4f6f8", "#0757ad", ("#0072b2", "#c65300", "#007a5a"))
DARK = Theme("#14171c", "#dfe3e8", "#a3adb8", "#3a414b", "#1d2229", "#7db9ff", ("#56b4e9", "#f0913e", "#3fcf9f"))
