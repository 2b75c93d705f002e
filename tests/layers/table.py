"""The table of all layers: a new layer needs one row here, and every test of `test_every_layer*.py` holds for it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from functional_nn import Layer, layers
from tests.layers import references
from tests.layers.references import of_each_entry


def smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Inputs for a layer that has a derivative everywhere."""
    return 2.0 * rng.standard_normal(shape)


def apart(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Inputs for a layer with kinks at 0 or at ties: all different, none near zero."""
    size = int(np.prod(shape))
    return 6.0 * (rng.permutation(size).reshape(shape) + 0.5 - size // 2) / max(size, 1)


def below_three(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers of an embedding's rows."""
    return rng.integers(0, 3, shape)


class Row(NamedTuple):
    """A layer and what it is compared with.

    - `make(**arguments)`: the public constructor, or what returns the public layer where it takes no arguments.
    - `reference(params, x, **arguments)`: the naive definition.
    - `cases`: draws `(arguments, input_shape)` that fit each other; `inputs`: draws x.
    - `inference(rng, params)`: the parameters that `apply` takes, where they are not those of `vjp`.
    - `magnifies(x, **arguments)`: how many times the layer magnifies rounding on its way to dx.
    - `has_dx`: x has a derivative; where it has none, x holds whole numbers.
    - `but`: the laws that do not hold by the layer's nature, by their tests' names.
    """

    make: Callable[..., Layer]
    reference: Callable[..., np.ndarray]
    cases: st.SearchStrategy
    inputs: Callable[..., np.ndarray] = smooth
    inference: Callable[..., dict[str, np.ndarray]] = lambda rng, params: params
    magnifies: Callable[..., float] = lambda x, **arguments: 1.0
    has_dx: bool = True
    but: frozenset[str] = frozenset()


sizes = st.integers(1, 3)
any_shape = st.lists(st.integers(1, 4), max_size=3).map(tuple)
no_arguments = st.tuples(st.just({}), any_shape)
margins = st.integers(0, 2)
paddings = margins | st.tuples(st.tuples(margins, margins), st.tuples(margins, margins))
pairs = sizes | st.tuples(sizes, sizes)


def activation(layer, formula, inputs=smooth) -> Row:
    return Row(lambda: layer, of_each_entry(formula), no_arguments, inputs)


@st.composite
def windows(draw, name, *, padded=False, **others):
    """Draw a window with its stride and padding, and an image into which it fits: overlaps, gaps and remainders."""
    window = draw(pairs)
    kh, kw = (window, window) if isinstance(window, int) else window
    arguments = {name: window, **{key: draw(strategy) for key, strategy in others.items()}}
    arguments |= draw(
        st.fixed_dictionaries({}, optional={"stride": pairs, **({"padding": paddings} if padded else {})})
    )
    padding = arguments.get("padding", 0)
    (top, bottom), (left, right) = ((padding,) * 2,) * 2 if isinstance(padding, int) else padding
    h = draw(st.integers(max(1, kh - top - bottom), kh + 4))
    w = draw(st.integers(max(1, kw - left - right), kw + 4))
    return arguments, (h, w, draw(sizes))


@st.composite
def grouped_windows(draw):
    """Draw a convolution in groups, depthwise among them, with holes."""
    groups, (kh, kw) = draw(st.integers(1, 3)), draw(st.tuples(sizes, sizes))
    dh, dw = draw(st.tuples(sizes, sizes))
    arguments = {"filters": groups * draw(st.integers(1, 2)), "kernel": (kh, kw), "groups": groups}
    arguments |= {"dilation": (dh, dw), "stride": draw(pairs), "padding": draw(paddings)}
    h, w = (kh - 1) * dh + draw(sizes), (kw - 1) * dw + draw(sizes)
    return arguments, (h, w, groups * draw(st.integers(1, 2)))


def divided_by(parts):
    """The `magnifies` of a norm, which divides by the deviation of each of `parts(x, **arguments)`, twice for dx."""

    def magnifies(x, epsilon=1e-5, **arguments):
        variances = parts(x.astype(np.float64), **arguments).var(axis=-1)
        return float(np.max(1.0 / (variances[variances > 0.0] + epsilon), initial=1.0))

    return magnifies


def vectors(x):
    return x


def in_groups(x, groups):
    return np.moveaxis(x.reshape(len(x), -1, groups, x.shape[-1] // groups), 2, 1).reshape(len(x), groups, -1)


def by_channel(x):
    return x.reshape(-1, x.shape[-1]).T


@st.composite
def crops(draw):
    """Draw a transposed convolution that leaves something of its output: overlaps, gaps, and margins that cut deep."""
    (kh, kw), (sh, sw) = draw(st.tuples(sizes, sizes)), draw(st.tuples(sizes, sizes))
    h, w = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    rows, columns = (h - 1) * sh + kh, (w - 1) * sw + kw
    top, left = draw(st.integers(0, min(3, rows - 1))), draw(st.integers(0, min(3, columns - 1)))
    bottom, right = draw(st.integers(0, min(3, rows - 1 - top))), draw(st.integers(0, min(3, columns - 1 - left)))
    arguments = {"filters": draw(sizes), "kernel": (kh, kw), "stride": (sh, sw)}
    return {**arguments, "padding": ((top, bottom), (left, right))}, (h, w, draw(sizes))


def with_statistics(rng: np.random.Generator, params: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add a mean and a variance to a batch norm's parameters."""
    shape, dtype = params["w"].shape, params["w"].dtype
    statistics = {"mean": rng.standard_normal(shape).astype(dtype), "var": (0.5 + rng.random(shape)).astype(dtype)}
    for array in statistics.values():
        array.flags.writeable = False
    return {**params, **statistics}


VJP_IS_APPLY = "test_output_of_vjp_is_that_of_apply"
EXAMPLES_ARE_APART = "test_examples_of_a_batch_do_not_see_each_other"
IS_ADJOINT = "test_pullback_is_the_adjoint"
channels = st.integers(1, 4)
positions = st.lists(st.integers(1, 3), max_size=2)
epsilons = st.fixed_dictionaries({}, optional={"epsilon": st.sampled_from([1e-5, 0.1])})


@st.composite
def normed(draw, **others):
    """Draw a norm's arguments, and an input of vectors, sequences or images; `groups` divides the channels."""
    arguments = {**draw(epsilons), **{key: draw(strategy) for key, strategy in others.items()}}
    return arguments, (*draw(positions), draw(channels) * arguments.get("groups", 1))


@st.composite
def reshaped(draw):
    """Draw a shape, and an input of as many entries in another order."""
    shape = draw(any_shape)
    return {"shape": tuple(shape)}, tuple(draw(st.permutations(shape)))


ROWS = {
    "sigmoid": activation(layers.sigmoid, references.sigmoid),
    "tanh": activation(layers.tanh, references.tanh),
    "scaled_tanh": activation(layers.scaled_tanh, references.scaled_tanh),
    "relu": activation(layers.relu, references.relu, apart),
    "silu": activation(layers.silu, references.silu),
    "softplus": activation(layers.softplus, references.softplus),
    "asinh_unit": activation(layers.asinh_unit, references.asinh_unit),
    "leaky_relu": Row(
        layers.leaky_relu,
        of_each_entry(references.leaky_relu),
        st.tuples(st.fixed_dictionaries({"slope": st.sampled_from([-0.5, 0.0, 0.01, 0.3, 2.0])}), any_shape),
        apart,
    ),
    "dense": Row(
        layers.dense,
        references.dense,
        st.tuples(st.fixed_dictionaries({"units": sizes}), st.tuples(st.integers(1, 6))),
    ),
    "conv2d": Row(layers.conv2d, references.conv2d, windows("kernel", padded=True, filters=sizes) | grouped_windows()),
    "conv2d_transpose": Row(
        layers.conv2d_transpose,
        references.conv2d_transpose,
        crops() | st.tuples(st.fixed_dictionaries({"filters": sizes, "kernel": pairs}), st.tuples(sizes, sizes, sizes)),
    ),
    "gelu": activation(layers.gelu, references.gelu),
    "layer_norm": Row(layers.layer_norm, references.layer_norm, normed(), magnifies=divided_by(vectors)),
    "group_norm": Row(layers.group_norm, references.group_norm, normed(groups=sizes), magnifies=divided_by(in_groups)),
    "batch_norm": Row(
        layers.batch_norm,
        references.batch_norm,
        normed(),
        inference=with_statistics,
        magnifies=divided_by(by_channel),
        but=frozenset({VJP_IS_APPLY, EXAMPLES_ARE_APART}),
    ),
    "dropout": Row(
        layers.dropout,
        references.dropout,
        st.tuples(st.fixed_dictionaries({"drop_rate": st.sampled_from([0.0, 0.2, 0.5, 0.9])}), any_shape),
        but=frozenset({VJP_IS_APPLY, EXAMPLES_ARE_APART}),
    ),
    "embedding": Row(
        layers.embedding,
        references.embedding,
        st.tuples(st.fixed_dictionaries({"entries": st.integers(3, 5), "features": sizes}), positions.map(tuple)),
        below_three,
        has_dx=False,
        but=frozenset({IS_ADJOINT}),  # test_embedding.py checks its gradients
    ),
    "max_pool": Row(layers.max_pool, references.max_pool, windows("window"), apart),
    "avg_pool": Row(layers.avg_pool, references.avg_pool, windows("window")),
    "global_avg_pool": Row(
        layers.global_avg_pool, references.global_avg_pool, st.tuples(st.just({}), st.tuples(sizes, sizes, sizes))
    ),
    "reshape": Row(layers.reshape, references.reshape, reshaped()),
    "flatten": Row(layers.flatten, references.flatten, no_arguments),
    "zero_pad": Row(
        layers.zero_pad,
        references.zero_pad,
        st.tuples(st.fixed_dictionaries({"padding": paddings}), st.tuples(sizes, sizes, sizes)),
    ),
    "upsample": Row(
        layers.upsample,
        references.upsample,
        st.tuples(st.fixed_dictionaries({"factor": pairs}), st.tuples(sizes, sizes, sizes)),
    ),
}
