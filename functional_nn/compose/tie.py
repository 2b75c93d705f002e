"""Shared parameters: some of a model use the arrays of others, as an autoencoder's decoder may its encoder's.

In autoencoders: Vincent et al. 2010. Of an embedding with the output: Press and Wolf 2017.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from functional_nn import keys
from functional_nn.arguments import ARRAYS
from functional_nn.compose.bind import bind, recombined
from functional_nn.compose.tie_paths import Path, check_ties, dotted, named, parameters_below, text_of, ties_from
from functional_nn.layer import Layer, Params, Pullback, Shape, ShapeError, StructureError, Tie
from functional_nn.value import constructor

__all__ = ["as_target", "entry_at", "filled", "tie", "with_entry"]


def _texts(constructor: str, name: str, value: Any) -> dict[str, str]:
    expected = 'expected a dict of paths, such as {"decoder.w": "encoder.w.T"}'
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for item in value.items() for text in item):
        raise TypeError(f"{constructor}: {name} is {value!r}, {expected}")
    return dict(value)


@constructor(ties=_texts)
def tie(model: Layer, ties: Mapping[str, str]) -> Layer:
    """Return `model` with parameters that use others: {"decoder.w": "encoder.w.T"}, target: source.

    Paths lead into nested parts. A whole part may use another's parameters, {"decoder": "encoder"}. A source that ends
    in `.T` is transposed: its last two axes are swapped, so a `conv2d_transpose` can use a `conv2d`'s kernel. The tree
    holds the source alone, and its gradient is the sum over all that use it. A source that is bound, before or after,
    binds its targets too. Raises `TypeError` for unknown paths, for a source that is itself tied, and for a target that
    is tied or bound already; `init` raises `ValueError` for shapes that do not fit.

    >>> autoencoder = fnn.serial(encoder=layers.dense(2), decoder=layers.dense(6))
    >>> tied = fnn.tie(autoencoder, {"decoder.w": "encoder.w.T"})
    >>> [path for path, _ in tree.items(tied.init(np.random.default_rng(0), (6,)))]
    ['decoder.b', 'encoder.b', 'encoder.w']
    """
    if not isinstance(model, Layer) or not model.parts:
        raise TypeError(f"tie: model is {model!r}, expected a layer with parts, such as serial(...)")
    with named(model):
        return _tied(model, ties_from(model, ties))


def _tied(model: Layer, ties: tuple[Tie, ...]) -> Layer:
    """Return the tied model: it fills the targets in at every call, and adds up the gradients afterwards."""
    model, ties = _with_bound_sources(model, ties)
    if not ties:
        return model.replace()

    def init(rng: np.random.Generator, input_shape: Shape) -> Params:
        params = model.functions.init(rng, input_shape)
        for pair in ties:
            _check_shapes(params, pair)
        for pair in ties:
            params = _without(params, pair.target)
        return params

    def apply(params: Params, x: np.ndarray) -> np.ndarray:
        _check_entries(params, ties)
        return model.functions.apply(filled(params, ties), x)

    def vjp(
        params: Params, x: np.ndarray, *, key: keys.Key | None = None, wrt_x: bool = True
    ) -> tuple[np.ndarray, Pullback]:
        _check_entries(params, ties)
        y, model_pullback = model.functions.vjp(filled(params, ties), x, key=key, wrt_x=wrt_x)

        def pullback(dy: np.ndarray) -> tuple[Params, np.ndarray | None]:
            dwhole, dx = model_pullback(dy)
            return _gathered(dwhole, params, ties), dx

        return y, pullback

    def combine(**parts: Layer) -> Layer:
        with named(model):
            return _tied(recombined(model, parts), ties)

    return model.replace(init=init, apply=apply, vjp=vjp, combine=combine, ties=(*ties, *model.ties))


def _with_bound_sources(model: Layer, ties: tuple[Tie, ...]) -> tuple[Layer, tuple[Tie, ...]]:
    """Return the model with the targets of bound sources bound as well, and the ties that are left."""
    check_ties(model, ties)
    states = parameters_below(model)
    for pair in ties:
        if states[pair.source] is not None:
            model = bind(model, with_entry({}, pair.target, as_target(states[pair.source], pair)))
    return model, tuple(pair for pair in ties if states[pair.source] is None)


def filled(params: Params, ties: tuple[Tie, ...]) -> Params:
    """Return the parameters with the targets in their places; those whose source is missing stay out."""
    for pair in ties:
        source = entry_at(params, pair.source)
        if source is not None:
            params = with_entry(params, pair.target, as_target(source, pair))
    return params


def _gathered(dwhole: Params, params: Params, ties: tuple[Tie, ...]) -> Params:
    """Return the gradient in the tree of `params`: each source's own, and those of its targets added to it."""
    for pair in ties:
        share = as_target(entry_at(dwhole, pair.target), pair)  # a transpose is its own adjoint
        dwhole = with_entry(dwhole, pair.source, entry_at(dwhole, pair.source) + share)
    return _within(dwhole, params)


def as_target(source: Any, pair: Tie) -> Any:
    """Return the source's array as the target uses it: a view."""
    if not pair.transposed or type(source) not in ARRAYS:  # the layer refuses what is no array
        return source
    if source.ndim < 2:
        raise ShapeError(f"has shape {source.shape} and no transpose, which {dotted(pair.target)} uses", pair.source)
    return source.swapaxes(-1, -2)


def _check_shapes(params: Params, pair: Tie) -> None:
    source, target = as_target(entry_at(params, pair.source), pair), entry_at(params, pair.target)
    if source.shape != target.shape:
        raise ShapeError(f"needs shape {target.shape}, {text_of(pair)} has {source.shape}", pair.target)


def _check_entries(params: Params, ties: tuple[Tie, ...]) -> None:
    for pair in ties:
        if entry_at(params, pair.source) is None:
            raise StructureError(f"missing from the parameters; {dotted(pair.target)} uses it", pair.source)
        if entry_at(params, pair.target) is not None:
            raise StructureError(f"tied to {text_of(pair)}: leave it out of the parameters", pair.target)


def entry_at(params: Any, path: Path) -> Any:
    """Return the entry at a path, None where there is none."""
    for name in path:
        params = params.get(name) if isinstance(params, Mapping) else None
    return params


def with_entry(params: Params, path: Path, entry: Any) -> Params:
    """Return params with an entry at a path; nothing is written."""
    below = params.get(path[0], {}) if len(path) > 1 else {}
    if not isinstance(below, Mapping):
        return params  # the layers refuse what is no dict
    return {**params, path[0]: with_entry(dict(below), path[1:], entry) if len(path) > 1 else entry}


def _without(params: Params, path: Path) -> Params:
    """Return params without the entry at a path, and without dicts that it leaves empty."""
    below = _without(params[path[0]], path[1:]) if len(path) > 1 else {}
    return {name: below if name == path[0] else entry for name, entry in params.items() if name != path[0] or below}


def _within(tree: Params, params: Mapping[str, Any]) -> Params:
    """Return the entries of `tree` at the paths of `params`."""
    return {
        name: _within(tree[name], entry) if isinstance(entry, Mapping) else tree[name] for name, entry in params.items()
    }
