"""A description is the same for equal values alone, and the places where two differ are named."""

import hashlib
import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import layers, optim
from functional_nn.saving.description import described, differences
from functional_nn.saving.document import BLOCK_BYTES, digest
from tests.saving import table

FIXED = {"a": {"w": np.ones((2, 3), np.float32), "b": np.zeros(3, np.float32)}}
MODEL = fnn.serial(a=layers.dense(3), b=layers.relu, c=layers.dense(2))


def lines(one, other):
    return list(differences(*(json.loads(json.dumps(described(value))) for value in (one, other))))


def own(x, scale):
    return x * scale


PAIRS = {
    "an int and a float": (1, 1.0, "the value: 1 given, 1.0 in the file"),
    "an int and a bool": (1, True, "the value: 1 given, True in the file"),
    "the sign of a zero": (0.0, -0.0, "the value: 0.0 given, -0.0 in the file"),
    "nan": ({"a": np.nan}, {"a": np.inf}, "a: nan given, inf in the file"),
    "a list and a tuple": ([1], (1,), "the value: [1] given, (1) in the file"),
    "one entry": ({"a": [1, 2, 3]}, {"a": [1, 4, 3]}, "a.1: 2 given, 4 in the file"),
    "the length": ({"a": (1, 2)}, {"a": (1,)}, "a: (1, 2) given, (1) in the file"),
    "the order of entries": (
        {"a": 1, "b": 2}, {"b": 2, "a": 1}, "the value: {a: 1, b: 2} given, {b: 2, a: 1} in the file"
    ),
    "None": ({"a": None}, {"a": "None"}, "a: None given, 'None' in the file"),
    "a scalar": (np.float32(1), np.float32(2), "the value: {scalar: 'float32', bytes: '0000803f'} given, "),
    "a function": (len, own, "the value: builtins.len given, tests.saving.test_description.own in the file"),
    "a partial": (partial(own, scale=2), partial(own, scale=3), "keywords.scale: 2 given, 3 in the file"),
    "a part": (MODEL, MODEL.call(c=layers.dense(4)), "parts.c.units: 2 given, 4 in the file"),
    "a state": (
        optim.adam(0.1).init({"w": np.ones(1)}),
        optim.adam(0.1).init({"w": np.ones(2)}),
        "0.mean.w: float64 of shape (1,), sha256 af5570f5a1810b7af78caf4bc70a660f given, "
        "float64 of shape (2,), sha256 374708fff7719dd5979ec875d56cd228 in the file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_the_place_is_named_with_both_values(name):
    one, other, line = PAIRS[name]
    assert lines(one, other)[0].startswith(line)
    assert lines(one, one) == lines(other, other) == []


def test_an_array_among_the_arguments_counts_by_content():
    bound = fnn.bind(MODEL, FIXED)
    again = fnn.bind(MODEL, {"a": {"w": np.ones((2, 3), np.float32, order="F"), "b": np.zeros(3, np.float32)}})
    other = fnn.bind(MODEL, {"a": {**FIXED["a"], "w": np.full((2, 3), 2, np.float32)}})
    assert lines(bound, again) == []
    [line] = lines(bound, other)
    assert line.startswith("fixed.a.w: float32 of shape (2, 3), sha256 ")


@pytest.mark.parametrize("name", table.ROWS)
def test_each_value_differs_from_the_others_of_its_constructor_alone(name):
    values = table.ROWS[name]
    for i, one in enumerate(values):
        assert [lines(one, other) == [] for other in values] == [i == j for j in range(len(values))]


@given(st.integers(0, 40), st.sampled_from(["<f4", ">f4", "u1", "<i8", "?", "c16"]), st.booleans(), st.integers(1, 64))
def test_the_digest_is_that_of_the_bytes_in_row_major_order(rows, dtype, by_columns, block):
    array = np.random.default_rng(rows).integers(0, 2, (rows, 3)).astype(dtype, order="F" if by_columns else "C")
    expected = hashlib.sha256(array.astype(np.dtype(dtype).newbyteorder("<")).tobytes(order="C")).hexdigest()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("functional_nn.saving.document.BLOCK_BYTES", block)
        assert digest(array) == expected
    assert BLOCK_BYTES == 2**24
    assert digest(np.array(3)) == hashlib.sha256(np.array(3, "<i8").tobytes()).hexdigest()
