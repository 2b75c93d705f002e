"""The checks of constructors' arguments: NumPy's numbers become Python's, and a refusal names what is wrong."""

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import arguments
from tests.refusals import no_array, refused

INTEGERS = (int, np.int8, np.int64, np.uint8, np.uint64)
REALS = (int, float, np.int64, np.uint8, np.float16, np.float32, np.float64, np.longdouble)
NUMBERS = {
    "finite": ("a finite number", lambda number: True),
    "positive": ("a finite number above 0", lambda number: number > 0.0),
    "not_negative": ("a finite number that is not negative", lambda number: number >= 0.0),
    "fraction": ("a number from 0 up to but without 1", lambda number: 0.0 <= number < 1.0),
}
NO_NUMBERS = [None, "1", True, np.True_, 1j, np.complex64(1), [1.0], (1,), np.array(1.0), np.array([1.0]), object]
small = st.integers(0, 2)
margins = st.tuples(st.tuples(small, small), st.tuples(small, small))


def test_every_check_is_public_and_tested_here():
    types, conversions = {"Margins", "Padding", "Pair"}, {"as_margins", "as_pair"}
    checks = {"array", "as_path", "count", "flag", "initializer", "optional", "padding", "pair", *NUMBERS}
    assert set(arguments.__all__) == types | conversions | checks


@given(st.integers(0, 127), st.integers(-2, 127), st.sampled_from(INTEGERS))
def test_count_takes_whole_numbers_from_the_least_and_returns_pythons(number, least, kind):
    value = kind(number)
    if number >= least:
        counted = arguments.count("mine", "units", value, least=least)
        assert (type(counted), counted) == (int, number)
    else:
        with refused(ValueError, f"mine: units is {value!r}, expected an int of at least {least}"):
            arguments.count("mine", "units", value, least=least)


def test_the_least_count_is_1_unless_another_is_given():
    with refused(ValueError, "mine: units is 0, expected an int of at least 1"):
        arguments.count("mine", "units", 0)
    assert partial(arguments.count, least=0)("mine", "units", 0) == 0
    assert arguments.count("mine", "units", 10**400) == 10**400


@pytest.mark.parametrize("bad", [*NO_NUMBERS, 1.0, np.float64(2.0), math.nan], ids=repr)
def test_count_refuses_what_is_no_whole_number(bad):
    with refused(ValueError, f"mine: units is {bad!r}, expected an int of at least 1"):
        arguments.count("mine", "units", bad)


@pytest.mark.parametrize("name", NUMBERS)
@given(st.one_of(st.floats(-4, 4, width=16), st.integers(-3, 3).map(float)), st.sampled_from(REALS))
def test_numbers_are_taken_where_they_hold_and_become_pythons_floats(name, number, kind):
    expected, holds = NUMBERS[name]
    if kind in (int, np.int64, np.uint8):
        number = float(int(abs(number)))
    value = kind(number)
    if holds(number):
        taken = getattr(arguments, name)("mine", "rate", value)
        assert (type(taken), taken) == (float, number)
    else:
        with refused(ValueError, f"mine: rate is {value!r}, expected {expected}"):
            getattr(arguments, name)("mine", "rate", value)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "bad",
    [*NO_NUMBERS, math.nan, math.inf, -math.inf, np.float32(np.nan), 10**400, -(10**400)],
    ids=lambda bad: repr(bad)[:20],
)
def test_numbers_refuse_what_is_no_finite_real_number(name, bad):
    with refused(ValueError, f"mine: rate is {bad!r}, expected {NUMBERS[name][0]}"):
        getattr(arguments, name)("mine", "rate", bad)


@pytest.mark.parametrize("value", [True, False, np.True_, np.False_])
def test_flag_returns_pythons_bool(value):
    assert arguments.flag("mine", "nesterov", value) is bool(value)


@pytest.mark.parametrize("bad", [0, 1, None, "no", 1.0, np.array(True)], ids=repr)
def test_flag_refuses_what_is_no_bool(bad):
    with refused(ValueError, f"mine: nesterov is {bad!r}, expected True or False"):
        arguments.flag("mine", "nesterov", bad)


