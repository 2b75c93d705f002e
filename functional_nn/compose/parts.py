"""What all combinators share: their parts, and the parts' keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from functional_nn import keys
from functional_nn.errors import wrong_result
from functional_nn.layer import NO_PARAMS, Layer, LayerError, Params, Pullback, Shape

__all__ = ["Part", "check_layer", "fold", "named_parts"]


class Part(NamedTuple):
    """A layer within a combinator, under its name: it takes its own entry of the combinator's parameters."""

    name: str
    layer: Layer

    def init(self, rng: np.random.Generator, input_shape: Shape) -> Params:
        """Return the part's own parameters."""
        try:
            return self.layer.init(rng, input_shape)
        except LayerError as error:
            error.leave(part=self.name)
            raise

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the part's output shape."""
        try:
            return self.layer.output_shape(input_shape)
        except LayerError as error:
            error.leave(part=self.name)
            raise

    def apply(self, params: Params, x: np.ndarray) -> np.ndarray:
        """Return the part's output under its entry of `params`."""
        try:
            return self.layer.apply(params.get(self.name, NO_PARAMS), x)
        except LayerError as error:
            error.leave(part=self.name)
            raise

    def vjp(self, params: Params, x: np.ndarray, key: keys.Key | None, wrt_x: bool) -> tuple[np.ndarray, Pullback]:
        """Return the part's output under its entry of `params`, and its pullback."""
        try:
            return self.layer.vjp(params.get(self.name, NO_PARAMS), x, key=key, wrt_x=wrt_x)
        except LayerError as error:
            error.leave(part=self.name)
            raise

    def pull(self, pullback: Pullback, dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
        """Return `pullback(dy)`, the part's own pullback."""
        try:
            gradients = pullback(dy)
            if type(gradients) is not tuple or len(gradients) != 2:
                raise wrong_result(self.layer.name, "the pullback", gradients, "a pair (dparams, dx)")
            return gradients
        except LayerError as error:
            error.leave(part=self.name)
            raise


def named_parts(combinator: str, parts: Mapping[str, Layer]) -> tuple[Part, ...]:
    """Return the parts by name; raises `TypeError` for one that is no layer, `ValueError` for a name with a dot."""
    for name, part in parts.items():
        if not name or "." in name:  # paths join names by dots
            raise ValueError(f"{combinator}: a part is called {name!r}, expected a name without dots")
        check_layer(f"{combinator}.{name}", part)
    return tuple(Part(name, part) for name, part in parts.items())


def check_layer(what: str, part: Any) -> None:
    """Raise `TypeError` unless `part` is a layer."""
    if not isinstance(part, Layer):
        hint = ": call it to make one" if callable(part) else ""
        raise TypeError(f"{what}: expected a Layer, got {getattr(part, '__name__', None) or repr(part)}{hint}")


def fold(key: keys.Key | None, position: int) -> keys.Key | None:
    """Return the key of the part at this position."""
    return None if key is None else keys.fold(key, position)
