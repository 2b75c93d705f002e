"""The names that files use: of constructors, of values without arguments, of functions, and of records.

A file names what it needs, and loading looks the name up here and among what the caller passes. It imports nothing.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from functional_nn import compose, data, initializers, layers, losses, models, optim
from functional_nn.optim import transforms, wrappers
from functional_nn.record import Record, records
from functional_nn.result import FitResult
from functional_nn.value import Value, is_constant, is_constructor

__all__ = ["Known", "is_named_tuple", "is_record", "name_of", "named_by", "named_tuples_in"]

PUBLIC = {
    "functional_nn": compose,
    "functional_nn.data": data,
    "functional_nn.initializers": initializers,
    "functional_nn.layers": layers,
    "functional_nn.losses": losses,
    "functional_nn.models": models,
    "functional_nn.optim": optim,
}
FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType)


def is_named_tuple(kind: object) -> bool:
    """Return whether `kind` is a class of named tuples."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def named_tuples_in(value: Any) -> set[type]:
    """Return the classes of named tuples in a tree: those by which `load` makes it."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    own = {type(value)} if is_named_tuple(type(value)) else set()
    return own.union(*map(named_tuples_in, children))


def is_record(kind: object) -> bool:
    """Return whether `kind` is a class whose values are stored by their fields."""
    return is_named_tuple(kind) or (isinstance(kind, type) and issubclass(kind, Record))


def named_by(thing: Any) -> Any:
    """Return what bears the name of `thing`: for a value without arguments the function that made it."""
    return thing.call.constructor if is_constant(thing) else thing


def name_of(thing: Any) -> str:
    """Return the name of a constructor, a function or a class: the public one of the library's own.

    Raises `TypeError`, with what to do, for a function that has no name which another program could use.
    """
    public = _public_names().get(thing)
    if public is not None:
        return public
    if "<" in thing.__qualname__:
        kind = "a lambda" if thing.__name__ == "<lambda>" else f"{thing.__name__}, which stands in another function"
        raise TypeError(f"{kind}: to save it, define it at the top level of a module")
    return f"{thing.__module__}.{thing.__qualname__}"


@cache
def _library() -> dict[str, Any]:
    """Return what files may name of the library: nothing in it does more than make a value or draw numbers."""
    return dict(_public())


@cache
def _public_names() -> dict[Any, str]:
    return {named_by(thing): name for name, thing in _library().items()}


def _public() -> Iterator[tuple[str, Any]]:
    for prefix, module in PUBLIC.items():
        for name in module.__all__:
            thing = getattr(module, name)
            if is_constructor(thing) or is_constant(thing) or module is initializers:
                yield f"{prefix}.{name}", thing
    for module in (transforms, wrappers):
        for name, thing in vars(module).items():
            if is_named_tuple(thing) and thing.__module__ == module.__name__:
                yield f"functional_nn.optim.{name}", thing
    yield "functional_nn.FitResult", FitResult
    yield from records().items()


class Known:
    """What a file may name: the library's public names, and the caller's `constructors` by theirs.

    `constructors` are functions that `constructor` decorated, values without arguments, plain functions such as
    initializers, and classes of named tuples. A file written where they stood in another module finds them too.
    Raises `TypeError` for anything else.
    """

    def __init__(self, constructors: Iterable[Any]) -> None:
        self._own: dict[str, Any] = {}
        self._short: dict[str, list[Any]] = {}
        for thing in _listed(constructors):
            named = named_by(thing)
            self._own[f"{named.__module__}.{named.__qualname__}"] = thing
            self._short.setdefault(named.__name__, []).append(thing)

    def find(self, name: str) -> Any:
        """Return what bears this name, or None; raises `ValueError` if it may be one of several."""
        for known in (_library(), self._own):
            if name in known:
                return known[name]
        short = _short(name)
        matching = self._short.get(short, [])
        if len(matching) > 1:
            raise ValueError(
                f"it needs {name}, and constructors= has {len(matching)} called {short}: pass the one meant"
            )
        return matching[0] if matching else None

    def check(self, names: Iterable[str]) -> None:
        """Raise `ValueError`, which says what to pass, unless all of these are known."""
        missing = sorted({name for name in names if self.find(name) is None})
        if missing:
            remedy = f"pass what is your own, load(path, constructors=[{', '.join(map(_short, missing))}])"
            if any(name.startswith("functional_nn.") for name in missing):
                remedy = f"this version of functional_nn has none of that name: update it, or {remedy}"
            raise ValueError(f"it needs {', '.join(missing)}: {remedy}")


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _listed(constructors: Iterable[Any]) -> list[Any]:
    expected = "expected a list of constructors, functions or named tuples' classes, as in load(path, [crop])"
    if isinstance(constructors, Value) or not isinstance(constructors, Iterable):
        raise TypeError(f"load: constructors is {constructors!r}, {expected}")
    listed = list(constructors)
    for thing in listed:
        if not isinstance(thing, FUNCTIONS) and not is_constant(thing) and not is_record(thing):
            hint = f": pass {thing.call.name}, not what it makes" if isinstance(thing, Value) and thing.call else ""
            raise TypeError(f"load: constructors holds {thing!r}, {expected}{hint}")
    return listed
