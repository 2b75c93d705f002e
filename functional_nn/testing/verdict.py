"""What a gradient check can find, and the error that it raises."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["GradientError", "Verdict"]

Index = tuple[int, ...]


class Verdict(StrEnum):
    """The kinds of fault that a check can find; each compares equal to its text."""

    WRONG = "wrong derivative"
    KINK = "kink within the step"
    NOISE = "rounding noise"
    DTYPE = "dtype changed"
    WRITTEN = "input written"
    UNREPEATABLE = "pullback not repeatable"
    TREE = "tree or shape differs"
    OUTPUT = "vjp's output is not apply's"
    NOT_FINITE = "not finite"


class GradientError(AssertionError):
    """A failed check: `conv.w[2, 1, 0, 3]: wrong derivative` and what to do about it.

    Attributes
    ----------
    verdict : a `Verdict`, equal to its text, such as `"wrong derivative"`.
    message : what was measured and what to do.
    path : the array concerned, `conv.w`: the layer's name and the dotted path of the parameter, `x` for the
        layer's input, `y` for its output, `dy` for the pullback's argument.
    index : the worst entry of that array, None where the verdict is about the whole of it.
    expected, got : the value measured and the value returned there (derivatives are those of <dy, y> with a
        random dy), None where the verdict is not about a value.
    step : how far the entry was moved for the measurement, in the entry's own unit, None where nothing was.

    """

    def __init__(
        self,
        verdict: Verdict,
        message: str,
        path: str,
        index: Index | None = None,
        expected: float | None = None,
        got: float | None = None,
        step: float | None = None,
    ) -> None:
        super().__init__(verdict, message, path, index, expected, got, step)
        self.verdict, self.message, self.path, self.index = verdict, message, path, index
        self.expected, self.got, self.step = expected, got, step

    @property
    def place(self) -> str:
        """The path and the index as one would write them: `conv.w[2, 1, 0, 3]`."""
        return place(self.path, self.index)

    def __str__(self) -> str:
        return f"{self.place}: {self.verdict}\n{self.message}"


def place(path: str, index: Index | None) -> str:
    """Return `conv.w[2, 1]` for the path `conv.w` and the index `(2, 1)`."""
    return f"{path}[{', '.join(map(str, index))}]" if index else path
