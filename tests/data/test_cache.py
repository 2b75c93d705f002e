from __future__ import annotations

import errno
import os
import pickle
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import pytest

from functional_nn import npz
from functional_nn.data import DataError, Splits, cached

CLASSES = (*"abcdefgh", "café, 'crème' \ud800")


def splits(n: int = 5, size: int = 4, **changes: Any) -> Splits:
    rng = np.random.default_rng(n)
    arrays = {
        name: (rng.integers(0, 256, (m, size, size, 3), dtype=np.uint8), rng.integers(0, 9, m))
        for name, m in (("train", n), ("val", 2), ("test", 3))
    }
    return Splits(**{"classes": CLASSES, "description": "some noise", **arrays, **changes})


def never() -> NoReturn:
    raise AssertionError("the cache was not used")


def assert_same(a: Splits, b: Splits) -> None:
    assert (a.classes, a.description) == (b.classes, b.description)
    for (name, split), (other_name, other) in zip(a.items(), b.items(), strict=True):
        assert name == other_name
        for x, y in zip(split, other, strict=True):
            np.testing.assert_array_equal(x, y)
            assert x.dtype == y.dtype


def test_what_is_loaded_once_is_read_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "made/for/it/cache.npz"
    assert_same(cached(file, "here", splits), splits())
    assert_same(cached(str(file), "here", never), splits())
    assert [path.name for path in file.parent.iterdir()] == ["cache.npz"]


