"""Hypothesis strategies for what gradient checks need: shapes, parameters, inputs, labels and whole networks.

    @given(st.data())
    def test_my_layer(data):
        shape = data.draw(strategies.image_shapes())
        x = data.draw(strategies.kink_free(shape))
        check_vjp(my_layer, data.draw(strategies.params(my_layer, shape)), x)

Arrays are drawn from a seed that hypothesis draws, so that they are in general position (no zeros, no equal entries,
which are the inputs where derivatives jump) and large ones cost nothing; shapes and configurations shrink.
Needs hypothesis: `pip install -e '.[test]'` in a clone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from functional_nn import tree
from functional_nn.extras import needs_extra
from functional_nn.layer import Layer, Params, Shape
from functional_nn.testing.networks import draw_network

with needs_extra("test", "functional_nn.testing.strategies"):
    from hypothesis import strategies as st
    from hypothesis.vendor import pretty

__all__ = [
    "batches",
    "image_shapes",
    "kink_free",
    "labels",
    "networks",
    "params",
    "probabilities",
    "tie_free",
    "vector_shapes",
]

# a failing example shows the layer as its constructor's call; hypothesis would print the fields of any dataclass
pretty.for_type_by_name(Layer.__module__, Layer.__name__, lambda layer, printer, cycle: printer.text(repr(layer)))

AWAY = 1e-3  # how far kink-free inputs stay from 0, and tie-free ones from each other


def vector_shapes(max_features: int = 8) -> st.SearchStrategy[Shape]:
    """Shapes of vectors without the batch axis, (features,).

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.vector_shapes(3))
    ... def test(shape):
    ...     assert 1 <= shape[0] <= 3
    >>> test()
    """
    return st.tuples(st.integers(1, max_features))


def image_shapes(min_side: int = 2, max_side: int = 7, max_channels: int = 3) -> st.SearchStrategy[Shape]:
    """Shapes of images without the batch axis, (height, width, channels).

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.image_shapes(max_side=4))
    ... def test(shape):
    ...     assert layers.conv2d(2, 2).output_shape(shape)[2] == 2
    >>> test()
    """
    side = st.integers(min_side, max_side)
    return st.tuples(side, side, st.integers(1, max_channels))


def params(layer: Layer, input_shape: Shape, dtype: Any = np.float64) -> st.SearchStrategy[Params]:
    """Parameter trees of `layer` for inputs of `input_shape`: its own `init` and noise, so that biases are not zero.

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.params(layers.dense(2), (3,)))
    ... def test(params):
    ...     assert params["w"].shape == (3, 2) and params["b"].any()
    >>> test()
    """

    def draw_params(rng: np.random.Generator) -> Params:
        leaves, unflatten = tree.flatten(layer.init(rng, input_shape))
        drawn: Params = unflatten([(p + 0.1 * rng.standard_normal(np.shape(p))).astype(dtype) for p in leaves])
        return drawn

    return _generators().map(draw_params)


def batches(
    input_shape: Shape, *, min_size: int = 1, max_size: int = 4, dtype: Any = np.float64
) -> st.SearchStrategy[np.ndarray]:
    """Batches (n, *input_shape) of normally distributed numbers with n from `min_size` to `max_size`.

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.batches((2, 2, 1), max_size=3))
    ... def test(x):
    ...     assert x.shape[1:] == (2, 2, 1) and 1 <= len(x) <= 3
    >>> test()
    """
    return _arrays(input_shape, min_size, max_size, dtype, lambda rng, shape: rng.standard_normal(shape))


def kink_free(
    input_shape: Shape, *, min_size: int = 1, max_size: int = 4, dtype: Any = np.float64
) -> st.SearchStrategy[np.ndarray]:
    """Batches of numbers of both signs with sizes from 1e-3 to 3: no entry at the kink of a relu or an abs.

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.kink_free((4,)))
    ... def test(x):
    ...     assert (abs(x) >= 1e-3).all()
    >>> test()
    """

    def away_from_zero(rng: np.random.Generator, shape: Shape) -> np.ndarray:
        return np.asarray(rng.uniform(AWAY, 3.0, shape) * rng.choice((-1.0, 1.0), shape))

    return _arrays(input_shape, min_size, max_size, dtype, away_from_zero)


def tie_free(
    input_shape: Shape, *, min_size: int = 1, max_size: int = 4, dtype: Any = np.float64
) -> st.SearchStrategy[np.ndarray]:
    """Batches of numbers that differ from each other and from 0 by more than 1e-3: no ties under a max pool.

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.tie_free((4,)))
    ... def test(x):
    ...     assert np.unique(x).size == x.size
    >>> test()
    """

    def apart(rng: np.random.Generator, shape: Shape) -> np.ndarray:
        size = int(np.prod(shape))
        places = rng.permutation(size) - size // 2 + 0.5 + rng.uniform(-0.25, 0.25, size)
        return (places * max(4.0 / max(size, 1), 4.0 * AWAY)).reshape(shape)

    return _arrays(input_shape, min_size, max_size, dtype, apart)


def labels(n: int, classes: int) -> st.SearchStrategy[np.ndarray]:
    """Labels (n,) from 0 to `classes` - 1, int64.

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.labels(3, classes=10))
    ... def test(labels):
    ...     assert labels.shape == (3,) and labels.max() < 10
    >>> test()
    """
    return st.lists(st.integers(0, classes - 1), min_size=n, max_size=n).map(lambda drawn: np.array(drawn, np.int64))


def probabilities(n: int, classes: int, dtype: Any = np.float64) -> st.SearchStrategy[np.ndarray]:
    """Target rows (n, classes), positive, each of sum one.

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.probabilities(3, classes=10))
    ... def test(rows):
    ...     assert np.allclose(rows.sum(axis=1), 1)
    >>> test()
    """
    return _generators().map(lambda rng: rng.dirichlet(np.ones(classes), size=n).astype(dtype))


def networks(
    input_shape: Shape, *, max_parts: int = 4, nesting: int = 1, keyed: bool = False
) -> st.SearchStrategy[Layer]:
    """Networks for inputs of `input_shape`: up to `max_parts` layers in series, each fitting the one before.

    The layers are those of `functional_nn.layers`; up to `nesting` levels deep also residual blocks, with and without a
    shortcut, and branches of such networks. `keyed`: batch norm and dropout too, which draw or compute something else
    in training than in inference: check such a network with `check_vjp(..., key=0)`, on two examples or more.
    Embeddings look up fixed numbers, and their rows are added to the input.

    >>> from hypothesis import given
    >>> from functional_nn.testing import strategies
    >>> @given(strategies.networks((4,), max_parts=2))
    ... def test(network):
    ...     assert network.output_shape((4,))
    >>> test()
    """
    return st.composite(draw_network)(st, input_shape, max_parts, nesting, keyed)


def _arrays(
    input_shape: Shape,
    min_size: int,
    max_size: int,
    dtype: Any,
    fill: Callable[[np.random.Generator, Shape], np.ndarray],
) -> st.SearchStrategy[np.ndarray]:
    sizes = st.integers(min_size, max_size)
    return st.builds(lambda n, rng: fill(rng, (n, *input_shape)).astype(dtype), sizes, _generators())


def _generators() -> st.SearchStrategy[np.random.Generator]:
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)
