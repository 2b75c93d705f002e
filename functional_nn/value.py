"""A value is its constructor's call: it prints, compares, hashes, pickles and is made anew as that call.

>>> layers.dense(np.int64(2))
dense(2)
>>> layers.dense(2) == layers.dense(2) != layers.dense(3)  # compared by constructor and arguments
True
>>> layers.dense(2).call(units=3)
dense(3)

Layers, losses, transformations, schedules, data transforms and callbacks are such values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial, wraps
from typing import Any, ParamSpec, Self, TypeVar, overload

from functional_nn import content

__all__ = ["Call", "Value", "constant", "constructor", "is_constant", "is_constructor", "named", "reduced"]

Check = Callable[[str, str, Any], Any]
P = ParamSpec("P")
V = TypeVar("V", bound="Value")


class Value:
    """What cannot be changed, and equals what the same call makes. Without a call it equals itself alone."""

    call: Call | None = None
    inner: Value | None = None  # what the constructor got from another one and returned: lenet5() is a serial(...)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self!r} cannot be changed: make a new one with call({name}=...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{self!r} cannot be changed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Value):
            return NotImplemented
        return self is other or (self.call is not None and self.call == other.call)

    def __hash__(self) -> int:
        return object.__hash__(self) if self.call is None else self.call.hash

    def __repr__(self) -> str:
        return repr(self.call) if self.call is not None else str(getattr(self, "name", type(self).__name__))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.call is not None:
            return self.call.pickled()
        for name, field in self.__dict__.items():
            content.check_picklable(f"{self!r}: its {name}", field)
        return reduced(self)

    def remembering(self, call: Call) -> Self:
        """Return a copy that is this call's; what another constructor made takes the name of this one."""
        fields = {**self.__dict__, "call": call, "inner": None if self.call is None else self}
        if self.call is not None and "name" in fields:
            fields["name"] = call.name
        return _unpickled(type(self), fields)


