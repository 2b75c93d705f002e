"""`to_state_dict` and `from_state_dict`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from functional_nn.anatomy import input_dtype
from functional_nn.arguments import ARRAYS, not_an_array
from functional_nn.compose.tie import as_target, entry_at, with_entry
from functional_nn.compose.tie_paths import parameters_below, text_of
from functional_nn.dtypes import FLOATS
from functional_nn.errors import ShapeError, StructureError, as_shape
from functional_nn.extras import needs_extra
from functional_nn.interop.tables import whole
from functional_nn.interop.torch.entries import Entry, entries_of
from functional_nn.layer import Layer, Params, Shape, Tie

if TYPE_CHECKING:
    import torch

__all__ = ["from_state_dict", "to_state_dict"]

Path = tuple[str, ...]
IGNORED = "num_batches_tracked"  # a counter of PyTorch's batch norm, which its outputs do not depend on


def to_state_dict(model: Layer, params: Params, input_shape: Shape) -> dict[str, torch.Tensor]:
    """Return the state dict of a PyTorch network of the same structure: part paths joined by dots, then `weight`, ...

    >>> from functional_nn.interop.torch import to_state_dict
    >>> model = fnn.serial(c1=layers.conv2d(6, 5), flat=layers.flatten(), output=layers.dense(10))
    >>> params = model.init(np.random.default_rng(0), (8, 8, 3))
    >>> {name: tuple(tensor.shape) for name, tensor in to_state_dict(model, params, (8, 8, 3)).items()}
    {'c1.weight': (6, 3, 5, 5), 'c1.bias': (6,), 'output.weight': (10, 96), 'output.bias': (10,)}

    The tensors are copies of the parameters' dtype. Bound parameters are among them, and tied ones stand under each of
    their paths. Batch norm needs its statistics, as in inference. `input_shape` is without the batch axis, images
    (height, width, channels). Raises `TypeError`, which names the path, for a layer that PyTorch lacks and for one that
    takes the entries of a flattened image in an order that PyTorch does not have; and what the model raises for
    parameters that do not fit it.
    """
    shape = as_shape(input_shape)
    entries = entries_of(model, shape)
    model.apply(params, np.zeros((0, *shape), input_dtype(model, params, shape)))  # raises where they do not fit
    with needs_extra("torch", "to_state_dict"):
        import torch
    arrays = whole(model, params)
    return {entry.name: torch.from_numpy(entry.to_torch(entry_at(arrays, entry.path))) for entry in entries}


def from_state_dict(model: Layer, state_dict: Mapping[str, Any], input_shape: Shape) -> Params:
    """Return the model's parameters from the state dict of a PyTorch network of the same structure.

    >>> from functional_nn.interop.torch import from_state_dict
    >>> state = {"weight": np.array([[1.0, 2.0]]), "bias": np.zeros(1)}  # or network.state_dict()
    >>> from_state_dict(fnn.serial(output=layers.dense(1)), {f"output.{name}": v for name, v in state.items()}, (2,))
    {'output': {'w': array([[1.],
           [2.]]), 'b': array([0.])}}

    The values are tensors or arrays, all float32 or all float64; the parameters are copies in their dtype and have
    exactly the model's tree, with batch norm's statistics. `num_batches_tracked` is ignored. Entries of bound and tied
    parameters must be equal to what they are bound or tied to. Raises `TypeError` that lists missing and unexpected
    entries, `ValueError` that lists those of other shapes or values, and `TypeError` as `to_state_dict` does.
    """
    shape = as_shape(input_shape)
    entries = entries_of(model, shape)
    if not isinstance(state_dict, Mapping):
        remedy = ": give its .state_dict()" if hasattr(state_dict, "state_dict") else ""
        raise TypeError(f"from_state_dict: state_dict is a {type(state_dict).__name__}, expected a dict{remedy}")
    for name in state_dict:
        if not isinstance(name, str):
            raise TypeError(f"from_state_dict: the name {name!r} is a {type(name).__name__}, expected a str")
    given = {name: _array(name, value) for name, value in state_dict.items() if name.split(".")[-1] != IGNORED}
    _check_dtypes(given)
    _check_names(model, entries, given)
    _check_shapes(model, entries, given, whole(model, model.init(np.random.default_rng(0), shape)))
    arrays = {entry.path: entry.from_torch(given[entry.name]) for entry in entries}
    _check_shared(model, entries, arrays)
    states = parameters_below(model)
    params: Params = {}
    for path, array in arrays.items():
        if not isinstance(states.get(path), Tie) and not _is_fixed(model, path):
            params = with_entry(params, path, array)
    return params


def _array(name: str, value: Any) -> np.ndarray:
    """Return the NumPy array of an entry; of a tensor a view, without an import of PyTorch."""
    if type(value) in ARRAYS:
        return value
    if not hasattr(value, "detach"):
        raise TypeError(f"from_state_dict: {name} is {not_an_array(value)}, or a tensor")
    if str(value.dtype) not in {f"torch.{dtype}" for dtype in FLOATS}:
        raise TypeError(f"from_state_dict: {name} is {value.dtype}, expected float32 or float64: convert with .float()")
    return np.asarray(value.detach().cpu().numpy())


def _check_dtypes(given: Mapping[str, np.ndarray]) -> None:
    first: str | None = None
    for name, array in given.items():
        first = first or name
        if array.dtype not in FLOATS or array.dtype != given[first].dtype:
            others = "" if name == first else f", and {first} is {given[first].dtype}"
            expected = "expected all float32 or all float64: nothing is promoted"
            raise TypeError(f"from_state_dict: {name} is {array.dtype}{others}; {expected}")


def _check_names(model: Layer, entries: list[Entry], given: Mapping[str, np.ndarray]) -> None:
    names = [entry.name for entry in entries]
    problems = [f"{name} is missing" for name in names if name not in given]
    problems += [f"{name} is unexpected" for name in given if name not in set(names)]
    if problems:
        raise StructureError(_listed(problems), (), model.name)


def _check_shapes(model: Layer, entries: list[Entry], given: Mapping[str, np.ndarray], template: Params) -> None:
    problems = []
    for entry in entries:
        like = entry_at(template, entry.path)  # statistics, which init does not make, have the shape of w
        like = entry_at(template, (*entry.path[:-1], "w")) if like is None else like
        expected, shape = entry.to_torch(like).shape, given[entry.name].shape
        if shape != expected:
            problems.append(f"{entry.name} has shape {shape}, expected {expected}")
    if problems:
        raise ShapeError(_listed(problems), (), model.name)


def _check_shared(model: Layer, entries: list[Entry], arrays: Mapping[Path, np.ndarray]) -> None:
    """Raise `ShapeError` unless bound entries are what they are bound to, and tied ones equal."""
    states, problems = parameters_below(model), []
    fixed = whole(model, {})
    for entry in entries:
        state, array = states.get(entry.path), arrays[entry.path]
        if isinstance(state, Tie):
            if not np.array_equal(array, as_target(arrays[state.source], state), equal_nan=True):
                problems.append(f"{entry.name} is tied to {text_of(state)}, and the two differ")
        elif _is_fixed(model, entry.path):
            bound = entry_at(fixed, entry.path)
            if array.dtype != bound.dtype or not np.array_equal(array, bound, equal_nan=True):
                problems.append(f"{entry.name} is bound to other numbers in the model: convert for the unbound model")
    if problems:
        raise ShapeError(_listed(problems), (), model.name)


def _is_fixed(model: Layer, path: Path) -> bool:
    for name in path[:-1]:
        model = dict(model.parts)[name]
    return path[-1] in model.fixed


def _listed(problems: list[str]) -> str:
    return "the state dict does not fit the model:" + "".join(f"\n  {problem}" for problem in problems)
