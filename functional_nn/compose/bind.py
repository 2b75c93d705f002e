"""Partial application of a model to some of its parameters."""

from __future__ import annotations

from functional_nn.layer import Layer, Params, StructureError
from functional_nn.value import constructor

__all__ = ["bind"]


@constructor
def bind(model: Layer, fixed: Params) -> Layer:
    """Partial application: return `model` with the parts' parameters in `fixed` fixed, gone from its tree.

    `bind(model, {"c1": {...}})` has no entry c1 to train and spends no backward on it when it stands in front;
    `fixed` may reach into nested parts, and leave out any part. A batch norm whose `mean` and `var` are fixed uses them
    in training too. The arrays are copied. Raises `TypeError` for a part or a parameter that `model` lacks.
    """
    if not model.parts:
        return _bound_leaf(model, fixed)
    parts = dict(model.parts)
    for unknown in sorted(map(str, fixed.keys() - parts.keys())):
        message = f"bind: no such part; expected some of {', '.join(parts)}"
        raise StructureError(message, (unknown,), model.name)
    parts |= {name: bind(parts[name], entry) for name, entry in fixed.items()}
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
        raise StructureError(f"bind: {problem}; expected some of {', '.join(known) or 'none'}", (unknown,), leaf.name)
    moments = tuple(name for name in leaf.moments if name not in fixed)
    if moments and moments != leaf.moments:
        raise StructureError(f"bind: fix {' and '.join(leaf.moments)} together", moments, leaf.name)
    return leaf.replace(
        parameters=tuple(name for name in leaf.parameters if name not in fixed),
        moments=moments,
        fixed={**leaf.fixed, **fixed},
        couples_examples=leaf.couples_examples and moments == leaf.moments,
    )
