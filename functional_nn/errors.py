"""The errors that layers raise, with the path of parts that leads to the place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from functional_nn.arguments import ARRAYS, not_an_array

__all__ = [
    "LayerError",
    "ShapeError",
    "StructureError",
    "unfit_cotangent",
    "wrong_entry",
    "wrong_names",
    "wrong_params",
]


class LayerError(Exception):
    """An error within a layer; its path grows on the way out: `lenet5.c3: x has 3 channels, w expects 6`.

    `message` says what was given, what was expected and what to do. `path` are the names of the parts and parameters
    that lead to the place; every combinator puts its part's in front. `layer` is the name of the outermost layer.
    """

    def __init__(self, message: str, path: tuple[str, ...] = (), layer: str = "") -> None:
        super().__init__(message, path, layer)
        self.message, self.path, self.layer = message, path, layer

    def leave(self, layer: str = "", part: str = "") -> None:
        """Record that the error leaves the layer of this name, or a combinator's part."""
        self.layer = layer or self.layer
        self.path = (part, *self.path) if part else self.path
        self.args = (self.message, self.path, self.layer)

    def __str__(self) -> str:
        return f"{'.'.join(filter(None, (self.layer, *self.path)))}: {self.message}"


class ShapeError(LayerError, ValueError):
    """A shape or a value does not fit."""


class StructureError(LayerError, TypeError):
    """The parameter tree lacks an entry or has one too many, or a dtype does not fit."""


def wrong_params(params: Any) -> StructureError:
    """Return the error of parameters that are no dict."""
    remedy = ": give its .params" if hasattr(params, "params") else ""
    return StructureError(f"the parameters are a {type(params).__name__}, expected a dict as init returns it{remedy}")


def wrong_names(params: Mapping[str, Any], names: frozenset[str], expected: str) -> StructureError:
    """Return the error of parameters that have other names: of the first unknown one, or the first that is missing."""
    for unknown in sorted(map(str, params.keys() - names)):
        return StructureError(f"unknown to the layer; {expected}", (unknown,))
    return StructureError(f"missing from the parameters; {expected}", (min(names - params.keys()),))


def wrong_entry(name: str, entry: Any, x: np.ndarray) -> StructureError:
    """Return the error of a parameter that is no array, or of another dtype than x."""
    if type(entry) not in ARRAYS:
        return StructureError(f"is {not_an_array(entry)}", (name,))
    return StructureError(f"x is {x.dtype}, the parameter is {entry.dtype}; convert one: nothing is promoted", (name,))


def unfit_cotangent(dy: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> LayerError:
    """Return the error of a cotangent that is not as the output, whose shape and dtype these are."""
    if type(dy) not in ARRAYS:
        return StructureError(f"dy is {not_an_array(dy)}")
    if dy.shape != shape:
        return ShapeError(f"dy has shape {dy.shape}, the output has {shape}")
    return StructureError(f"dy is {dy.dtype}, the output is {dtype}")
