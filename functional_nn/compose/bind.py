"""Partial application of a model to some of its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functional_nn.arguments import ARRAYS
from functional_nn.compose.parts import check_layer
from functional_nn.errors import LayerError, StructureError, not_a_dict
from functional_nn.layer import Layer, Params
from functional_nn.value import constructor

__all__ = ["bind"]


def _layer(constructor: str, name: str, value: Any) -> Layer:
    check_layer(f"{constructor}: {name}", value)
    return value


@constructor(model=_layer)
def bind(model: Layer, fixed: Params) -> Layer:
    """Partial application: return `model` with the parts' parameters in `fixed` fixed, gone from its tree.

    `bind(model, {"c1": {...}})` has no entry c1 to train and spends no backward on it when it stands in front;
    `fixed` may reach into nested parts, and leave out any part. A batch norm whose `mean` and `var` are fixed uses them
    in training too. The arrays are copied. Raises `TypeError` for a part or a parameter that `model` lacks, and for
    one that is no array.

    >>> model = fnn.serial(encoder=layers.dense(3), a=layers.tanh, head=layers.dense(2))
    >>> params = model.init(np.random.default_rng(0), (4,))
    >>> frozen = fnn.bind(model, {"encoder": params["encoder"]})
    >>> frozen.init(np.random.default_rng(1), (4,)).keys()
    dict_keys(['head'])
    """
    if not isinstance(fixed, Mapping):
        raise StructureError(f"bind: {not_a_dict(fixed)}", (), model.name)
    if not model.parts:
        return _bound_leaf(model, fixed)
    parts = dict(model.parts)
    for unknown in sorted(map(str, fixed.keys() - parts.keys())):
        message = f"bind: no such part; expected some of {', '.join(parts)}"
        raise StructureError(message, (unknown,), model.name)
    for name, entry in fixed.items():
        try:
            parts[name] = bind(parts[name], entry)
        except LayerError as error:
            error.leave(model.name, part=name)
            raise
    return recombined(model, parts)


def recombined(model: Layer, parts: dict[str, Layer]) -> Layer:
    """Return the combinator `model` of other parts; raises `TypeError` where it does not say how."""
    if model.combine is None:
        raise TypeError(f"{model.name}: its parts cannot be replaced; make it with Layer(..., parts=, combine=)")
    return model.combine(**parts).replace(name=model.name)


def _bound_leaf(leaf: Layer, fixed: Params) -> Layer:
    known = (*leaf.parameters, *leaf.moments)
    for unknown in sorted(map(str, fixed.keys() - set(known))):
        problem = "bound already" if unknown in leaf.fixed else "no such parameter"
        expected = f"expected some of {', '.join(known)}" if known else "there are none to fix"
        raise StructureError(f"bind: {problem}; {expected}", (unknown,), leaf.name)
    for name, entry in fixed.items():
        if type(entry) not in ARRAYS:
            raise StructureError(f"bind: is a {type(entry).__name__}, expected a NumPy array", (name,), leaf.name)
    moments = tuple(name for name in leaf.moments if name not in fixed)
    if moments and moments != leaf.moments:
        raise StructureError(f"bind: fix {' and '.join(leaf.moments)} together", moments, leaf.name)
    return leaf.replace(
        parameters=tuple(name for name in leaf.parameters if name not in fixed),
        moments=moments,
        fixed={**leaf.fixed, **fixed},
        couples_examples=leaf.couples_examples and moments == leaf.moments,
    )
