"""The caller's own constructors, and what is stored beside a value."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers
from functional_nn.saving.names import Known
from functional_nn.saving.store import save_with_extra, stored
from functional_nn.value import constant
from tests.saving import table
from tests.saving.same import same
from tests.test_value import crop


def vjp(params, x, *, key=None, wrt_x=True):
    return x, lambda dy: ({}, dy)


class Pair(NamedTuple):
    """Another class of that name."""

    left: Any


@constant
def mine() -> fnn.Layer:
    return fnn.Layer("mine", vjp=vjp)


def test_all_that_is_missing_is_named_at_once(tmp_path: Path):
    fnn.save(tmp_path / "v.npz", {"model": fnn.serial(c=crop(1), m=mine), "call": table.Pair(1, 2)})
    with pytest.raises(
        ValueError,
        match=r"v\.npz: it needs tests\S+\.Pair, \S+\.mine, \S+\.crop: pass .*constructors=\[Pair, mine, crop\]",
    ):
        fnn.load(tmp_path / "v.npz")
    loaded = fnn.load(tmp_path / "v.npz", [crop, mine, table.Pair])
    assert loaded["model"] == fnn.serial(c=crop(1), m=mine)


def test_two_of_one_name_are_told_apart_by_their_module_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fnn.save(tmp_path / "v.npz", table.Pair(1, 2))
    assert same(fnn.load(tmp_path / "v.npz", [Pair, table.Pair]), table.Pair(1, 2))
    monkeypatch.setattr(table.Pair, "__module__", "elsewhere")
    with pytest.raises(ValueError, match=r"constructors= has 2 called Pair: pass the one meant"):
        fnn.load(tmp_path / "v.npz", [Pair, table.Pair])
    with pytest.raises(ValueError, match=r"has the fields left, right, expected left"):
        fnn.load(tmp_path / "v.npz", [Pair])


def test_a_plain_function_is_no_constructor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fnn.save(tmp_path / "v.npz", crop(2))
    with pytest.raises(
        ValueError,
        match=r"needs the constructor \S+\.crop, but <function crop.* is none: decorate it with @fnn\.constructor",
    ):
        fnn.load(tmp_path / "v.npz", [crop.__wrapped__])


@pytest.mark.parametrize(
    ("constructors", "message"),
    [
        ([crop(2)], r"constructors holds crop\(2\), expected .*: pass crop, not what it makes"),
        (crop, r"constructors is <function crop.*expected a list"),
        (layers.relu, r"constructors is relu, expected a list"),
        (["crop"], r"constructors holds 'crop', expected a list"),
        ([Path], r"constructors holds <class .*Path'>, expected a list"),
    ],
)
def test_constructors_that_are_none_are_refused(constructors: Any, message: str, tmp_path: Path):
    fnn.save(tmp_path / "v.npz", 1)
    with pytest.raises(TypeError, match=message):
        fnn.load(tmp_path / "v.npz", constructors)


def test_a_library_name_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    @fnn.constructor
    def dense(units: int, w_init: Any = None, b_init: Any = None) -> fnn.Layer:
        raise AssertionError("called")

    monkeypatch.setattr(dense, "__module__", "functional_nn.layers")
    monkeypatch.setattr(dense, "__qualname__", "dense")

    fnn.save(tmp_path / "v.npz", layers.dense(3))
    assert fnn.load(tmp_path / "v.npz", [dense]) == layers.dense(3)


def test_something_is_stored_beside_a_value_and_load_leaves_it_out(tmp_path: Path):
    extra = {"model": fnn.serial(c=crop(1)), "digest": "abc", "seed": (0, 1), "best": np.arange(3)}
    save_with_extra(tmp_path / "c.npz", table.result(), extra)
    assert same(fnn.load(tmp_path / "c.npz"), table.result())  # without crop, which the value does not need
    file = stored(tmp_path / "c.npz")
    assert same(file.decoded("value", Known([])), table.result())
    assert same(file.decoded("extra", Known([crop])), extra)
    fnn.save(tmp_path / "v.npz", 1)
    assert stored(tmp_path / "v.npz").decoded("extra", Known([])) is None


def test_a_trial_raises_what_saving_would_and_leaves_the_old_file(tmp_path: Path):
    fnn.save(tmp_path / "v.npz", 1)
    save_with_extra(tmp_path / "v.npz", 2, None, trial=True)
    assert fnn.load(tmp_path / "v.npz") == 1
    with pytest.raises(TypeError, match="cannot be saved"):
        save_with_extra(tmp_path / "v.npz", object(), None, trial=True)
    with pytest.raises(FileNotFoundError, match="nothing was written"):
        save_with_extra(tmp_path / "no/v.npz", 2, None, trial=True)
    assert [file.name for file in tmp_path.iterdir()] == ["v.npz"]
