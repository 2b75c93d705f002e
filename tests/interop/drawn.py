"""Networks as `functional_nn.testing` draws them, with parameters and inputs, for comparison with other libraries."""

import numpy as np
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn.anatomy import leaf_layers
from functional_nn.testing import strategies

SHAPES = strategies.image_shapes() | strategies.vector_shapes()
SEEDS = st.integers(0, 2**32 - 1)


def is_public(model, shape):
    """Whether every leaf came from a constructor: the rows that are added to positions did not."""
    return all(leaf.layer.call is not None for leaf in leaf_layers(model, shape))


@st.composite
def networks(draw, n=3):
    """Draw a network of public layers, an input shape, parameters with statistics and a batch, in float64."""
    shape = draw(SHAPES)
    model = draw(strategies.networks(shape, keyed=True).filter(lambda model: is_public(model, shape)))
    return model, shape, *arrays_for(model, shape, draw(SEEDS), n)


def arrays_for(model, shape, seed, n=3, dtype=np.float64):
    """Parameters that are all noise, with the statistics of a batch, and another batch."""
    rng = np.random.default_rng(seed)
    params = fnn.tree.map(lambda p: p + 0.2 * rng.standard_normal(p.shape), model.init(rng, shape))
    params = fnn.tree.cast(params, dtype)
    batch, x = (rng.standard_normal((size, *shape)).astype(dtype) for size in (16, n))
    return fnn.statistics(model, params, batch), x


def in_float32(model, params, x):
    """The output in float32, and its distance from that in float64; both to the output's scale."""
    exact = model.apply(params, x)
    y = model.apply(fnn.tree.cast(params, np.float32), x.astype(np.float32))
    return y, distance(y, exact)


def distance(y, expected):
    """The largest difference, to the output's scale."""
    scale = np.abs(expected).max(initial=0.0) or 1.0
    return float(np.abs(y.astype(np.float64) - expected).max(initial=0.0) / scale)
