"""What a function returns, an array, a number or a tuple of them, packed into the one array that is differenced."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from functional_nn.testing.verdict import GradientError, Index, Verdict

__all__ = ["packed", "part_at", "unpacked"]

KINDS = (np.ndarray, float, np.floating, np.complexfloating)


def packed(name: str, y: Any) -> np.ndarray:
    """Return an array as it is, and numbers or a tuple as one vector; raise `GradientError` for anything else."""
    if isinstance(y, np.ndarray) and y.ndim:
        _check_differentiable(f"{name}.y", y)
        return y
    parts = y if isinstance(y, tuple) else (y,)
    for i, part in enumerate(parts):
        path = f"{name}.y[{i}]" if isinstance(y, tuple) else f"{name}.y"
        if not isinstance(part, KINDS):
            message = f"  The output is a {type(part).__name__}, expected an array, a number or a tuple of them."
            raise GradientError(Verdict.TREE, message, path)
        _check_differentiable(path, part)
    if len({np.asarray(part).dtype for part in parts}) > 1:
        dtypes = ", ".join(str(np.asarray(part).dtype) for part in parts)
        raise GradientError(Verdict.DTYPE, f"  The outputs are {dtypes}, expected one dtype.", f"{name}.y")
    return np.concatenate([np.ravel(part) for part in parts]) if parts else np.zeros(0)


def unpacked(dy: np.ndarray, like: Any) -> Any:
    """Return the cotangent in the form of the outputs `like`; parts of a read-only vector are read-only."""
    if isinstance(like, np.ndarray) and like.ndim:
        return dy
    parts = like if isinstance(like, tuple) else (like,)
    ends = np.cumsum([math.prod(np.shape(part)) for part in parts])[:-1]
    cotangents = tuple(_formed(flat, part) for flat, part in zip(np.split(dy, ends), parts, strict=True))
    return cotangents if isinstance(like, tuple) else cotangents[0]


def part_at(shapes: Sequence[tuple[int, ...]], index: Index) -> tuple[str, Index]:
    """Return where an entry of the outputs is, `y` and its index, or `y[2]` where they were packed from `shapes`."""
    if not shapes:
        return "y", index
    number, (flat,) = 0, index
    while flat >= math.prod(shapes[number]):
        flat -= math.prod(shapes[number])
        number += 1
    return f"y[{number}]", tuple(int(i) for i in np.unravel_index(flat, shapes[number]))


def _formed(flat: np.ndarray, part: Any) -> Any:
    if isinstance(part, np.ndarray):
        return flat.reshape(part.shape)
    return float(flat[0]) if isinstance(part, float) else flat[0]


def _check_differentiable(path: str, part: Any) -> None:
    dtype = np.asarray(part).dtype
    if dtype.kind not in "fc":
        message = f"  The output is {dtype}, which has no derivative: return only what is differentiable."
        raise GradientError(Verdict.DTYPE, message, path)
