"""Arguments by their content: what values keep of them, when two are equal, how they print, and whether they pickle."""

import math
from collections import namedtuple
from functools import partial

import numpy as np
import pytest

from functional_nn import content
from tests.refusals import refused

Point = namedtuple("Point", ("x", "y"))


def area(x, y=1.0):
    return x * y


SAME = [
    ((1, 2.0, "a", None, True), (1, 2.0, "a", None, True)),
    ({"a": 1, "b": (2,)}, {"b": (2,), "a": 1}),
    (np.array([1.0, np.nan]), np.array([1.0, np.nan])),
    (np.array([np.nan + 1j]), np.array([np.nan + 1j])),
    (np.array(["a", "b"]), np.array(["a", "b"])),
    (partial(area, 2, y=3), partial(area, 2, y=3)),
    (({"w": np.ones(2)},), ({"w": np.ones(2)},)),
    (area, area),
    (math.nan, math.nan),  # the same object
]
DIFFERENT = [
    ((1, 2), (1, 3)),
    ((1, 2), (1, 2, 3)),
    ({"a": 1}, {"a": 2}),
    ({"a": 1}, {"b": 1}),
    ({"a": 1}, (("a", 1),)),
    (np.ones(2), np.ones(3)),
    (np.ones(2), np.array([1.0, 2.0])),
    (np.ones(2), np.ones(2, np.float32)),
    (np.ones(2), (1.0, 1.0)),
    ((1.0, 1.0), np.ones(2)),
    (np.ones(2), 1.0),
    (partial(area, 2), partial(area, 3)),
    (partial(area, y=2), partial(area, y=3)),
    (partial(area, 2), area),
    (area, math.fsum),
    (1, None),
]


@pytest.mark.parametrize(("a", "b"), SAME, ids=lambda value: content.show(value))
def test_equal_content_is_the_same_and_hashes_alike(a, b):
    assert content.same(a, b) is True
    assert content.hash_of(a) == content.hash_of(b)


@pytest.mark.parametrize(("a", "b"), DIFFERENT, ids=lambda value: content.show(value))
def test_different_content_is_not_the_same_either_way_round(a, b):
    assert content.same(a, b) is False
    assert content.same(b, a) is False


def test_what_is_kept_is_plain_and_cannot_change():
    w = np.arange(3.0)
    kept = content.plain({"a": [np.float32(0.5), [np.int64(2)]], "p": Point(np.float64(1), 2), "w": w, "f": area})
    assert kept["a"] == (0.5, (2,))
    assert (type(kept["a"][0]), type(kept["a"][1][0]), type(kept["p"])) == (float, int, Point)
    assert (kept["p"], kept["f"]) == (Point(1.0, 2), area)
    assert type(kept["p"].x) is float
    w[0] = 7.0
    assert kept["w"].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(ValueError, match="read-only"):
        kept["w"][0] = 1.0
    assert content.plain(kept["w"]) is kept["w"]  # what nobody can write to is no copy


def test_a_read_only_view_of_what_others_can_write_to_is_copied():
    w = np.arange(3.0)
    view = w[:]
    view.flags.writeable = False
    kept = content.plain(view)
    w[0] = 7.0
    assert kept.tolist() == [0.0, 1.0, 2.0]


def test_arguments_print_as_in_a_call():
    values = {"f": area, "w": np.ones((2, 3), np.float32), "one": (1,), "two": [1, "a"], "p": partial(area, 2, y=area)}
    text = "{'f': area, 'w': float32[2, 3], 'one': (1,), 'two': [1, 'a'], 'p': partial(area, 2, y=area)}"
    assert content.show(values) == text
    assert content.show(()) == "()"
    assert content.show((area, (area,))) == "(area, (area,))"
    assert content.show(Point(1, 2)) == "Point(x=1, y=2)"


@pytest.mark.parametrize(
    "hidden",
    [
        lambda f: f,
        lambda f: (1, f),
        lambda f: {"a": (f,)},
        lambda f: partial(area, f),
        lambda f: partial(f, 1),
        lambda f: partial(area, y=f),
    ],
)
def test_a_function_that_cannot_pickle_is_found_wherever_it_stands(hidden):
    def local():
        pass

    remedy = "to pickle it, define it by `def` at the top level of a module"
    with refused(TypeError, f"its argument is a lambda: {remedy}"):
        content.check_picklable("its argument", hidden(lambda: None))
    with refused(TypeError, f"its argument is local, which stands in another function: {remedy}"):
        content.check_picklable("its argument", hidden(local))
    content.check_picklable("its argument", hidden(area))


@pytest.mark.parametrize("bad", [{1}, bytearray(b"a"), ({1},), {"a": {1}}, partial(area, {1})], ids=content.show)
def test_what_cannot_be_hashed_is_refused_by_its_kind(bad):
    kinds = "numbers, strings, tuples, dicts, arrays, functions and values"
    with pytest.raises(
        TypeError, match=rf"^an argument is the (set \{{1\}}|bytearray .*); a value's arguments are {kinds}$"
    ):
        content.hash_of(bad)
