"""What cannot be saved is refused with what to do, and a write that fails leaves the old file whole."""

from __future__ import annotations

import os
import resource
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, optim

PARAMS = {"c1": {"w": np.arange(6.0, dtype=np.float32).reshape(2, 3), "b": np.zeros(3, np.float32)}}


def vjp(params, x, *, key=None, wrt_x=True):
    return x, lambda dy: ({}, dy)


class Own:
    def __call__(self, step: int) -> float:
        return 0.1


def closure(scale: float) -> Any:
    def draw(rng, shape):
        return np.full(shape, scale)

    return draw


ITSELF: list[Any] = []
ITSELF.append(ITSELF)

UNSAVABLE = [
    (
        {"model": fnn.Layer("mine", vjp=vjp)},
        r"^model is the Layer mine, which no constructor made.*write a function.*@fnn\.constructor",
    ),
    (fnn.serial(a=fnn.Layer("mine", vjp=vjp)), r"^parts\.a is the Layer mine, which no constructor made"),
    (layers.dense(3, w_init=lambda rng, shape: None), r"^w_init is a lambda: to save it, define it at the top level"),
    (layers.dense(3, w_init=closure(2.0)), r"^w_init is draw, which stands in another function: to save it"),
    ([1, {2}], r"^1 is a builtins\.set, which cannot be saved: expected trees"),
    ({"a": object()}, r"^a is a builtins\.object, which cannot be saved"),
    (
        optim.sgd(Own()),
        r"^learning_rate is a tests\S*\.Own, which cannot be saved: make it a function .* @fnn\.constructor",
    ),
    (np.array(["a", "b"]), r"^the value is an array of <U1, which cannot be saved: make it a list of strings"),
    ({"a": np.array([None])}, r"^a is an array of object, which cannot be saved"),
    (np.zeros(2, np.longdouble), r"^the value is an array of \S+, which cannot be saved: convert it to numbers"),
    (np.zeros(2, "M8[s]"), r"^the value is an array of datetime64\[s\]"),
    (np.zeros(2, [("a", "f4")]), r"^the value is an array of "),
    (
        np.ma.masked_array([1.0]),
        r"^the value is a numpy\.ma\S*\.MaskedArray, which cannot be saved: convert it, np\.asarray",
    ),
    ({1: 2, np.int64(3): 4}, r"^the value has the key np\.int64\(3\), which cannot be saved: use strings or numbers"),
    ({"a": {frozenset(): 1}}, r"^a has the key frozenset\(\)"),
    (1j, r"^the value is a builtins\.complex"),
    (b"bytes", r"^the value is a builtins\.bytes"),
]


@pytest.mark.parametrize(("value", "message"), UNSAVABLE, ids=range(len(UNSAVABLE)))
def test_what_cannot_be_saved_is_named_and_no_file_is_made(value: Any, message: str, tmp_path: Path):
    with pytest.raises(TypeError, match=message):
        fnn.save(tmp_path / "v.npz", value)
    assert list(tmp_path.iterdir()) == []


def test_a_tree_that_contains_itself_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"^0\.0\.0.* is nested in 100 levels: does it contain itself"):
        fnn.save(tmp_path / "v.npz", ITSELF)


@pytest.mark.parametrize("name", ["v", "v.npy", "v.pkl", "v.npz.gz"])
def test_other_endings_are_refused(name: str, tmp_path: Path):
    with pytest.raises(ValueError, match=rf"{name}: the name of the file must end in \.npz or \.safetensors"):
        fnn.save(tmp_path / name, 1)
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(ValueError, match=rf"{name}: the name of the file must end in"):
        fnn.load(tmp_path / name)


def test_a_missing_file_and_what_is_no_regular_file(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"no\.npz"):
        fnn.load(tmp_path / "no.npz")
    with pytest.raises(FileNotFoundError, match=r"nothing was written.*no/v\.npz"):
        fnn.save(tmp_path / "no/v.npz", 1)
    (tmp_path / "d.npz").mkdir()
    os.mkfifo(tmp_path / "p.npz")
    for name, kind in (("d.npz", "directory"), ("p.npz", "named pipe")):
        for use in (partial(fnn.save, value=1), fnn.load):
            with pytest.raises(ValueError, match=f"{name}: this is a {kind}, expected a regular file"):
                use(tmp_path / name)


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_a_disk_that_is_full_leaves_the_old_file(ending: str, tmp_path: Path):
    if ending == ".safetensors":
        pytest.importorskip("safetensors")
    file = tmp_path / f"v{ending}"
    fnn.save(file, PARAMS)
    old = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(
            OSError, match=rf"File too large \(nothing was written, an older file is unchanged\).*v{ending}"
        ):
            fnn.save(file, np.zeros(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_an_interrupt_within_an_entry_stays_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fnn.save(tmp_path / "a.npz", PARAMS)
    before = (tmp_path / "a.npz").read_bytes()

    def press_ctrl_c(stream: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # between the opening of an entry and its `with`
        patch.setattr(zipfile._ZipWriteFile, "__enter__", press_ctrl_c, raising=False)
        with pytest.raises(KeyboardInterrupt):
            fnn.save(tmp_path / "a.npz", {"w": 1.0})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == before


def test_without_safetensors_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    (tmp_path / "v.safetensors").write_bytes(b"")
    for use in (partial(fnn.save, value=1), fnn.load):
        with pytest.raises(ImportError, match=r"needs safetensors.*pip install -e '\.\[safetensors\]'"):
            use(tmp_path / "v.safetensors")
