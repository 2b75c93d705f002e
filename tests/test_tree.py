"""Pytrees: what is visited, in which order, and what comes back."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import tree
from tests.refusals import refused


class Point(NamedTuple):
    x: Any
    y: Any


arrays = st.builds(
    lambda shape, first: first + np.arange(float(np.prod(shape))).reshape(shape),
    st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple),
    st.integers(-5, 5),
)
trees = st.recursive(
    arrays | st.none(),
    lambda children: (
        st.dictionaries(st.text("abc", min_size=1, max_size=2), children, max_size=3)
        | st.lists(children, max_size=3)
        | st.lists(children, max_size=3).map(tuple)
        | st.builds(Point, children, children)
    ),
    max_leaves=8,
)


def same(a, b):
    """Equality of trees written without the library."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return a is None or (a.dtype == b.dtype and np.array_equal(a, b))


@given(trees)
def test_map_of_the_identity_is_the_tree(t):
    mapped = tree.map(lambda leaf: leaf, t)
    assert same(mapped, t)


@given(trees)
def test_flatten_and_unflatten_are_inverse(t):
    leaves, unflatten = tree.flatten(t)
    assert same(unflatten(leaves), t)
    with refused(ValueError, f"unflatten: the tree has {len(leaves)} leaves, got {len(leaves) + 1}"):
        unflatten([*leaves, 0.0])


@given(trees)
def test_ravel_and_unravel_are_inverse(t):
    vector, unravel = tree.ravel(t)
    assert vector.ndim == 1
    assert len(vector) == tree.size(t)
    assert same(unravel(vector), t)
    doubled = unravel(2.0 * vector)
    assert same(doubled, tree.map(lambda leaf: 2.0 * leaf, t))
    assert not any(np.shares_memory(leaf, vector) for leaf in tree.leaves(unravel(vector)))


@given(trees)
def test_leaves_items_and_flatten_visit_alike(t):
    leaves = tree.leaves(t)
    assert [id(leaf) for _, leaf in tree.items(t)] == [id(leaf) for leaf in leaves]
    assert [id(leaf) for leaf in tree.flatten(t)[0]] == [id(leaf) for leaf in leaves]
    assert tree.size(t) == sum(leaf.size for leaf in leaves)


@given(trees)
def test_zeros_have_the_trees_shapes_and_dtypes(t):
    assert same(tree.zeros_like(t), tree.map(lambda leaf: 0.0 * leaf, t))


def test_paths_join_keys_indices_and_fields():
    t = {"c1": {"w": 1.0, "b": 2.0}, "a": [3.0, (4.0, None)], "p": Point(x=5.0, y={"z": 6.0})}
    assert tree.items(t) == [("a.0", 3.0), ("a.1.0", 4.0), ("c1.b", 2.0), ("c1.w", 1.0), ("p.x", 5.0), ("p.y.z", 6.0)]
    assert tree.items(7.0) == [("", 7.0)]
    assert tree.items({"a": {}, "b": None, "c": []}) == []


def test_dicts_are_visited_in_sorted_order_whatever_their_own():
    assert tree.leaves({"b": 1, "a": 2}) == tree.leaves({"a": 2, "b": 1}) == [2, 1]


def test_map_takes_several_trees():
    a, b = {"w": np.ones(2), "s": 1.0}, {"s": 2.0, "w": np.full(2, 3.0)}
    total = tree.map(lambda x, y: x + y, a, b)
    assert total["s"] == 3.0
    assert total["w"].tolist() == [4.0, 4.0]


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ({"c1": {"w": 1}}, {"c1": {"v": 1}}, "c1: dict with w against dict with v"),
        ({"c1": {"w": 1}}, {"c1": 1}, r"c1: dict with w against a leaf \(int\)"),
        ({"c1": {"w": 1}}, {"c1": {"w": {"deep": 1}}}, r"c1\.w: a leaf \(int\) against dict with deep"),
        ([1, 2], [1, 2, 3], "the root: list with 0, 1 against list with 0, 1, 2"),
        ([1, [2]], (1, [2]), "the root: list with 0, 1 against tuple with 0, 1"),
        ({"p": Point(1, 2)}, {"p": (1, 2)}, "p: Point with x, y against tuple with 0, 1"),
        ({"a": None}, {"a": 1}, "a: NoneType with nothing against a leaf"),
        ({"a": np.ones(1)}, {"a": {"w": np.ones(1)}}, r"a: a leaf \(ndarray\) against dict with w"),
    ],
)
def test_trees_that_do_not_match_are_refused_by_path(a, b, path):
    with pytest.raises(TypeError, match=f"^trees differ at {path}"):
        tree.map(lambda x, y: x, a, b)


