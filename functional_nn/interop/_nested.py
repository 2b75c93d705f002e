"""scikit-learn's nested parameters for values: `optimizer__learning_rate` is an argument of the optimizer's call."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any

from functional_nn.value import Call, Value, is_constant

__all__ = ["changed", "grouped", "nested"]


def nested(value: Any) -> dict[str, Any]:
    """Return the arguments of a value, or of a function that makes one, and theirs in turn: {"c1__filters": 6, ...}."""
    found: dict[str, Any] = {}
    for name, argument in _arguments(value).items():
        found[name] = argument
        found |= {f"{name}__{key}": below for key, below in nested(argument).items()}
    return found


def grouped(changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the changes of one's own parameters, and by parameter those of what is nested in it."""
    own: dict[str, Any] = {}
    below: dict[str, dict[str, Any]] = {}
    for key, change in changes.items():
        name, _, rest = key.partition("__")
        if rest:
            below.setdefault(name, {})[rest] = change
        else:
            own[name] = change
    return own, below


def changed(where: str, value: Any, changes: Mapping[str, Any]) -> Any:
    """Return the value made anew with other arguments; a function becomes one that has them bound.

    Raises `ValueError`, which says what there is, for an argument that the value has not.
    """
    own, below = grouped(changes)
    known = _arguments(value)
    for name in [*own, *below]:
        if name not in known:
            remedy = f"it has {', '.join(known)}" if known else f"{value!r} has no arguments: set {where} to what has"
            raise ValueError(f"Invalid parameter {where}__{name}: {remedy}")
    for name, more in below.items():
        own[name] = changed(f"{where}__{name}", own.get(name, known[name]), more)
    return value.call(**own) if isinstance(value, Value) and value.call else partial(value, **own)


def _arguments(value: Any) -> dict[str, Any]:
    if isinstance(value, Value):
        return {} if value.call is None or is_constant(value) else _of_call(value.call)
    if not inspect.isfunction(value) and not isinstance(value, partial):
        return {}
    named = [p for p in inspect.signature(value).parameters.values() if p.kind is not p.VAR_KEYWORD]
    # the estimator itself gives the classes
    return {p.name: None if p.default is p.empty else p.default for p in named if p.name != "classes"}


def _of_call(call: Call) -> dict[str, Any]:
    """Return the arguments by name; those of `**parts` stand under their own names."""
    arguments = call.arguments
    for name, parameter in call.bound.signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= arguments.pop(name)
    return arguments
