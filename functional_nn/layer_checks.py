"""Checks of what a layer's author gives to `Layer(...)`: a mistake is told where it is made, not at the first step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from functional_nn.value import Value

__all__ = ["check_functions", "check_names", "check_parts"]


def check_functions(layer: Any, functions: Mapping[str, Any]) -> None:
    """Raise `TypeError` for what cannot be called, and for a vjp without the keywords of composed layers."""
    if not isinstance(layer, str):
        raise TypeError(f"Layer: name is {layer!r}, expected a string")
    for name, function in functions.items():
        if not callable(function):
            raise TypeError(f"layer {layer!r}: {name} is {function!r}, expected a function")
    _check_keywords(layer, functions["vjp"])


def check_names(layer: str, argument: str, names: Any) -> None:
    """Raise `TypeError` unless `names` are strings; one string alone would count as its letters."""
    if not isinstance(names, tuple | list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"layer {layer!r}: {argument} is {names!r}, expected a tuple of names, such as ('w', 'b')")


def check_parts(layer: str, parts: Any) -> None:
    """Raise `TypeError` unless `parts` are pairs of a name and a layer."""
    for part in parts if isinstance(parts, tuple | list) else (parts,):
        if not isinstance(part, tuple) or len(part) != 2 or not isinstance(part[1], Value):
            raise TypeError(f"layer {layer!r}: parts is {parts!r}, expected pairs ((name, layer), ...)")


def _check_keywords(name: str, vjp: Callable[..., Any]) -> None:
    keywords = inspect.signature(vjp).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in keywords.values())
    if not takes_any and not {"key", "wrt_x"} <= keywords.keys():
        raise TypeError(
            f"layer {name!r}: vjp takes ({', '.join(keywords)}), it must take "
            "(params, x, *, key=None, wrt_x=True): composed layers are called with both keywords"
        )
