"""A tree of arrays as a vector a dtype: all come back, each starts on a cache line, and another tree is refused."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import tree
from functional_nn.parallel.flat import Flat
from tests.refusals import refused


class Pair(NamedTuple):
    one: object
    two: object


DTYPES = [np.float32, np.float64, np.int64, np.uint8, np.complex128]
SHAPES = [(), (1,), (3,), (0,), (2, 0, 3), (16,), (17,), (4, 5), (2, 3, 4)]


@st.composite
def leaves(draw):
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    numbers = np.asarray(100 * rng.standard_normal(draw(st.sampled_from(SHAPES))))
    array = numbers.astype(draw(st.sampled_from(DTYPES)))
    return np.asfortranarray(array) if draw(st.booleans()) else array


trees = st.recursive(
    leaves() | st.none(),
    lambda child: (
        st.dictionaries(st.sampled_from("abcd"), child, max_size=3)
        | st.lists(child, max_size=3)
        | st.builds(Pair, child, child)
        | st.tuples(child, child)
    ),
    max_leaves=8,
)


@given(trees)
def test_all_that_is_packed_comes_back(arrays):
    flat = Flat(arrays)
    back = flat.placed(flat.pack(arrays))
    tree.map_arrays(lambda a, b: np.testing.assert_array_equal(a, b, strict=True), arrays, back)


@given(trees)
def test_there_is_one_vector_a_dtype_of_the_layouts_size(arrays):
    flat = Flat(arrays)
    vectors = flat.pack(arrays)
    assert [((len(vector),), vector.dtype, None) for vector in vectors] == flat.layout
    assert {vector.dtype for vector in vectors} == {leaf.dtype for leaf in tree.leaves(arrays)}
    assert len(vectors) == len({leaf.dtype for leaf in tree.leaves(arrays)})


@given(trees)
def test_arrays_start_on_cache_lines_and_do_not_overlap(arrays):
    flat = Flat(arrays)
    vectors = flat.pack(arrays)
    spans = []
    for leaf in tree.leaves(flat.placed(vectors)):
        vector = next(vector for vector in vectors if vector.dtype == leaf.dtype)
        start = leaf.__array_interface__["data"][0] - vector.__array_interface__["data"][0]
        if leaf.size:
            assert start % 64 == 0
            spans.append((str(leaf.dtype), start, start + leaf.nbytes))
    for (dtype, _, end), (following, start, _) in zip(sorted(spans), sorted(spans)[1:], strict=False):
        assert dtype != following or end <= start


@given(trees)
def test_a_sum_of_vectors_is_the_sum_of_the_trees(arrays):
    flat = Flat(arrays)
    total = flat.placed([a + b for a, b in zip(flat.pack(arrays), flat.pack(arrays), strict=True)])
    tree.map_arrays(lambda a, b: np.testing.assert_array_equal(a + a, b, strict=True), arrays, total)


def test_a_pack_is_a_copy_and_what_is_placed_is_a_part_of_it():
    array = np.arange(3.0)
    flat = Flat({"w": array})
    (vector,) = flat.pack({"w": array})
    array[0] = 9.0
    assert vector[:3].tolist() == [0.0, 1.0, 2.0]
    placed = flat.placed([vector])["w"]
    vector[1] = 7.0
    assert placed.tolist() == [0.0, 7.0, 2.0]


def test_it_keeps_shapes_and_no_arrays():
    array = np.ones((500, 1000))
    assert sum(leaf.strides != (0, 0) for leaf in tree.leaves(Flat({"w": array})._like)) == 0


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"w": np.ones((2, 3), np.float32)}, "trees differ at the root: dict with b, w against dict with w"),
        (
            {"w": np.ones((3, 2), np.float32), "b": np.zeros(3)},
            "trees differ at w: float32 of shape (2, 3) against float32 of shape (3, 2)",
        ),
        (
            {"w": np.ones((2, 3), np.float32), "b": np.zeros(3, np.float32)},
            "trees differ at b: float64 of shape (3,) against float32 of shape (3,)",
        ),
        (
            {"w": np.ones((2, 3), np.float32), "b": 0.0},
            "b is an array in one tree and a float in another",
        ),
    ],
)
def test_another_tree_is_refused(other, message):
    flat = Flat({"w": np.ones((2, 3), np.float32), "b": np.zeros(3)})
    assert not flat.fits(other)
    with refused(TypeError, message):
        flat.pack(other)
    assert flat.fits({"w": np.zeros((2, 3), np.float32), "b": np.ones(3)})
