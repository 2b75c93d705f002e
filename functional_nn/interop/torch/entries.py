"""What stands in the state dict of a PyTorch network of the same structure: names, axes and orders.

| here | there |
|---|---|
| `w`, `b`, `mean`, `var` of the part `block.c1` | `block.c1.weight`, `bias`, `running_mean`, `running_var` |
| dense w (d_in, units) | `nn.Linear` (units, d_in) |
| conv2d w (kh, kw, c / groups, filters) | `nn.Conv2d` (filters, c / groups, kh, kw) |
| conv2d_transpose w (kh, kw, c, filters) | `nn.ConvTranspose2d` (c, filters, kh, kw) |
| embedding w (entries, features), the norms' w and b | the same |

`flatten` gives (height, width, channel) here and (channel, height, width) there; see `orders.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from functional_nn import layers
from functional_nn.compose import branch, residual, serial
from functional_nn.errors import LayerError
from functional_nn.interop.tables import find, keyed
from functional_nn.interop.torch.orders import Order, indices_in_torch
from functional_nn.layer import Layer, Shape, StructureError

__all__ = ["Entry", "entries_of"]

Path = tuple[str, ...]
SEVERAL_ORDERS = "the entries come in several orders in PyTorch, which flattens (channel, height, width)"


class Entry(NamedTuple):
    """A parameter at its path and its entry in the state dict; `orders` are those along our axes."""

    name: str
    path: Path
    axes: tuple[int, ...]
    orders: dict[int, Order]

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """Return the parameter in PyTorch's layout, a new array."""
        for axis, order in self.orders.items():
            array = array.take(order.indices, axis)
        return np.array(array.transpose(self.axes), order="C")

    def from_torch(self, array: np.ndarray) -> np.ndarray:
        """Return the parameter in our layout, a new array."""
        array = array.transpose(np.argsort(self.axes))
        for axis, order in self.orders.items():
            array = array.take(np.argsort(order.indices), axis)
        return np.array(array, order="C")


class Place(NamedTuple):
    """A layer within the model; `order` is that of its input where this is a vector, else None."""

    layer: Layer
    arguments: dict[str, Any]
    path: Path
    input_shape: Shape
    order: Order | None
    entries: list[Entry]

    @property
    def output_shape(self) -> Shape:
        return self.layer.output_shape(self.input_shape)

    def add(self, parameter: str, name: str, axes: tuple[int, ...] = (0,), **orders: Order | None) -> None:
        """Add an entry; `axis0` and `axis1` are the orders along our axes, None for ours."""
        along = {int(key.removeprefix("axis")): order for key, order in orders.items() if order is not None}
        self.entries.append(Entry(".".join((*self.path, name)), (*self.path, parameter), axes, along))

    def part(self, name: str, input_shape: Shape, order: Order | None) -> Order | None:
        """Add the entries of a part; return the order of its output."""
        return _entries(dict(self.layer.parts)[name], (*self.path, name), input_shape, order, self.entries)


Rule = Callable[[Place], Order | None]  # adds the layer's entries and returns the order of its output


def entries_of(model: Layer, input_shape: Shape) -> list[Entry]:
    """Return the entries of the model's whole state dict; raise `TypeError` for a layer that PyTorch lacks."""
    entries: list[Entry] = []
    order = Order(input_shape[0], indices_in_torch(input_shape)) if len(input_shape) == 1 else None
    try:
        _entries(model, (), input_shape, order, entries)
    except LayerError as error:
        error.leave(layer=model.name)
        raise
    return entries


def _entries(layer: Layer, path: Path, input_shape: Shape, order: Order | None, entries: list[Entry]) -> Order | None:
    found = find(RULES, layer)
    if found is None:
        raise StructureError(f"PyTorch has no layer like {layer!r}; its state dict holds the public layers alone", path)
    rule: Rule = found.entry
    return rule(Place(layer, found.arguments, path, input_shape, order, entries))


def _serial(at: Place) -> Order | None:
    shape, order = at.input_shape, at.order
    for name, part in at.layer.parts:
        order = at.part(name, shape, order)
        shape = part.output_shape(shape)
    return order


