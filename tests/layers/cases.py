"""One example of a layer at work: the layer, parameters, a batch and a cotangent, drawn for a row of the table."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from functional_nn import Layer, tree
from tests.layers.table import Row

KEY = (3,)  # for the layers that draw


@dataclass(frozen=True)
class Case:
    """A layer with arrays that fit it; all of them are read-only, so a test need not ask who writes to them."""

    row: Row
    arguments: dict[str, Any]
    layer: Layer
    params: dict[str, Any]
    x: np.ndarray
    dy: np.ndarray
    inference: dict[str, Any]

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the parameters and of all that comes out."""
        return self.dy.dtype

    def vjp(self, params=None, x=None):
        """The training pass, with a key, and with dx where x has one."""
        params, x = self.params if params is None else params, self.x if x is None else x
        return self.layer.vjp(params, x, key=KEY, wrt_x=self.row.has_dx)

    def run(self):
        """All that the training pass gives: y, dparams and dx, which is None where x has none."""
        y, pullback = self.vjp()
        return y, *pullback(self.dy)

    def expected(self) -> np.ndarray:
        """What the naive reference makes of it, in float64."""
        params = tree.map(lambda p: p.astype(np.float64), self.inference)
        return self.row.reference(params, self.x.astype(np.float64), **self.arguments)

    def as_type(self, dtype) -> "Case":
        params, x, dy, inference = tree.map(
            lambda a: frozen(a.astype(dtype if a.dtype.kind == "f" else a.dtype)),
            (self.params, self.x, self.dy, self.inference),
        )
        return Case(self.row, self.arguments, self.layer, params, x, dy, inference)

    def tolerance(self) -> float:
        """What rounding may do to an entry of an output or a gradient.

        A sum of k terms has an error of about sqrt(k) eps of its largest term, and no sum has more terms than x and dy
        have entries together; a few operations on each entry come to that.
        """
        size = 1.0 + max(float(np.abs(a).max(initial=0.0)) for a in (self.x, self.dy))
        weight = 1.0 + max((float(np.abs(p).max(initial=0.0)) for p in tree.leaves(self.inference)), default=0.0)
        terms = 8.0 + math.sqrt(self.x.size + self.dy.size)
        magnified = self.row.magnifies(self.x, **self.arguments)
        return magnified * terms * float(np.finfo(self.dtype).eps) * size * max(size, weight)


SOME_EXAMPLES = st.integers(1, 3)


@st.composite
def cases(draw, row: Row, dtypes=(np.float64, np.float32), examples=SOME_EXAMPLES) -> Case:
    arguments, input_shape = draw(row.cases)
    dtype = draw(st.sampled_from(dtypes))
    n = draw(examples)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layer = row.make(**arguments)
    params = layer.init(rng, input_shape)
    params = tree.map(lambda p: frozen((p + 0.5 * rng.standard_normal(p.shape)).astype(dtype)), params)
    x = row.inputs(rng, (n, *input_shape)).astype(dtype if row.has_dx else np.int64)
    dy = rng.standard_normal((n, *layer.output_shape(input_shape))).astype(dtype)
    return Case(row, arguments, layer, params, frozen(x), frozen(dy), row.inference(rng, params))


@st.composite
def memory_orders(draw, array: np.ndarray) -> np.ndarray:
    """Draw an equal array that lies differently in memory: axes in any order, reversed, or with gaps between."""
    axes = draw(st.permutations(range(array.ndim)))
    steps = [draw(st.sampled_from([1, -1, 2, -2])) for _ in axes]
    shape = [abs(step) * array.shape[axis] for axis, step in zip(axes, steps, strict=True)]
    spread = np.full(shape, np.nan if array.dtype.kind == "f" else 99, array.dtype)
    view = spread[tuple(slice(None, None, step) for step in steps)]
    view = view.transpose(np.argsort(axes)) if array.ndim else view
    view[...] = array
    return frozen(view)


def frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