def test_ravel_refuses_a_mix_of_dtypes_by_path():
    with refused(TypeError, "ravel: c1.b is float64, c1.w is float32; convert one"):
        tree.ravel({"c1": {"w": np.ones(1, np.float32), "b": np.ones(1)}})


def test_ravel_keeps_float32_and_unravel_takes_another_dtype():
    vector, unravel = tree.ravel({"w": np.ones((2, 2), np.float32)})
    assert vector.dtype == np.float32
    assert unravel(vector.astype(np.float64))["w"].dtype == np.float64
    assert unravel(vector.astype(complex))["w"].dtype == complex
    for wrong in (np.ones(5), np.ones((2, 2)), np.ones(0)):
        with refused(ValueError, f"unravel: expected a vector of shape (4,), got {wrong.shape}"):
            unravel(wrong)


def test_numbers_are_leaves():
    assert tree.size({"step": 3, "w": np.ones((2, 3))}) == 7
    assert tree.ravel([1.0, 2.0])[0].tolist() == [1.0, 2.0]


def test_a_tree_is_described_in_a_line():
    ones = np.ones((2, 3))
    assert tree.describe({}) == tree.describe({"a": None}) == "nothing"
    assert tree.describe(ones) == "6 numbers in 1 leaf: the root"
    six = {"b": [ones, 1.0], "a": ones, "c": {"d": ones, "e": ones, "f": ones}}
    assert tree.describe(six) == "31 numbers in 6 leaves: a, b.0, b.1, c.d, c.e, c.f"
    assert tree.describe({**six, "g": np.ones(1000)}) == "1,031 numbers in 7 leaves: a, b.0, b.1, ..., c.f, g"


def test_inputs_are_not_written():
    leaf = np.arange(3.0)
    leaf.flags.writeable = False
    t = {"b": [leaf], "a": leaf}
    tree.map(lambda x: x + 1.0, t)
    vector, unravel = tree.ravel(t)
    vector[...] = 7.0
    tree.zeros_like(t)["a"][...] = 9.0
    unravel(vector)["b"][0][...] = 5.0
    assert list(t) == ["b", "a"]
    assert leaf.tolist() == [0.0, 1.0, 2.0]


@given(trees, st.sampled_from([np.float16, np.float32, np.float64]))
def test_cast_changes_the_dtype_of_every_array_and_nothing_else(t, dtype):
    result = tree.cast(t, dtype)
    assert same(result, tree.map(lambda leaf: leaf.astype(dtype), t))


def test_cast_leaves_whole_numbers_booleans_and_pythons_numbers():
    labels, mask = np.array([1, 2]), np.array([True])
    t = {"p": Point(np.ones(2), labels), "mask": mask, "rate": 0.1, "step": 3, "flag": True, "scalar": np.float64(0.5)}
    result = tree.cast(t, np.float32)
    assert result["p"].x.dtype == np.float32
    assert result["p"].y is labels
    assert result["mask"] is mask
    assert type(result["scalar"]) is np.float32
    assert [result[key] for key in ("rate", "step", "flag")] == [0.1, 3, True]
    assert type(result["rate"]) is float


def test_cast_keeps_arrays_of_that_dtype_and_the_order_of_memory():
    w = np.ones((2, 3), np.float32)
    assert tree.cast({"w": w}, "float32")["w"] is w
    assert tree.cast(np.ones((2, 3)).T, np.float32).flags.f_contiguous


@pytest.mark.parametrize("dtype", [np.int64, np.complex128, bool, object, "U4"])
def test_cast_refuses_a_dtype_of_no_floats(dtype):
    with pytest.raises(TypeError, match=r"cast: dtype is .*expected floats, such as np\.float32"):
        tree.cast({"w": np.ones(1)}, dtype)


