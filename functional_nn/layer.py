"""The Layer: a value made of four pure functions, and the errors that they raise.

A layer's author writes the four functions within a constructor and leaves to the Layer what every layer checks: the
input's and the parameters' dtypes, the parameters' names, the cotangent's shape and dtype, the name in an error.
`layers/dense.py` is an example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys
from functional_nn.arguments import ARRAYS, not_an_array
from functional_nn.dtypes import is_taken
from functional_nn.errors import (
    LayerError,
    ShapeError,
    StructureError,
    as_shape,
    not_a_dict,
    unfit_cotangent,
    wrong_entries,
    wrong_entry,
    wrong_names,
    wrong_result,
    wrong_start,
)
from functional_nn.layer_checks import check_functions, check_names, check_parts
from functional_nn.value import Value

__all__ = ["Init", "Layer", "LayerError", "Params", "Pullback", "Shape", "ShapeError", "StructureError"]

Params = dict[str, Any]
Shape = tuple[int, ...]
Init = Callable[[np.random.Generator, Shape], np.ndarray]
Vjp = Callable[..., tuple[np.ndarray, "Pullback"]]
Apply = Callable[[Params, np.ndarray], np.ndarray]
Pullback = Callable[[np.ndarray], tuple[Params, np.ndarray | None]]

NO_PARAMS: Params = {}
FACTS = ("name", "parameters", "parts", "combine", "fixed", "ties", "moments")
CHARACTER = ("couples_examples", "integer_input", "monotone", "takes_maxima", "scatters")


class Functions(NamedTuple):
    """The four functions as the layer's author wrote them."""

    init: Callable[[np.random.Generator, Shape], Params]
    output_shape: Callable[[Shape], Shape]
    apply: Apply
    vjp: Vjp


class Tie(NamedTuple):
    """A parameter that is another's array, or its transpose: their paths from the layer that ties them."""

    target: tuple[str, ...]
    source: tuple[str, ...]
    transposed: bool


def no_parameters(rng: np.random.Generator, input_shape: Shape) -> Params:
    """Return `{}`: what a layer without parameters starts with."""
    return {}


def _output(vjp: Vjp, params: Params, x: np.ndarray) -> np.ndarray:
    return vjp(params, x, wrt_x=False)[0]


def same_shape(input_shape: Shape) -> Shape:
    """Return `input_shape`: the `output_shape` of an elementwise layer."""
    return input_shape


