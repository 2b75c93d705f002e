"""The errors of layers, with the path of parts that leads to the place, and those of files, which name the file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from functional_nn.arguments import ARRAYS, not_an_array

__all__ = ["BadFilesError", "DataError", "LayerError", "MissingFileError", "ShapeError", "StructureError"]


class LayerError(Exception):
    """An error within a layer; its path grows on the way out: `lenet5.c3: x has 3 channels, w expects 6`.

    `message` says what was given, what was expected and what to do. `path` are the names of the parts and parameters
    that lead to the place; every combinator puts its part's in front. `layer` is the name of the outermost layer.

    >>> from functional_nn.errors import LayerError
    >>> try:
    ...     models.lenet5().output_shape((28, 28))
    ... except LayerError as error:
    ...     print(error.layer, error.path, error.message, sep="; ")
    lenet5; ('c1',); input is (28, 28), expected images (height, width, channels)
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
    """A shape or a value does not fit.

    >>> layers.dense(3).output_shape((28, 28))
    Traceback (most recent call last):
        ...
    functional_nn.errors.ShapeError: dense: input is (28, 28), dense needs (features,): put flatten() before it
    """


class StructureError(LayerError, TypeError):
    """The parameter tree lacks an entry or has one too many, or a dtype does not fit.

    >>> layers.dense(3).apply({"w": np.ones((2, 3))}, np.ones((1, 2)))
    Traceback (most recent call last):
        ...
    functional_nn.errors.StructureError: dense.b: missing from the parameters; expected b, w
    """


class DataError(ValueError):
    """A file or its content cannot be used. The message begins with the place: `/data/train.txt:17: ...`.

    >>> try:
    ...     data.load("nowhere")
    ... except data.DataError as error:
    ...     print(str(error).splitlines()[0])
    nowhere: there is no such directory, expected one that holds
    """


class MissingFileError(DataError, FileNotFoundError):
    """A file is missing that is needed or that a list names.

    >>> issubclass(data.MissingFileError, FileNotFoundError)
    True
    """

    __new__ = FileNotFoundError.__new__  # type: ignore[assignment]  # ValueError's, found first, cannot make one

    def __str__(self) -> str:
        return str(self.args[0])


class BadFilesError(DataError):
    """Some of many files cannot be used. It is raised after the others are done.

    `results` are those of all files in their order, None for a bad one; `errors` are the bad files' errors by path.

    >>> bad = {"1.jpg": data.DataError("1.jpg: no image")}
    >>> error = data.BadFilesError("1 of 2 images cannot be used", ["an image", None], bad)
    >>> error.errors.keys()
    dict_keys(['1.jpg'])
    """

    def __init__(self, message: str, results: list[Any], errors: dict[str, DataError]) -> None:
        super().__init__(message, results, errors)
        self.results, self.errors = results, errors

    def __str__(self) -> str:
        return str(self.args[0])


def not_a_dict(params: Any) -> str:
    """Return the message for what stands where a dict of parameters is expected."""
    remedy = ": give its .params" if hasattr(params, "params") else ""
    return f"the parameters are a {type(params).__name__}, expected a dict as init returns it{remedy}"


def wrong_names(params: Mapping[str, Any], names: frozenset[str], expected: str) -> StructureError:
    """Return the error for an entry that is unknown or missing."""
    for unknown in sorted(map(str, params.keys() - names)):
        return StructureError(f"unknown to the layer; {expected}", (unknown,))
    return StructureError(f"missing from the parameters; {expected}", (min(names - params.keys()),))


def wrong_entries(
    params: Mapping[str, Any],
    names: frozenset[str],
    fixed: Mapping[str, Any],
    moments: tuple[str, ...],
    undeclared: bool,
) -> StructureError:
    """Return the error for a leaf's entries of other names: of statistics and of bound ones it says what to do."""
    for missing in sorted(names - params.keys()):
        if missing in moments:
            remedy = "inference needs the training data's: params = fnn.statistics(model, params, x)"
            return StructureError(f"missing; {remedy}", (missing,))
    for unknown in sorted(map(str, params.keys() - names)):
        if unknown in fixed:
            return StructureError("bound already: leave it out of the parameters", (unknown,))
        if unknown in moments:
            remedy = "train the parameters that they were added to"
            return StructureError(f"statistics serve inference and are not trained: {remedy}", (unknown,))
    nothing = "no parameters"
    if undeclared:
        nothing += ": Layer(..., parameters=) names those of a layer of your own"
    return wrong_names(params, names, f"expected {', '.join(sorted(names)) or nothing}")


def wrong_entry(name: str, entry: Any, x: np.ndarray) -> StructureError:
    """Return the error for an entry that is no array, or has another dtype than x."""
    if type(entry) not in ARRAYS:
        return StructureError(f"is {not_an_array(entry)}", (name,))
    if entry.dtype.kind != "f" or x.dtype.kind != "f":
        return StructureError(f"is {entry.dtype}, expected float32 or float64", (name,))
    return StructureError(f"x is {x.dtype}, the parameter is {entry.dtype}; convert one: nothing is promoted", (name,))


def as_shape(shape: Any) -> tuple[int, ...]:
    """Return an input's shape as a tuple of ints; raise `ShapeError` where it is none."""
    sizes = tuple(shape) if isinstance(shape, Iterable) else (shape,)
    if not isinstance(shape, Iterable) or not all(isinstance(size, int | np.integer) and size >= 0 for size in sizes):
        expected = "expected whole numbers without the batch axis, such as (32, 32, 1)"
        raise ShapeError(f"the input's shape is {shape!r}, {expected}")
    return tuple(map(int, sizes))


def wrong_start(name: str, value: Any) -> StructureError:
    """Return the error for an initial parameter that is no array of float32 or float64."""
    kind = f"an array of {value.dtype}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
    return StructureError(f"init's {name} is {kind}, expected an array of float32: see its initializer")


def wrong_result(layer: str, function: str, result: Any, expected: str) -> StructureError:
    """Return the error for what a layer's own function must not return."""
    kind = f"a tuple of {len(result)}" if isinstance(result, tuple) else f"a {type(result).__name__}"
    return StructureError(f"{function} returned {kind}, expected {expected}", (), layer)


def unfit_cotangent(dy: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> LayerError:
    """Return the error for a cotangent that does not fit the output."""
    if type(dy) not in ARRAYS:
        return StructureError(f"dy is {not_an_array(dy)}")
    if dy.shape != shape:
        return ShapeError(f"dy has shape {dy.shape}, the output has {shape}")
    return StructureError(f"dy is {dy.dtype}, the output is {dtype}")
