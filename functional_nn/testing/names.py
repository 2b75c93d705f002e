"""How messages call a function and its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["argument_names", "name_of"]


def name_of(f: Callable[..., Any]) -> str:
    """Return the name of a function, `f` where it has none."""
    name = getattr(f, "__name__", "f")
    return "f" if name == "<lambda>" else str(name)


def argument_names(f: Callable[..., Any], count: int, skip: int = 0) -> tuple[str, ...]:
    """Return the names of the first arguments of a function after `skip`, numbers where it does not tell them."""
    try:
        parameters = list(inspect.signature(f).parameters.values())[skip:]
    except (TypeError, ValueError):  # some functions written in C have no signature
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return tuple(named[i] if i < len(named) else str(i) for i in range(count))