class Layer(Value):
    """A name, four pure functions, the parts it is made of, and what must be known about it.

    - `init(rng, input_shape) -> params`: a nested dict of float32 arrays; shapes never include the batch axis.
    - `output_shape(input_shape) -> shape`: raises `ShapeError` where the shape does not fit.
    - `apply(params, x) -> y`: inference on a batch `x` of shape `(n, *input_shape)`; the output of `vjp` where there is
      no other.
    - `vjp(params, x, *, key=None, wrt_x=True) -> (y, pullback)`: the training pass; `pullback(dy)` returns
      `(dparams, dx)`, with `dx` None when `wrt_x` is False, and may be called any number of times.

    `Layer(name, apply=..., vjp=...)` suffices for a layer without parameters that keeps the shape. Such a layer equals
    itself alone; one that a `fnn.constructor` returns prints, compares and pickles as its call. Other facts, if any:

    - `parameters`: the names of its parameters; the layer refuses any others.
    - `parts`: `((name, layer), ...)` of a combinator, and `combine(**parts)`, which makes it of other parts.
    - `fixed`: the parameters that `bind` took out of its tree.
    - `ties`: the parameters below it that use others', which `tie` took out of its tree.
    - `moments`: entries that `apply` needs besides the parameters and `vjp` refuses: the mean and the variance of each
      channel of its input over the training data, which `fnn.statistics` adds.
    - `couples_examples`: in training an example's output depends on the others of its batch.
    - `integer_input`: x holds whole numbers, which have no derivative.
    - `monotone`: elementwise, and never falls; `takes_maxima`: each output is the largest of some inputs. `serial` runs
      a monotone layer after a following one that takes maxima: there is less to compute, and the outputs are the same
      but for rounding.
    - `scatters`: its weights meet each position of its input, not of its output, as in a transposed convolution.

    Raises `TypeError` when `vjp` does not take `key` and `wrt_x`, and for arguments of another kind.

    >>> def vjp(params, x, *, key=None, wrt_x=True):
    ...     return x**3, lambda dy: ({}, 3 * x**2 * dy if wrt_x else None)
    >>> y, pullback = fnn.Layer("cube", vjp=vjp).vjp({}, np.array([2.0]))
    >>> y, pullback(np.ones(1))
    (array([8.]), ({}, array([12.])))
    """

    name: str
    functions: Functions
    parameters: tuple[str, ...]
    parts: tuple[tuple[str, Layer], ...]
    combine: Callable[..., Layer] | None
    fixed: Params
    ties: tuple[Tie, ...]
    moments: tuple[str, ...]
    couples_examples: bool
    integer_input: bool
    monotone: bool
    takes_maxima: bool
    scatters: bool
    _trained: frozenset[str]  # the entries that vjp takes, and those that apply takes
    _inferred: frozenset[str]

    def __init__(
        self,
        name: str,
        *,
        vjp: Vjp,
        apply: Apply | None = None,
        init: Callable[[np.random.Generator, Shape], Params] = no_parameters,
        output_shape: Callable[[Shape], Shape] = same_shape,
        parameters: tuple[str, ...] = (),
        parts: tuple[tuple[str, Layer], ...] = (),
        combine: Callable[..., Layer] | None = None,
        fixed: Mapping[str, Any] = NO_PARAMS,
        ties: tuple[Tie, ...] = (),
        moments: tuple[str, ...] = (),
        couples_examples: bool = False,
        integer_input: bool = False,
        monotone: bool = False,
        takes_maxima: bool = False,
        scatters: bool = False,
    ) -> None:
        apply = partial(_output, vjp) if apply is None else apply
        check_functions(name, {"vjp": vjp, "apply": apply, "init": init, "output_shape": output_shape})
        check_names(name, "parameters", parameters)
        check_names(name, "moments", moments)
        check_parts(name, parts)
        self.__dict__.update(
            name=name,
            functions=Functions(init, output_shape, apply, vjp),
            parameters=tuple(parameters),
            parts=tuple(parts),
            combine=combine,
            fixed=dict(fixed),
            ties=ties,
            moments=tuple(moments),
            couples_examples=couples_examples,
            integer_input=integer_input,
            monotone=monotone,
            takes_maxima=takes_maxima,
            scatters=scatters,
        )
        names = (part_name for part_name, _ in self.parts) if self.parts else self.parameters
        self.__dict__["_trained"] = frozenset(names)
        self.__dict__["_inferred"] = self._trained.union(self.moments)

    def replace(self, **changes: Any) -> Layer:
        """Return a layer of the same functions and facts but for `changes`, named as those of `Layer(...)`.

        With another `apply` or `vjp` it counts neither as monotone nor as taking maxima: `serial` runs it in its place.
        """
        facts = {name: getattr(self, name) for name in (*FACTS, *CHARACTER)}
        if "apply" in changes or "vjp" in changes:
            facts |= {"monotone": False, "takes_maxima": False}
        return Layer(**{**self.functions._asdict(), **facts, **changes})

    def __call__(self, *args: object, **kwargs: object) -> None:
        """Raise `TypeError`: a layer is a value, not a function."""
        use = f"{self.name}.apply(params, x) for its output; as a part of a network write it without parentheses"
        raise TypeError(f"{self.name} is a layer and cannot be called: {use}")

    def init(self, rng: np.random.Generator, input_shape: Shape) -> Params:
        """Return the initial parameters for inputs of this shape, drawn from `rng`."""
        if not isinstance(rng, np.random.Generator):
            expected = "expected a generator, such as np.random.default_rng(0)"
            raise TypeError(f"{self.name}: init's rng is {rng!r}, {expected}")
        with self._naming():
            params = self.functions.init(rng, as_shape(input_shape))
            if not isinstance(params, Mapping):
                raise StructureError(f"init returned a {type(params).__name__}, expected a dict of parameters")
            for entry, value in () if self.parts else params.items():
                if type(value) not in ARRAYS or not is_taken(value.dtype):
                    raise wrong_start(entry, value)
        return {entry: value for entry, value in params.items() if entry not in self.fixed}

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the output's shape for inputs of this shape, both without the batch axis."""
        with self._naming():
            return self.functions.output_shape(as_shape(input_shape))

    def apply(self, params: Params, x: np.ndarray) -> np.ndarray:
        """Return the output for a batch, in inference."""
        try:
            return self.functions.apply(self._whole(params, x, self._inferred), x)
        except LayerError as error:
            error.leave(layer=self.name)
            raise

    def vjp(
        self, params: Params, x: np.ndarray, *, key: keys.Key | None = None, wrt_x: bool = True
    ) -> tuple[np.ndarray, Pullback]:
        """Return the output for a batch in training, and the pullback."""
        try:
            whole = self._whole(params, x, self._trained)
            result = self.functions.vjp(whole, x, key=key, wrt_x=wrt_x)
        except LayerError as error:
            error.leave(layer=self.name)
            raise
        if type(result) is not tuple or len(result) != 2 or not isinstance(result[0], np.ndarray):
            raise wrong_result(self.name, "vjp", result, "a pair (y, pullback), y an array")
        y, pullback = result
        shape, dtype, is_leaf = y.shape, y.dtype, not self.parts

        def checked(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            try:
                if is_leaf and (type(dy) not in ARRAYS or dy.shape != shape or dy.dtype != dtype):
                    raise unfit_cotangent(dy, shape, dtype)
                gradients = pullback(dy)
            except LayerError as error:
                error.leave(layer=self.name)
                raise
            if not self.fixed:
                return gradients
            dparams, dx = gradients
            return {entry: dparams[entry] for entry in params}, dx

        return y, checked

    def _whole(self, params: Params, x: np.ndarray, names: frozenset[str]) -> Params:
        """Return the parameters with the fixed ones; raise unless they and x are what the layer takes.

        A combinator leaves x to its parts.
        """
        if type(params) is not dict and not isinstance(params, Mapping):
            raise StructureError(not_a_dict(params))
        if self.parts:
            if not params.keys() <= names:
                raise wrong_names(params, names, f"its parts are {', '.join(dict(self.parts))}")
            return params
        if type(x) not in ARRAYS:
            raise StructureError(f"x is {not_an_array(x)}")
        if not x.ndim:
            raise ShapeError("x is a single number, expected a batch (n, ...)")
        if params.keys() != names:
            raise wrong_entries(params, names, self.fixed, self.moments, self.call is None and not self.parameters)
        whole = {**self.fixed, **params} if self.fixed else params
        dtype = self._dtype(x)
        for name, entry in whole.items():
            if type(entry) not in ARRAYS or (entry.dtype != dtype and (dtype or not is_taken(entry.dtype))):
                raise wrong_entry(name, entry, x)
            dtype = entry.dtype
        return whole

    def _dtype(self, x: np.ndarray) -> np.dtype[Any] | None:
        """Return the dtype that the parameters must have: that of x, or any if x holds whole numbers."""
        if self.integer_input:
            if x.dtype.kind not in "iu":
                raise StructureError(f"x is {x.dtype}, expected an array of whole numbers")
            return None
        if not is_taken(x.dtype):
            remedy = "convert images with data.standardize(train_images)"
            raise StructureError(f"x is {x.dtype}, expected float32 or float64: {remedy}")
        return x.dtype

    @contextmanager
    def _naming(self) -> Iterator[None]:
        try:
            yield
        except LayerError as error:
            error.leave(layer=self.name)
            raise


def check_image(input_shape: Shape) -> None:
    """Raise `ShapeError` unless `input_shape`, without the batch axis, is (height, width, channels)."""
    if len(input_shape) != 3:
        remedy = ", without the batch axis: images.shape[1:]" if len(input_shape) == 4 else ""
        raise ShapeError(f"input is {input_shape}, expected images (height, width, channels){remedy}")