@pytest.mark.parametrize(
    ("leaf", "noun"),
    [
        ("name", "a str"),
        (np.array(["a"]), "an array of <U1"),
        (np.ones(1, complex), "an array of complex128"),
        (1j, "a complex"),
        (len, "a builtin_function_or_method"),
    ],
)
def test_cast_names_the_leaf_that_is_no_real_number(leaf, noun):
    with pytest.raises(TypeError, match=rf"cast: c1\.w is {noun}, expected real numbers"):
        tree.cast({"c1": {"w": leaf}}, np.float32)


def test_cast_refuses_numbers_beyond_the_range_and_keeps_infinities():
    with pytest.raises(ValueError, match=r"cast: w\.1 has a number beyond the range of float32"):
        tree.cast({"w": [np.ones(1), np.array([1.0, 1e300])]}, np.float32)
    assert tree.cast(np.array([np.inf, 1e-300]), np.float32).tolist() == [np.inf, 0.0]


@given(trees)
def test_allclose_holds_of_a_tree_and_itself_and_of_none_that_is_moved(t):
    assert tree.allclose(t, tree.map(np.copy, t))
    moved = tree.map(lambda leaf: leaf + 1e-3, t)
    assert tree.allclose(t, moved) == (tree.size(t) == 0)
    assert tree.allclose(t, moved, rtol=0.0, atol=2e-3)


def test_allclose_measures_by_the_second_tree_as_numpy_does():
    assert tree.allclose({"w": np.array(0.0)}, {"w": np.array(1.0)}, rtol=1.0, atol=0.0)
    assert not tree.allclose({"w": np.array(1.0)}, {"w": np.array(0.0)}, rtol=1.0, atol=0.0)


def test_allclose_finds_one_number_in_any_leaf():
    a = {"c1": {"w": np.ones((2, 2)), "b": np.zeros(2)}, "step": 3}
    assert not tree.allclose(a, {**a, "step": 4})
    for at in np.ndindex(2, 2):
        other = a["c1"]["w"].copy()
        other[at] += 1e-4
        assert not tree.allclose(a, {**a, "c1": {**a["c1"], "w": other}})


def test_allclose_holds_over_dtypes_and_for_equal_infinities_but_not_for_nan():
    assert tree.allclose([np.array([0.1, np.inf])], [np.array([0.1, np.inf], np.float32)])
    assert not tree.allclose([np.array([np.nan])], [np.array([np.nan])])
    assert not tree.allclose([np.array([np.inf])], [np.array([-np.inf])])


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ({"c1": {"w": np.ones(1)}}, {"c1": {"v": np.ones(1)}}, r"trees differ at c1: dict with w against dict with v"),
        ({"w": np.ones((1, 2))}, {"w": np.ones(2)}, r"trees differ at w: shape \(1, 2\) against \(2,\)"),
        ({"w": np.ones(1)}, {"w": 1.0}, r"trees differ at w: shape \(1,\) against \(\)"),
        ([np.zeros(1), np.ones(2)], [np.ones(1), np.ones(3)], r"trees differ at 1: shape"),  # whatever the values
        ([np.ones(1)], (np.ones(1),), r"trees differ at the root: list with 0 against tuple with 0"),
        ({"w": "a"}, {"w": "a"}, r"allclose: w is a str, expected numbers"),
        ({"w": np.array(["a"])}, {"w": np.array(["a"])}, r"allclose: w is an array of <U1, expected numbers"),
    ],
)
def test_allclose_refuses_trees_of_other_structure_by_path(a, b, message):
    with pytest.raises(TypeError, match=message):
        tree.allclose(a, b)


def test_keys_that_cannot_be_sorted_are_named():
    mixed = {"a": np.ones(1), 2: np.ones(1)}
    for use in (tree.leaves, tree.items, lambda t: tree.map(abs, t), lambda t: tree.map_arrays(abs, t)):
        with refused(TypeError, "a tree's dict has the keys ['a', 2], expected keys of one type, such as names"):
            use(mixed)