@given(st.integers(1, 100), st.integers(1, 100), st.sampled_from(INTEGERS), st.sampled_from([tuple, list]))
def test_a_pair_is_kept_as_one_int_where_both_are_equal(height, width, kind, sequence):
    kept = arguments.pair("mine", "kernel", sequence([kind(height), kind(width)]))
    assert kept == (height if height == width else (height, width))
    assert all(type(size) is int for size in (kept if isinstance(kept, tuple) else (kept,)))
    assert arguments.as_pair(kept) == (height, width)
    assert arguments.as_pair(arguments.pair("mine", "kernel", kind(height))) == (height, height)


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        *[(bad, f"{bad!r}, expected an int or (height, width)") for bad in ((), (1,), [1, 2, 3])],
        *[(bad, f"{bad!r}, expected an int of at least 1") for bad in (0, 1.5, "same", None, True)],
        ((2, 0), "0, expected an int of at least 1"),
        ((2.0, 1), "2.0, expected an int of at least 1"),
        (((1, 1), (1, 1)), "(1, 1), expected an int of at least 1"),
    ],
)
def test_pair_refuses_what_is_no_int_or_pair(bad, text):
    with refused(ValueError, f"mine: kernel is {text}"):
        arguments.pair("mine", "kernel", bad)


@given(margins, st.sampled_from(INTEGERS), st.sampled_from([tuple, list]))
def test_margins_are_kept_as_one_int_where_all_are_equal(sides, kind, sequence):
    kept = arguments.padding("mine", "padding", sequence(sequence(map(kind, side)) for side in sides))
    assert kept == (sides[0][0] if len({*sides[0], *sides[1]}) == 1 else sides)
    assert arguments.as_margins(kept) == sides
    assert all(type(size) is int for side in arguments.as_margins(kept) for size in side)
    one = arguments.padding("mine", "padding", kind(sides[0][0]))
    assert arguments.as_margins(one) == ((sides[0][0],) * 2,) * 2


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        *[
            (bad, f"{bad!r}, expected an int or ((top, bottom), (left, right))")
            for bad in ((), (1, 1), ((1, 1),), ((1, 1), 2), ((1, 1, 1), (1, 1)), [[1, 1], "ab"])
        ],
        *[(bad, f"{bad!r}, expected an int of at least 0") for bad in (-1, 0.5, "same", None)],
        (((1, 1), (1, -1)), "-1, expected an int of at least 0"),
    ],
)
def test_padding_refuses_what_is_no_int_or_margins(bad, text):
    with refused(ValueError, f"mine: padding is {text}"):
        arguments.padding("mine", "padding", bad)


def test_optional_lets_none_pass_and_leaves_the_rest_to_the_check():
    check = arguments.optional(arguments.count)
    assert check("mine", "stride", None) is None
    assert check("mine", "stride", np.int64(3)) == 3
    with refused(ValueError, "mine: stride is 0, expected an int of at least 1"):
        check("mine", "stride", 0)


@pytest.mark.parametrize(
    "bad", [[1.0], None, 1.0, np.float32(1.0), np.ma.array([1.0]), np.ones(1).view(np.recarray)], ids=type
)
def test_array_takes_plain_arrays_alone(bad):
    x = np.ones(3)
    assert arguments.array("mine", "x", x) is x
    with refused(TypeError, f"mine: x is {no_array(bad)}"):
        arguments.array("mine", "x", bad)


def test_an_initializer_is_a_function():
    def ones(rng, shape):
        return np.ones(shape, np.float32)

    assert arguments.initializer("dense", "w_init", ones) is ones
    with refused(TypeError, "dense: w_init is 'he', expected a function such as initializers.he_normal"):
        arguments.initializer("dense", "w_init", "he")


def test_a_path_is_a_string_or_a_path():
    assert arguments.as_path("idx", "root", "a/b") == arguments.as_path("idx", "root", Path("a/b")) == Path("a/b")
    for bad in (5, None, b"a", ["a"]):
        with refused(TypeError, f"idx: root is {bad!r}, expected a path: a string or a pathlib.Path"):
            arguments.as_path("idx", "root", bad)