class Call:
    """A constructor and its arguments as they are after their checks, defaults included.

    Calling it makes the value anew: `value.call(units=7)` with another argument.
    """

    def __init__(self, constructor: Callable[..., Any], bound: inspect.BoundArguments) -> None:
        self.constructor, self.bound = constructor, bound
        # the order of a dict's entries says nothing, that of **parts does
        self.key = tuple(
            tuple(value.items()) if bound.signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else value
            for name, value in bound.arguments.items()
        )
        self.hash = hash((constructor, content.hash_of(self.key)))

    @property
    def name(self) -> str:
        """The constructor's name."""
        return self.constructor.__name__

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by name, copied; those of `**parts` stand under the name `parts`."""
        return {name: content.plain(value) for name, value in self.bound.arguments.items()}

    def __call__(self, /, **changes: Any) -> Any:
        """Return the constructor's value for the same arguments but for `changes`; those of `*parts` as a tuple."""
        arguments, parts = self.arguments, {}
        for name, parameter in self.bound.signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                parts = arguments.pop(name)
        for name in changes.keys() & arguments.keys() - parts.keys():
            arguments[name] = changes.pop(name)
        bound = inspect.BoundArguments(self.bound.signature, arguments)
        return self.constructor(*bound.args, **{**bound.kwargs, **parts, **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Call):
            return NotImplemented
        return self.hash == other.hash and self.constructor is other.constructor and content.same(self.key, other.key)

    def __hash__(self) -> int:
        return self.hash

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(self._shown())})"

    def pickled(self) -> tuple[Any, ...]:
        """Return what pickle keeps; raises `TypeError` for what no other process could find."""
        content.check_picklable(f"{self!r}: its constructor", self.constructor)
        for name, value in self.bound.arguments.items():
            content.check_picklable(f"{self!r}: its argument {name}", value)
        return self.reduced()

    def reduced(self) -> tuple[Any, ...]:
        """Return what makes the value anew."""
        return _remade, (self.constructor, self.bound.args, self.bound.kwargs)

    def _shown(self) -> Iterator[str]:
        for name, parameter in self.bound.signature.parameters.items():
            value = self.bound.arguments[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                yield from map(content.show, value)
            elif parameter.kind is parameter.VAR_KEYWORD:
                yield from (f"{key}={content.show(child)}" for key, child in value.items())
            elif parameter.default is parameter.empty:
                yield content.show(value)
            elif not content.same(value, content.plain(parameter.default)):
                yield f"{name}={content.show(value)}"


class _Constant(Call):
    """What `constant` made: it prints and pickles as the public name that it stands under."""

    def __call__(self, **changes: Any) -> Any:
        """Raise `TypeError`: there are no arguments to change."""
        raise TypeError(f"{self.name} has no arguments to change, got {', '.join(changes) or 'none'}")

    def __repr__(self) -> str:
        return self.name

    def pickled(self) -> tuple[Any, ...]:
        content.check_picklable(f"{self!r}", self.constructor)
        return self.reduced()

    def reduced(self) -> tuple[Any, ...]:
        return _public, (self.constructor.__module__, self.name)


@overload
def constructor(function: Callable[P, V], /) -> Callable[P, V]: ...


@overload
def constructor(**checks: Check) -> Callable[[Callable[P, V]], Callable[P, V]]: ...


def constructor(function: Callable[..., Any] | None = None, /, **checks: Check) -> Any:
    """Decorate a function that returns a value: the value remembers the call.

    `checks` are those of `functional_nn.arguments`, by the name of the argument: `@constructor(units=count)` calls
    `count("dense", "units", units)` and goes on with what it returns. Without a check NumPy's numbers become Python's,
    lists become tuples, and arrays become copies that nobody can write to. A wrong call raises `TypeError` with the
    signature.

    >>> from functional_nn.arguments import positive
    >>> @fnn.constructor(factor=positive)
    ... def scale(factor=2.0):
    ...     def vjp(params, x, *, key=None, wrt_x=True):
    ...         return factor * x, lambda dy: ({}, factor * dy if wrt_x else None)
    ...     return fnn.Layer("scale", vjp=vjp)
    >>> scale(np.float32(0.5)), scale(0.5) == scale(0.5), scale(0.5).call(factor=3)
    (scale(factor=0.5), True, scale(factor=3.0))
    >>> scale(-1.0)
    Traceback (most recent call last):
        ...
    ValueError: scale: factor is -1.0, expected a finite number above 0
    """
    if function is None:
        return partial(_constructor, checks=checks)
    return _constructor(function, {})


def constant(function: Callable[[], V]) -> V:
    """Decorate a function without arguments: its name then stands for the value that it returns.

    So `losses.softmax_cross_entropy` is a value, not a function. It prints and pickles as its name.

    >>> from functional_nn.value import constant
    >>> @constant
    ... def double():
    ...     def vjp(params, x, *, key=None, wrt_x=True):
    ...         return 2 * x, lambda dy: ({}, 2 * dy if wrt_x else None)
    ...     return fnn.Layer("double", vjp=vjp)
    >>> double, double.apply({}, np.array([1.0, 2.0]))
    (double, array([2., 4.]))
    """
    return named(function, function())


def named(function: Callable[..., Any], value: V) -> V:
    """Return the value as one that prints and pickles as this function's name, which must stand for it."""
    value = value.remembering(_Constant(function, inspect.Signature().bind()))
    value.__dict__["__doc__"] = function.__doc__
    return value


def is_constructor(thing: object) -> bool:
    """Return whether `thing` is a function that `constructor` decorated."""
    return getattr(thing, "makes_values", False) is True


def is_constant(thing: object) -> bool:
    """Return whether `thing` is a value that `constant` or `named` made: it has a name and no arguments."""
    return isinstance(thing, Value) and isinstance(thing.call, _Constant)


def _constructor(function: Callable[P, V], checks: Mapping[str, Check]) -> Callable[P, V]:
    signature = inspect.signature(function)
    name = function.__name__
    for unknown in checks.keys() - signature.parameters.keys():
        raise TypeError(
            f"constructor: {name} has no argument {unknown} to check; it has {', '.join(signature.parameters)}"
        )

    @wraps(function)
    def construct(*args: P.args, **kwargs: P.kwargs) -> V:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}: {error}; its arguments are {name}({_listed(signature)})") from None
        bound.apply_defaults()
        for key, argument in bound.arguments.items():
            check = checks.get(key)
            bound.arguments[key] = content.plain(argument) if check is None else check(name, key, argument)
        try:
            call = Call(construct, bound)
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
        value = function(*bound.args, **bound.kwargs)
        if not isinstance(value, Value):
            raise TypeError(f"{name}: a constructor must return a Layer, a Loss or another Value, got {value!r}")
        return value.remembering(call)

    construct.__dict__["makes_values"] = True
    return construct


def reduced(value: Value) -> tuple[Any, ...]:
    """Return what makes the value anew in another process, without asking whether pickle finds its functions there."""
    if value.call is None or (is_constant(value) and not _has_public_name(value.call.constructor)):
        return _unpickled, (type(value), value.__dict__)
    return value.call.reduced()


def _has_public_name(function: Callable[..., Any]) -> bool:
    """Return whether other processes, whose main module is another, find what stands under the function's name."""
    return function.__module__ != "__main__" and "<" not in function.__qualname__


def _listed(signature: inspect.Signature) -> str:
    """Return the parameters as a call would print them: no annotations, functions by their names."""
    shown = []
    for parameter in signature.parameters.values():
        bare = str(parameter.replace(annotation=parameter.empty, default=parameter.empty))
        has_default = parameter.default is not parameter.empty
        shown.append(f"{bare}={content.show(parameter.default)}" if has_default else bare)
    return ", ".join(shown)


def _remade(constructor: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return constructor(*args, **kwargs)


def _public(module: str, name: str) -> Any:
    return getattr(__import__(module, fromlist=[name]), name)


def _unpickled(kind: type[V], fields: dict[str, Any]) -> V:
    value = object.__new__(kind)
    value.__dict__.update(fields)
    return value
