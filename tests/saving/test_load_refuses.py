"""Damaged and altered files are refused: the message names what differs, and no memory is allocated for them."""

from __future__ import annotations

import pickle
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import losses, models, optim
from functional_nn.saving import document
from tests.saving.archives import entries, npy, rewrite
from tests.saving.same import same

PARAMS = {"c1": {"w": np.arange(6.0, dtype=np.float32).reshape(2, 3), "b": np.zeros(3, np.float32)}}
DAMAGED = r"truncated, altered, or not written by fnn\.save .*copy it again or save anew"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    fnn.save(tmp_path / "v.npz", PARAMS)
    return tmp_path / "v.npz"


ALTERED = [
    ({"c1.w.npy": npy(PARAMS["c1"]["w"] + 1)}, r"the entry c1\.w was altered: its bytes differ"),
    ({"c1.w.npy": npy(PARAMS["c1"]["w"].astype(np.float64))}, r"the entry c1\.w was altered: dtype <f8, was <f4"),
    ({"c1.w.npy": npy(PARAMS["c1"]["w"].reshape(3, 2))}, r"the entry c1\.w was altered: shape \[3, 2\], was \[2, 3\]"),
    (
        {"c1.w.npy": npy(np.asfortranarray(PARAMS["c1"]["w"]))},
        r"c1\.w holds float32, expected numbers in row-major order",
    ),
    ({"c1.w.npy": None}, r"its entries were altered: c1\.w is missing"),
    ({"c1.v.npy": npy(np.zeros(2))}, r"its entries were altered: c1\.v does not belong to it"),
    ({"stranger": b""}, r"There is no item named 'stranger\.npy'"),
    ({"c1.w.npy": npy(np.array([None]))}, r"ValueError: |c1\.w holds object"),
    ({"c1.w.npy": b""}, DAMAGED),
    ({"functional_nn.json": b"{}"}, r"its document has no number of a format"),
    ({"functional_nn.json": b""}, DAMAGED),
    ({"functional_nn.json": b"[" * 100_000}, r"RecursionError"),
    ({"functional_nn.json": b'{"format": 1}'}, r"its document was altered: the checksum differs"),
    (
        {"functional_nn.json": None},
        r"v\.npz: not written by fnn\.save, since it has no entry .*: read it with np\.load",
    ),
]


@pytest.mark.parametrize(("changes", "message"), ALTERED, ids=range(len(ALTERED)))
def test_an_altered_file_is_refused_and_what_differs_is_named(changes: dict, message: str, saved: Path):
    rewrite(saved, changes)
    with pytest.raises(ValueError, match=message) as caught:
        fnn.load(saved)
    assert str(caught.value).startswith(f"{saved}: ")


def test_a_changed_word_of_the_document_is_refused(saved: Path):
    text = entries(saved)["functional_nn.json"]
    for old, new in ((b"c1.w", b"c1.v"), (b'"numpy": "', b'"numpy": "9'), (b'"extra": null', b'"extra": 1')):
        rewrite(saved, {"functional_nn.json": text.replace(old, new)})
        with pytest.raises(ValueError, match=r"its document was altered: the checksum differs.*copy it again"):
            fnn.load(saved)


def test_a_newer_format_is_told_from_damage(saved: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(document, "FORMAT", 7)
    fnn.save(saved, 1)
    monkeypatch.undo()
    with pytest.raises(
        ValueError, match=r"v\.npz: written in format 7, by functional_nn [\d.]+; this version reads format 1: update"
    ):
        fnn.load(saved)


def test_a_truncated_file_is_refused(saved: Path):
    whole = saved.read_bytes()
    for length in (0, 1, 30, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=DAMAGED):
            fnn.load(saved)


def test_files_of_other_programs_are_refused(tmp_path: Path):
    np.savez(tmp_path / "theirs.npz", a=np.zeros(2))
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(1))
    with pytest.raises(ValueError, match=r"theirs\.npz: not written by fnn\.save.*read it with np\.load"):
        fnn.load(tmp_path / "theirs.npz")
    with pytest.raises(ValueError, match=rf"pickle\.npz: {DAMAGED}"):
        fnn.load(tmp_path / "pickle.npz")
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"a": np.zeros(2)}, tmp_path / "theirs.safetensors")
    with pytest.raises(ValueError, match=r"theirs\.safetensors: not written by fnn\.save.*library safetensors"):
        fnn.load(tmp_path / "theirs.safetensors")


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return sys.exit, ("unpickled",)


def test_a_pickle_within_a_file_is_not_read(saved: Path):
    rewrite(saved, {"c1.w.npy": npy_of_objects()})
    with pytest.raises(ValueError, match=r"c1\.w holds object, expected numbers"):
        fnn.load(saved)


def npy_of_objects() -> bytes:
    return npy(np.array([Trap()], dtype=object))


def header(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


BOMBS = {
    "header": r"c1\.w has 24 bytes, its header says \(1099511627776,\) of float32",
    "compressed": r"functional_nn\.json is compressed",
    "central": r"c1\.w\.npy has \d+ bytes, which the file does not hold",
    "overlapping": "the entries together are larger than the file",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_more_memory_is_allocated_than_the_file_holds(bomb: str, saved: Path):
    if bomb == "header":
        rewrite(saved, {"c1.w.npy": header(f"({2**40},)") + bytes(24)})
    elif bomb == "compressed":
        rewrite(saved, {"c1.w.npy": header(f"({2**24},)") + bytes(2**26)}, zipfile.ZIP_DEFLATED)
    else:
        data = bytearray(saved.read_bytes())
        for name in (b"c1.w.npy", b"functional_nn.json"):
            entry = data.index(name, data.index(b"PK\1\2")) - 46
            offset = int.from_bytes(data[entry + 42 : entry + 46], "little")
            size = 2**31 - 1 if bomb == "central" else len(data) - offset  # all that follows
            data[entry + 20 : entry + 28] = size.to_bytes(4, "little") * 2
            if bomb == "central":
                break
        saved.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"{BOMBS[bomb]}.*copy it again"):
            fnn.load(saved)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
def test_only_our_own_error_leaves_a_mutated_file(ending: str, tmp_path: Path):
    if ending == ".safetensors":
        pytest.importorskip("safetensors")
    file, rng = tmp_path / f"v{ending}", np.random.default_rng(0)
    value = {"params": PARAMS, "model": models.lenet5(3), "loss": losses.huber(), "state": optim.adam(0.1).init(PARAMS)}
    fnn.save(file, value)
    whole = np.fromfile(file, np.uint8)
    errors = []
    for _ in range(300):
        data = whole.copy()
        at = rng.integers(0, len(data), rng.integers(1, 4))
        data[at] = rng.integers(0, 256, len(at))
        data[: rng.integers(1, len(data) + 1) if rng.random() < 0.2 else None].tofile(file)
        loaded = value
        try:
            loaded = fnn.load(file)
        except ValueError as error:
            errors.append(str(error))
        assert same(value, loaded)
    assert len(errors) > 150  # of the rest, many change what zip keeps but nobody reads
    assert all(error.startswith(f"{file}: ") for error in errors)
