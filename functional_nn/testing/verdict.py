"""What a gradient check can find, and the error that it raises."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

__all__ = ["GradientError", "Index", "Verdict", "place"]

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
    OUTPUT = "vjp's output is not the function's"
    NOT_FINITE = "not finite"


class GradientError(AssertionError):
    """A failed check: `conv.w[2, 1, 0, 3]: wrong derivative` and what to do about it.

    Attributes
    ----------
    verdict : a `Verdict`, equal to its text, such as `"wrong derivative"`.
    message : what was measured and what to do.
    path : the array concerned, `conv.w`: the name of the layer or the function, and that of the parameter or the
        argument; `y` for its output, `dy` for the pullback's argument.
    index : the worst entry of that array, None where the verdict is about the whole of it.
    measured, claimed : the value measured and the value returned there (derivatives are those of <dy, y> with a
        random dy), None where the verdict is not about a value.
    step : how far the entry was moved for the measurement, in the entry's own unit, None where nothing was.

    >>> try:
    ...     fnn.testing.check_gradient(lambda x: float(x @ x), lambda x: x, np.array([3.0]))
    ... except fnn.testing.GradientError as error:
    ...     print(error.place, error.verdict, round(error.measured, 6), error.claimed)
    f.x[0] wrong derivative 6.0 3.0

    """

    def __init__(
        self,
        verdict: Verdict,
        message: str,
        path: str,
        index: Index | None = None,
        measured: float | None = None,
        claimed: float | None = None,
        step: float | None = None,
    ) -> None:
        super().__init__(verdict, message, path, index, measured, claimed, step)
        self.verdict, self.message, self.path, self.index = verdict, message, path, index
        self.measured, self.claimed, self.step = measured, claimed, step

    @property
    def place(self) -> str:
        """The path and the index as one would write them: `conv.w[2, 1, 0, 3]`."""
        return place(self.path, self.index)

    def as_dict(self) -> dict[str, Any]:
        """Return the attributes as strings, numbers and lists, for JSON and tables."""
        index = None if self.index is None else list(self.index)
        facts = {"verdict": str(self.verdict), "path": self.path, "index": index, "measured": self.measured}
        return {**facts, "claimed": self.claimed, "step": self.step, "message": self.message}

    def noting(self, lines: str) -> GradientError:
        """Return the same error with more lines at the end of its message."""
        facts = (self.path, self.index, self.measured, self.claimed, self.step)
        return GradientError(self.verdict, f"{self.message}\n{lines}", *facts)

    def __str__(self) -> str:
        return f"{self.place}: {self.verdict}\n{self.message}"


def place(path: str, index: Index | None) -> str:
    """Return `conv.w[2, 1]` for the path `conv.w` and the index `(2, 1)`."""
    return f"{path}[{', '.join(map(str, index))}]" if index else path