def _residual(at: Place) -> Order | None:
    body, *shortcut = [at.part(name, at.input_shape, at.order) for name, _ in at.layer.parts]
    other = shortcut[0] if shortcut else at.order
    if body is not None and other is not None and not body.join(other):
        raise StructureError(f"{SEVERAL_ORDERS}: put a dense layer between flatten and what is added", at.path)
    return body


def _branch(at: Place) -> Order | None:
    outputs = [(at.part(name, at.input_shape, at.order), part) for name, part in at.layer.parts]
    joined, size = [], 0
    for order, part in outputs:
        if order is None:
            return None
        order.settle(np.arange(order.size))  # if it is open
        joined.append(order.indices + size)
        size += part.output_shape(at.input_shape)[-1]
    return Order(size, np.concatenate(joined))


def _dense(at: Place) -> Order:
    order = Order(at.output_shape[0])
    at.add("w", "weight", axes=(1, 0), axis0=at.order, axis1=order)
    at.add("b", "bias", axis0=order)
    return order


def _conv2d(at: Place) -> None:
    at.add("w", "weight", axes=(3, 2, 0, 1))
    at.add("b", "bias")


def _conv2d_transpose(at: Place) -> None:
    at.add("w", "weight", axes=(2, 3, 0, 1))
    at.add("b", "bias")


def _embedding(at: Place) -> Order | None:
    order = Order(at.output_shape[0]) if len(at.output_shape) == 1 else None
    at.add("w", "weight", axes=(0, 1), axis1=order)
    return order


def _norm(at: Place) -> Order | None:
    at.add("w", "weight", axis0=at.order)
    at.add("b", "bias", axis0=at.order)
    return at.order


def _group_norm(at: Place) -> Order | None:
    if at.order is not None and at.arguments["groups"] > 1 and not at.order.settle(np.arange(at.order.size)):
        raise StructureError(f"{SEVERAL_ORDERS}, so its groups are others: normalize before flatten", at.path)
    return _norm(at)


def _batch_norm(at: Place) -> Order | None:
    _norm(at)
    at.add("mean", "running_mean", axis0=at.order)
    at.add("var", "running_var", axis0=at.order)
    return at.order


def _reshaped(at: Place) -> Order | None:
    shape = at.output_shape
    if at.order is not None:
        if len(shape) == 1 or at.order.settle(indices_in_torch(shape)):
            return at.order if len(shape) == 1 else None
    elif len(shape) == 1:
        return Order(shape[0], indices_in_torch(at.input_shape))
    elif np.array_equal(indices_in_torch(at.input_shape), indices_in_torch(shape)):
        return None
    problem = "PyTorch's images are (channels, height, width), and its reshape mixes other entries"
    raise StructureError(f"{problem}: {at.input_shape} to {shape} needs a dense layer or flatten before it", at.path)


def _same_order(at: Place) -> Order | None:
    return at.order


def _image(at: Place) -> None:
    return None


def _channel_means(at: Place) -> Order:
    return Order(at.output_shape[0], np.arange(at.output_shape[0]))


RULES: dict[Any, Any] = keyed(
    {
        serial: _serial,
        residual: _residual,
        branch: _branch,
        layers.dense: _dense,
        layers.conv2d: _conv2d,
        layers.conv2d_transpose: _conv2d_transpose,
        layers.embedding: _embedding,
        layers.layer_norm: _norm,
        layers.group_norm: _group_norm,
        layers.batch_norm: _batch_norm,
        layers.flatten: _reshaped,
        layers.reshape: _reshaped,
        layers.global_avg_pool: _channel_means,
        **dict.fromkeys((layers.max_pool, layers.avg_pool, layers.upsample, layers.zero_pad), _image),
        **dict.fromkeys((layers.dropout, layers.leaky_relu, layers.relu, layers.sigmoid, layers.tanh), _same_order),
        **dict.fromkeys((layers.scaled_tanh, layers.silu, layers.gelu, layers.softplus), _same_order),
        layers.asinh_unit: _same_order,
    }
)
