"""The Layer: a value made of four pure functions, and the errors that they raise.

A layer file defines `init`, `output_shape`, `apply` and `vjp` as module-level functions that take their
configuration by keyword; its constructor hands them to `configured`, which binds to each function the keywords
that it names in its signature. So a layer is data: it prints as its constructor's call, compares by what it is,
pickles, and can be looked into.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from typing import Any

import numpy as np

__all__ = ["Init", "Layer", "LayerError", "Params", "Pullback", "Shape", "ShapeError", "StructureError"]

Params = dict[str, Any]
Shape = tuple[int, ...]
Init = Callable[[np.random.Generator, Shape], np.ndarray]
Pullback = Callable[[np.ndarray], tuple[Params, np.ndarray | None]]

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
COMPLEX = np.dtype(np.complex128)
_takes_complex: ContextVar[bool] = ContextVar("takes_complex", default=False)
FUNCTIONS = ("init", "output_shape", "apply", "vjp")


class LayerError(Exception):
    """An error within a layer; its path grows on the way out: `lenet5.c3: x has 3 channels, w expects 6`.

    Parameters
    ----------
    layer : the name of the layer that raises; the outermost layer puts its own name in this place.
    message : what was given, what was expected, what to do.
    path : the names of parts and parameters that lead from the outermost layer to the place.

    """

    def __init__(self, layer: str, message: str, path: tuple[str, ...] = ()) -> None:
        super().__init__(layer, message, path)
        self.layer, self.message, self.path = layer, message, path

    def extend(self, layer: str, part: str) -> None:
        """Record that the error came out of `part` of the combinator called `layer`."""
        self.layer, self.path = layer, (part, *self.path)
        self.args = (self.layer, self.message, self.path)

    def __str__(self) -> str:
        return f"{'.'.join((self.layer, *self.path))}: {self.message}"


class ShapeError(LayerError, ValueError):
    """A shape or a value does not fit."""


class StructureError(LayerError, TypeError):
    """The parameter tree lacks an entry or has one too many, or a dtype does not fit."""


def no_parameters(rng: np.random.Generator, input_shape: Shape) -> Params:
    """Return `{}`: the `init` of a layer without parameters."""
    return {}


def same_shape(input_shape: Shape) -> Shape:
    """Return `input_shape`: the `output_shape` of an elementwise layer."""
    return input_shape


@dataclass(frozen=True, eq=False, repr=False)
class Layer:
    """A name, four pure functions, the keyword configuration that they share, and the parts it is made of.

    - `init(rng, input_shape) -> params`: a nested dict of float32 arrays; shapes never include the batch axis.
    - `output_shape(input_shape) -> shape`: raises `ShapeError` where the shape does not fit.
    - `apply(params, x) -> y`: inference on a batch `x` of shape `(n, *input_shape)`.
    - `vjp(params, x, *, key=None, wrt_x=True) -> (y, pullback)`: the training pass; `pullback(dy)` returns
      `(dparams, dx)`, with `dx` None when `wrt_x` is False, and may be called any number of times.

    `Layer(name, apply=..., vjp=...)` suffices for a layer without parameters that keeps the shape.
    Raises `TypeError` when `vjp` does not take `key` and `wrt_x`.
    """

    name: str
    _: KW_ONLY
    apply: Callable[..., np.ndarray]
    vjp: Callable[..., tuple[np.ndarray, Pullback]]
    init: Callable[..., Params] = no_parameters
    output_shape: Callable[..., Shape] = same_shape
    config: Mapping[str, Any] | None = None
    parts: tuple[tuple[str, Layer], ...] = field(default=())

    def __post_init__(self) -> None:
        keywords = inspect.signature(self.vjp).parameters
        takes_any = any(p.kind is p.VAR_KEYWORD for p in keywords.values())
        if not takes_any and not {"key", "wrt_x"} <= keywords.keys():
            raise TypeError(
                f"layer {self.name!r}: vjp takes ({', '.join(keywords)}), it must take "
                "(params, x, *, key=None, wrt_x=True): composed layers are called with both keywords"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layer):
            return NotImplemented
        return (
            _unbound(self) == _unbound(other)
            and _same(self.config, other.config)
            and self.parts == other.parts
            and self.name == other.name
        )

    def __hash__(self) -> int:
        return hash((self.name, _unbound(self)))  # not the parts: layers key caches at every step

    def __repr__(self) -> str:
        if self.config is None:
            return self.name
        arguments = _config_arguments(self) if self.config else _part_arguments(self)
        return f"{self.name}({', '.join(arguments)})"


def configured(
    name: str,
    config: Mapping[str, Any],
    *,
    apply: Callable[..., np.ndarray],
    vjp: Callable[..., tuple[np.ndarray, Pullback]],
    init: Callable[..., Params] = no_parameters,
    output_shape: Callable[..., Shape] = same_shape,
    parts: tuple[tuple[str, Layer], ...] = (),
) -> Layer:
    """Return the layer of these functions, each bound to what its signature names of `config`, `name`, `parts`."""
    known = {**config, "name": name, "parts": parts}

    def bind(function: Callable[..., Any]) -> Callable[..., Any]:
        wanted = {key: known[key] for key in inspect.signature(function).parameters if key in known}
        return partial(function, **wanted) if wanted else function

    return Layer(
        name,
        apply=bind(apply),
        vjp=bind(vjp),
        init=bind(init),
        output_shape=bind(output_shape),
        config=dict(config),
        parts=parts,
    )


def with_parts(layer: Layer, parts: tuple[tuple[str, Layer], ...]) -> dict[str, Any]:
    """Return the four functions of a combinator, bound to other parts: the arguments for a new `Layer`."""
    bound = {}
    for key in FUNCTIONS:
        function = getattr(layer, key)
        if not isinstance(function, partial) or "parts" not in function.keywords:
            raise TypeError(f"layer {layer.name!r}: its {key} takes no parts= keyword, so they cannot be replaced")
        bound[key] = partial(function.func, *function.args, **{**function.keywords, "parts": parts})
    return bound


def check_params(layer: str, params: Mapping[str, Any], names: frozenset[str] = frozenset()) -> None:
    """Raise `StructureError`, naming the path, unless `params` has exactly the entries `names`."""
    if params.keys() == names:
        return
    expected = f"expected {', '.join(sorted(names)) or 'no parameters'}"
    for missing in sorted(names - params.keys()):
        raise StructureError(layer, f"missing from the parameters; {expected}", (missing,))
    for unknown in sorted(params.keys() - names):
        raise StructureError(layer, f"unknown to the layer; {expected}", (str(unknown),))


def check_floats(layer: str, x: np.ndarray, *params: np.ndarray) -> None:
    """Raise `StructureError` unless `x` and `params` are all float32 or all float64 arrays."""
    if not isinstance(x, np.ndarray):
        raise StructureError(layer, f"x is a {type(x).__name__}, expected a NumPy array")
    if x.dtype not in FLOATS and not (x.dtype == COMPLEX and _takes_complex.get()):
        raise StructureError(
            layer,
            f"x is {x.dtype}, expected float32 or float64: convert images with data.standardize(train_images)",
        )
    for param in params:
        if param.dtype != x.dtype:
            raise StructureError(
                layer, f"x is {x.dtype}, a parameter is {param.dtype}; convert one: nothing is promoted"
            )


@contextmanager
def complex_taken() -> Iterator[None]:
    """Let `check_floats` pass complex128 within the block, in this thread: for the complex step, never for training."""
    token = _takes_complex.set(True)
    try:
        yield
    finally:
        _takes_complex.reset(token)


def check_image(layer: str, input_shape: Shape) -> None:
    """Raise `ShapeError` unless `input_shape`, without the batch axis, is (height, width, channels)."""
    if len(input_shape) != 3:
        raise ShapeError(layer, f"input is {input_shape}, expected images (height, width, channels)")


def check_cotangent(layer: str, dy: np.ndarray, y_shape: Shape, dtype: np.dtype[Any]) -> None:
    """Raise unless the cotangent `dy` has the shape and the dtype of the output that it belongs to."""
    if dy.shape != y_shape:
        raise ShapeError(layer, f"dy has shape {dy.shape}, the output has {y_shape}")
    if dy.dtype != dtype:
        raise StructureError(layer, f"dy is {dy.dtype}, the output is {dtype}")


def _unbound(layer: Layer) -> tuple[Any, ...]:
    functions = (getattr(layer, key) for key in FUNCTIONS)
    return tuple(f.func if isinstance(f, partial) else f for f in functions)


def _same(a: Any, b: Any) -> bool:
    """Equality that looks into configurations that hold parameter trees."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return type(a) is type(b) and a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True)
    return bool(a == b)


def _config_arguments(layer: Layer) -> Iterator[str]:
    """The configuration as arguments: what every function requires by position, what is default not at all."""
    parameters: dict[str, inspect.Parameter] = {}
    for function in _unbound(layer):
        parameters |= inspect.signature(function).parameters
    for key, value in (layer.config or {}).items():
        default = parameters[key].default if key in parameters else ()
        if default is inspect.Parameter.empty:
            yield _show(value)
        elif not _same(value, default):
            yield f"{key}={_show(value)}"


def _part_arguments(layer: Layer) -> Iterator[str]:
    return (f"{name}={part!r}" for name, part in layer.parts)


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_show(child)}' for key, child in value.items())}}}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    return str(getattr(value, "__name__", repr(value)))