def test_the_name_of_the_file_is_kept_as_it_is(tmp_path: Path) -> None:
    cached(tmp_path / "cache", "here", splits)
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_a_cache_of_another_source_is_refused_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "c.npz"
    cached(file, "images at size 32", splits)
    with pytest.raises(
        DataError,
        match=r"(?s)c\.npz: .*source .* is\s+images at size 32\s.*not\s+images at size 64\s.*delete",
    ):
        cached(file, "images at size 64", never)
    assert_same(cached(file, "images at size 32", never), splits())


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "pickle", "npy"])
def test_a_damaged_cache_is_named_and_nothing_is_unpickled(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "c.npz"
    cached(file, "here", lambda: splits(50))
    data = bytearray(file.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    elif damage == "flipped":
        data[len(data) // 3] ^= 255
    elif damage == "pickle":
        data = bytearray(pickle.dumps({"train": 1}))
    else:
        data = bytearray({"empty": b"", "text": b"not a cache", "npy": b""}[damage])
    file.write_bytes(data)
    if damage == "npy":
        with file.open("wb") as stream:
            np.save(stream, np.zeros(3))
    with pytest.raises(DataError, match=r"c\.npz: damaged, or no cache"):
        cached(file, "here", never)


class Trap:
    """Says so when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return never, ()


def test_pickled_arrays_in_a_cache_are_not_read(tmp_path: Path) -> None:
    arrays = {
        f"{part}_{kind}": np.array([Trap()]) for part in ("train", "val", "test") for kind in ("images", "labels")
    }
    about = b'{"source": "here", "classes": ["a"], "description": ""}'
    np.savez(tmp_path / "c.npz", about=np.frombuffer(about, np.uint8), **arrays)
    with pytest.raises(DataError, match="damaged, or no cache"):
        cached(tmp_path / "c.npz", "here", never)


@pytest.mark.parametrize("changed", ["val_images", "val_labels", "train_labels"])
def test_arrays_that_are_no_splits_are_refused(changed: str, tmp_path: Path) -> None:
    file = tmp_path / "c.npz"
    cached(file, "here", splits)
    replace_member(file, f"{changed}.npy", npy_header("(4,)") + bytes(4))
    with pytest.raises(DataError, match=r"damaged, or no cache .*expected uint8 \(n, h, w, c\) and int64 \(n,\)"):
        cached(file, "here", never)


@pytest.mark.parametrize(
    "about",
    [b"", b"{", b"[]", b"1e999", b'{"source": "here"}', b'{"source": "here", "classes": [1], "description": ""}'],
)
def test_an_account_of_the_splits_that_cannot_be_read_is_refused(about: bytes, tmp_path: Path) -> None:
    file = tmp_path / "c.npz"
    cached(file, "here", splits)
    replace_member(file, "about.npy", npy_header(f"({len(about)},)") + about)
    with pytest.raises(DataError, match="damaged, or no cache"):
        cached(file, "here", never)


def npy_header(shape: str = "(5, 4, 4, 3)", dtype: str = "|u1") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (117 - len(text)) + b"\n"
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text


def replace_member(file: Path, name: str, data: bytes, compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(file) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    with zipfile.ZipFile(file, "w", compression) as archive:
        for member, content in (members | {name: data}).items():
            archive.writestr(member, content)


def refused_without_allocation(file: Path, error: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=rf"c\.npz: damaged, or no cache .*{error}.*name another file"):
            cached(file, "here", never)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("header", "error"),
    [
        (npy_header(f"({2**40},)"), r"ValueError: train_images has 240 bytes, its header says \(1099511627776,\)"),
        (npy_header(f"({2**40}, 1, 1, 1)"), "ValueError: train_images has 240 bytes"),
        (npy_header(f"({2**62}, {2**62}, 0, 3)"), "ValueError: train_images has 240 bytes"),
        (npy_header("(-5, 4, 4, -3)"), "ValueError"),
        (npy_header("(5, 4"), "ValueError|TokenError|SyntaxError"),
        (npy_header('5 4 """ ('), "ValueError|TokenError|SyntaxError"),
        (npy_header("[" * 60), "Error"),
        (npy_header(dtype="|O"), "ValueError"),
        (npy_header(dtype="|S9"), r"ValueError: train_images holds \|S9"),
        (npy_header()[:6], "Error"),
        (npy_header().replace(b"NUMPY\1", b"NUMPY\3"), "ValueError: train_images is in another version"),
        (npy_header() + b" ", "ValueError: train_images has 241 bytes"),
        (b"", "Error"),
    ],
    ids=range(13),
)
def test_d4_a_damaged_header_of_an_array_is_told(header: bytes, error: str, tmp_path: Path) -> None:
    file = tmp_path / "c.npz"
    cached(file, "here", splits)
    replace_member(file, "train_images.npy", header + bytes(240))
    refused_without_allocation(file, error)


@pytest.mark.parametrize("damage", ["method", "encrypted", "compressed", "size"])
def test_d4_a_damaged_archive_is_told(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "c.npz"
    cached(file, "here", splits)
    compression = zipfile.ZIP_DEFLATED if damage == "compressed" else zipfile.ZIP_STORED
    replace_member(file, "train_images.npy", npy_header() + bytes(240), compression)
    data = bytearray(file.read_bytes())
    local, central = data.index(b"PK\3\4"), data.index(b"PK\1\2")
    name = b"train_images.npy"
    at_local, at_central = data.index(name, local) - 30, data.index(name, central) - 46
    if damage == "method":
        data[at_local + 8] = data[at_central + 10] = 99
    elif damage == "encrypted":
        data[at_local + 6] |= 1
        data[at_central + 8] |= 1
    elif damage == "size":
        data[at_central + 20 : at_central + 28] = b"\xff\xff\xff\x7f" * 2
    file.write_bytes(data)
    refused_without_allocation(file, "Error")


def test_d4_only_our_own_error_leaves_a_mutated_cache(tmp_path: Path) -> None:
    file, rng = tmp_path / "c.npz", np.random.default_rng(0)
    cached(file, "here", splits)
    whole = np.fromfile(file, np.uint8)
    errors = 0
    for _ in range(500):
        data = whole.copy()
        at = rng.integers(0, len(data), rng.integers(1, 4))
        data[at] = rng.integers(0, 256, len(at))
        data[: rng.integers(1, len(data) + 1) if rng.random() < 0.2 else None].tofile(file)
        try:
            cached(file, "here", never)
        except DataError:
            errors += 1
    assert errors > 250  # of the rest, many change what zip keeps but nobody reads


@pytest.mark.parametrize("name", ["train", "test"])
@pytest.mark.parametrize("kind", ["images", "labels"])
def test_d4_splits_that_would_not_be_read_are_not_written(name: str, kind: str, tmp_path: Path) -> None:
    images, labels = getattr(splits(), name)
    floats = (images / np.float32(255), labels) if kind == "images" else (images, labels.astype(np.float32))
    with pytest.raises(ValueError, match=rf"^Splits: {name} images .*float32.*expected uint8"):
        cached(tmp_path / "c.npz", "here", lambda: splits(**{name: floats}))
    assert list(tmp_path.iterdir()) == []


def test_views_and_arrays_in_any_order_are_written(tmp_path: Path) -> None:
    images, labels = splits(8).train
    whole = splits(train=(images[::2].transpose(0, 2, 1, 3), labels[::2]), val=(images[:0], labels[:0]))
    assert_same(cached(tmp_path / "c.npz", "here", lambda: whole), whole)
    assert_same(cached(tmp_path / "c.npz", "here", never), whole)


def test_d4_a_directory_in_place_of_the_file_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "c.npz").mkdir()
    with pytest.raises(DataError, match=r"c\.npz: this is a directory, expected a regular file"):
        cached(tmp_path / "c.npz", "here", never)


def test_d4_a_place_where_nothing_can_be_written_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        cached(tmp_path / "file/c.npz", "here", never)


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8 need Linux")
def test_d4_names_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    file, source = tmp_path / os.fsdecode(b"caf\xe9.npz"), os.fsdecode(b"caf\xe9.png")
    cached(file, source, splits)
    assert_same(cached(file, source, never), splits())
    with pytest.raises(DataError, match="the source of this cache is"):
        cached(file, os.fsdecode(b"caf\xe8.png"), never)


@pytest.mark.parametrize("source", ["", "ends in NUL\0", "é\ud800😀"], ids=ascii)
def test_any_source_is_kept(source: str, tmp_path: Path) -> None:
    cached(tmp_path / "c.npz", source, splits)
    assert_same(cached(tmp_path / "c.npz", source, never), splits())


def test_a_load_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        cached(tmp_path / "c.npz", "here", never)
    with pytest.raises(TypeError, match=r"c\.npz: load\(\) returned dict, expected data\.Splits: nothing was written"):
        cached(tmp_path / "c.npz", "here", lambda: dict(splits().items()))  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(stream: BinaryIO, *entries: object) -> NoReturn:
        stream.write(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(npz, "write", full)
    with pytest.raises(OSError, match=r"No space left on device \(nothing was written.*c\.npz"):
        cached(tmp_path / "c.npz", "here", splits)
    assert list(tmp_path.iterdir()) == []


def test_the_file_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, write = tmp_path / "c.npz", npz.write

    def watched(stream: BinaryIO, *entries: object) -> None:
        write(stream, *entries)  # type: ignore[arg-type]
        assert not file.exists()

    monkeypatch.setattr(npz, "write", watched)
    cached(file, "here", splits)
    assert file.exists()
