"""What every leaf of a model gives for a batch, in inference."""

from __future__ import annotations

import numpy as np

from functional_nn import keys
from functional_nn.anatomy.leaves import Path, dotted, numbered, replace_leaves
from functional_nn.layer import Layer, Params, Pullback

__all__ = ["activations"]


def activations(model: Layer, params: Params, x: np.ndarray) -> dict[str, np.ndarray]:
    """Return {path: output} of every layer without parts for a batch x (n, ...), in inference.

    The entries come in the order in which x passes the layers. A path is dotted, such as `block1.body.c1`; a model that
    is itself a layer without parts goes by its name, and a layer that x passes several times by path, path#2, and so
    on. Raises what `model.apply` raises, `TypeError` for a model that is no layer.

    >>> model = fnn.serial(f1=layers.dense(2), a1=layers.relu)
    >>> params = {"f1": {"w": np.array([[1.0, -1.0]]), "b": np.zeros(2)}}
    >>> fnn.activations(model, params, np.array([[3.0]]))
    {'f1': array([[ 3., -3.]]), 'a1': array([[3., 0.]])}
    """
    outputs: dict[str, np.ndarray] = {}

    def noting(path: Path, layer: Layer) -> Layer:
        def note(y: np.ndarray) -> np.ndarray:
            outputs[numbered(dotted(model, path), outputs)] = y
            return y

        def apply(params: Params, x: np.ndarray) -> np.ndarray:
            return note(layer.functions.apply(params, x))

        def vjp(
            params: Params, x: np.ndarray, *, key: keys.Key | None = None, wrt_x: bool = True
        ) -> tuple[np.ndarray, Pullback]:  # for a combinator whose inference is its training pass
            y, pullback = layer.functions.vjp(params, x, key=key, wrt_x=wrt_x)
            return note(y), pullback

        return layer.replace(apply=apply, vjp=vjp)

    replace_leaves(model, noting).apply(params, x)
    return outputs
