"""Which converter a layer gets: tables are keyed by what made the layer, and a layer's name says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from functional_nn.compose import bind, tie
from functional_nn.compose.tie import filled
from functional_nn.layer import Layer, Params
from functional_nn.value import Value

__all__ = ["Found", "find", "key_of", "keyed", "whole"]


class Found(NamedTuple):
    """A table's entry for a value, and the arguments of the call that the entry is for."""

    entry: Any
    arguments: dict[str, Any]


def key_of(value: Any) -> Any:
    """Return the constructor that made a value; what no constructor made is its own key."""
    return value if not isinstance(value, Value) or value.call is None else value.call.constructor


def keyed(table: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return a table of constructors and values as one that `find` looks into."""
    return {key_of(key): entry for key, entry in table.items()}


def find(table: Mapping[Any, Any], value: Any) -> Found | None:
    """Return what a table has for a value, or else for what the value was made of; None where it has nothing."""
    for origin in _origins(value):
        if key_of(origin) in table:
            call = origin.call if isinstance(origin, Value) else None
            return Found(table[key_of(origin)], call.arguments if call else {})
    return None


def _origins(value: Any) -> Iterator[Any]:
    """Yield a value, and then what it was made of: a bound layer of the layer, lenet5(10) of serial(...)."""
    while value is not None:
        yield value
        call, inner = (value.call, value.inner) if isinstance(value, Value) else (None, None)
        wraps = call is not None and call.constructor in (bind, tie)
        value = call.bound.arguments["model"] if call and wraps else inner


def whole(layer: Layer, params: Params) -> Params:
    """Return the parameters with what `bind` fixed of them and with what `tie` shares, in their places."""
    params = {**layer.fixed, **filled(params, layer.ties)}
    return {**params, **{name: whole(part, params.get(name, {})) for name, part in layer.parts}}
