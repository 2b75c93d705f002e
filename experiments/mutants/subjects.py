"""Every public layer, combinator and loss, with random configurations and inputs; a new one needs one entry here.

An entry takes the library as an argument, so that the same entry makes the right layer, and from a copy of the library
with a mutant in it the wrong one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from experiments.mutants.cases import Case, LayerCase, Library, LossCase
from functional_nn import Layer, keys, tree
from functional_nn.losses import Loss

Make = Callable[[Any, np.random.Generator], tuple[Layer, tuple[int, ...]]]


def draw_case(name: str, seed: keys.Key, library: Library) -> Case:
    """Return the case of this seed; another copy of the library gives the same case with its own functions."""
    rng = keys.generator(seed)
    if name in LOSSES:
        return LossCase(*LOSSES[name](library, rng))
    subject = LAYERS[name]
    layer, shape = subject.make(library, rng)
    params = tree.map(lambda p: _frozen(p + 0.5 * rng.standard_normal(p.shape)), layer.init(rng, shape))
    x = 2.0 * rng.standard_normal((_size(rng), *shape))
    return LayerCase(layer, params, _frozen(x), subject.draws)


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _size(rng: np.random.Generator, least: int = 1, most: int = 4) -> int:
    return int(rng.integers(least, most + 1))


def _pair(rng: np.random.Generator, least: int = 1, most: int = 3) -> tuple[int, int]:
    """Return a pair; every second one has equal numbers."""
    first = _size(rng, least, most)
    return (first, first) if rng.random() < 0.5 else (first, _size(rng, least, most))


def _any_shape(rng: np.random.Generator) -> tuple[int, ...]:
    side = _size(rng)
    return tuple(side if rng.random() < 0.5 else _size(rng) for _ in range(int(rng.integers(1, 4))))


def _image(rng: np.random.Generator, least: tuple[int, int]) -> tuple[int, ...]:
    height, width = (_size(rng, side, side + 3) for side in least)
    return (height, height if rng.random() < 0.5 and height >= least[1] else width, _size(rng, 1, 3))


class Subject(NamedTuple):
    """`make(library, rng) -> (layer, input_shape)`; `draws` for a layer that needs a key to train."""

    make: Make
    draws: bool = False


def _elementwise(name: str) -> Subject:
    return Subject(lambda library, rng: (getattr(library.layers, name), _any_shape(rng)))


def _leaky_relu(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return library.layers.leaky_relu(float(rng.uniform(0.05, 0.5))), _any_shape(rng)


def _dense(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    features, units = _pair(rng, 2, 5)
    return library.layers.dense(units), (features,)


def _conv2d(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    kernel, stride = _pair(rng), _pair(rng)
    padding = (_pair(rng, 0, 2), _pair(rng, 0, 2))
    height, width, channels = _image(rng, kernel)
    filters = channels if rng.random() < 0.5 else _size(rng)
    return library.layers.conv2d(filters, kernel, stride=stride, padding=padding), (height, width, channels)


def _pool(name: str) -> Subject:
    def make(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
        window = _pair(rng)
        stride = None if rng.random() < 0.4 else _pair(rng)
        return getattr(library.layers, name)(window, stride=stride), _image(rng, window)

    return Subject(make)


def _grouped_conv2d(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    groups, kernel, dilation = _size(rng, 2, 3), _pair(rng, 1, 2), _pair(rng, 1, 2)
    layer = library.layers.conv2d(groups * _size(rng, 1, 2), kernel, groups=groups, dilation=dilation)
    return layer, (_size(rng, 3, 5), _size(rng, 3, 5), groups * _size(rng, 1, 2))


def _conv2d_transpose(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    kernel, stride = _pair(rng, 2, 3), _pair(rng, 1, 2)
    padding = (_pair(rng, 0, 1), _pair(rng, 0, 1))
    layer = library.layers.conv2d_transpose(_size(rng, 1, 3), kernel, stride=stride, padding=padding)
    return layer, _image(rng, (2, 2))


def _features(rng: np.random.Generator, channels: int) -> tuple[int, ...]:
    return (*_any_shape(rng)[:2], channels)


def _layer_norm(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return library.layers.layer_norm(0.1), _features(rng, _size(rng, 2, 4))


def _group_norm(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    groups = _size(rng, 1, 3)
    return library.layers.group_norm(groups, 0.1), _features(rng, groups * _size(rng, 2, 3))


def _batch_norm(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return library.layers.batch_norm(0.1), (_size(rng, 2, 4), _size(rng, 1, 4))


def _dropout(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return library.layers.dropout(float(rng.uniform(0.1, 0.6))), _any_shape(rng)


def _reshape(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    shape = _any_shape(rng)
    return library.layers.reshape(shape[::-1]), shape


def _global_avg_pool(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return library.layers.global_avg_pool(), _image(rng, (1, 1))


def _flatten(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return library.layers.flatten(), _any_shape(rng)


def _zero_pad(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return library.layers.zero_pad((_pair(rng, 0, 2), _pair(rng, 0, 2))), _image(rng, (1, 1))


def _upsample(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    return library.layers.upsample(_pair(rng)), _image(rng, (1, 1))


def _small(library: Any, rng: np.random.Generator, units: int) -> Layer:
    return library.compose.serial(f=library.layers.dense(units), a=library.layers.tanh)


def _serial(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    out = library.layers.dense(_size(rng))
    return library.compose.serial(a=_small(library, rng, _size(rng)), out=out), (_size(rng),)


def _residual(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    features, units = _pair(rng)
    shortcut = None if features == units else library.layers.dense(units)
    return library.compose.residual(_small(library, rng, units), shortcut), (features,)


def _branch(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    left, right = _pair(rng)
    parts = {"left": _small(library, rng, left), "middle": library.layers.sigmoid, "right": library.layers.dense(right)}
    return library.compose.branch(**parts), (_size(rng),)


def _bind(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    model, features = _small(library, rng, _size(rng)), _size(rng)
    fixed = {"w": rng.standard_normal(model.init(rng, (features,))["f"]["w"].shape)}
    return library.compose.bind(model, {"f": fixed}), (features,)


def _tie(library: Any, rng: np.random.Generator) -> tuple[Layer, tuple[int, ...]]:
    features, units = _pair(rng)
    dense = library.layers.dense
    model = library.compose.serial(f=dense(units), a=library.layers.tanh, g=dense(features), h=dense(units))
    return library.compose.tie(model, {"g.w": "f.w.T", "h": "f"}), (features,)


def _softmax_cross_entropy(library: Any, rng: np.random.Generator) -> tuple[Loss, np.ndarray, np.ndarray]:
    n, classes = _size(rng), _size(rng, 2, 5)
    targets = rng.integers(0, classes, n) if rng.random() < 0.5 else rng.random((n, classes))
    return library.losses.softmax_cross_entropy, _frozen(2.0 * rng.standard_normal((n, classes))), targets


def _mean_squared_error(library: Any, rng: np.random.Generator) -> tuple[Loss, np.ndarray, np.ndarray]:
    shape = (_size(rng), *_any_shape(rng))
    return library.losses.mean_squared_error, _frozen(rng.standard_normal(shape)), rng.standard_normal(shape)


def _labels(loss: Callable[[Any], Loss]) -> Callable[[Any, np.random.Generator], tuple[Loss, np.ndarray, np.ndarray]]:
    """Return how to draw a case of `loss(losses)`, a loss of four classes, with labels."""

    def make(library: Any, rng: np.random.Generator) -> tuple[Loss, np.ndarray, np.ndarray]:
        n = _size(rng)
        return loss(library.losses), _frozen(2.0 * rng.standard_normal((n, 4))), rng.integers(0, 4, n)

    return make


def _numbers(loss: Callable[[Any], Loss]) -> Callable[[Any, np.random.Generator], tuple[Loss, np.ndarray, np.ndarray]]:
    """Return how to draw a case of `loss(losses)`, a loss of numbers, with targets from 0 to 1."""

    def make(library: Any, rng: np.random.Generator) -> tuple[Loss, np.ndarray, np.ndarray]:
        shape = (_size(rng), _size(rng, 2, 5))
        return loss(library.losses), _frozen(2.0 * rng.standard_normal(shape)), rng.random(shape)

    return make


def _weighted(library: Any, rng: np.random.Generator) -> tuple[Loss, np.ndarray, np.ndarray]:
    n = _size(rng)
    targets = library.losses.weighted_targets(rng.integers(0, 4, n), rng.uniform(0.2, 3.0, n))
    loss = library.losses.weighted(library.losses.softmax_cross_entropy)
    return loss, _frozen(2.0 * rng.standard_normal((n, 4))), targets


LAYERS: dict[str, Subject] = {
    "sigmoid": _elementwise("sigmoid"),
    "tanh": _elementwise("tanh"),
    "scaled_tanh": _elementwise("scaled_tanh"),
    "relu": _elementwise("relu"),
    "leaky_relu": Subject(_leaky_relu),
    "silu": _elementwise("silu"),
    "softplus": _elementwise("softplus"),
    "asinh_unit": _elementwise("asinh_unit"),
    "dense": Subject(_dense),
    "conv2d": Subject(_conv2d),
    "conv2d in groups": Subject(_grouped_conv2d),
    "conv2d_transpose": Subject(_conv2d_transpose),
    "gelu": _elementwise("gelu"),
    "layer_norm": Subject(_layer_norm),
    "group_norm": Subject(_group_norm),
    "batch_norm": Subject(_batch_norm, draws=True),  # with a key the checker sees its training pass
    "dropout": Subject(_dropout, draws=True),
    "reshape": Subject(_reshape),
    "global_avg_pool": Subject(_global_avg_pool),
    "max_pool": _pool("max_pool"),
    "avg_pool": _pool("avg_pool"),
    "flatten": Subject(_flatten),
    "zero_pad": Subject(_zero_pad),
    "upsample": Subject(_upsample),
    "serial": Subject(_serial),
    "residual": Subject(_residual),
    "branch": Subject(_branch),
    "bind": Subject(_bind),
    "tie": Subject(_tie),
}
LOSSES: dict[str, Callable[[Any, np.random.Generator], tuple[Loss, np.ndarray, np.ndarray]]] = {
    "softmax_cross_entropy": _softmax_cross_entropy,
    "mean_squared_error": _mean_squared_error,
    "cross_entropy": _labels(lambda losses: losses.cross_entropy(0.2, (1.0, 2.0, 0.5, 3.0))),
    "hinge": _labels(lambda losses: losses.hinge(0.7)),
    "kl_divergence": _numbers(lambda losses: losses.kl_divergence),
    "sigmoid_cross_entropy": _numbers(lambda losses: losses.sigmoid_cross_entropy),
    "huber": _numbers(lambda losses: losses.huber(0.8)),
    "weighted": _weighted,
}
SUBJECTS = (*LAYERS, *LOSSES)
