from __future__ import annotations

import pickle
import time
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from functional_nn.data import DataError, cached
from functional_nn.data.splits import Splits


def splits(n: int = 5, size: int = 4) -> Splits:
    rng = np.random.default_rng(n)
    return {
        part: (rng.integers(0, 256, (m, size, size, 3), dtype=np.uint8), rng.integers(0, 9, m))
        for part, m in (("train", n), ("val", 2), ("test", 3))
    }


def never() -> NoReturn:
    raise AssertionError("the cache was not used")


def assert_same(a: Splits, b: Splits) -> None:
    assert list(a) == list(b)
    for part in a:
        for x, y in zip(a[part], b[part], strict=True):
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
        DataError, match=r"(?s)c\.npz: .*made from\s+images at size 32\s.*not from\s+images at size 64\s.*delete"
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
    np.savez(tmp_path / "c.npz", source=np.array("here"), **arrays)
    with pytest.raises(DataError, match="damaged, or no cache"):
        cached(tmp_path / "c.npz", "here", never)


@pytest.mark.parametrize("changed", ["val_images", "val_labels", "train_labels"])
def test_arrays_that_are_no_splits_are_refused(changed: str, tmp_path: Path) -> None:
    arrays = {f"{part}_images": images for part, (images, _) in splits().items()}
    arrays |= {f"{part}_labels": labels for part, (_, labels) in splits().items()}
    np.savez(tmp_path / "c.npz", source=np.array("here"), **(arrays | {changed: np.zeros(4, np.float32)}))
    with pytest.raises(DataError, match=r"expected uint8 \(n, h, w, c\) and int64 \(n,\)"):
        cached(tmp_path / "c.npz", "here", never)


def test_a_load_that_fails_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        cached(tmp_path / "c.npz", "here", never)
    with pytest.raises(DataError, match="expected train, val and test"):
        cached(tmp_path / "c.npz", "here", lambda: {"train": splits()["train"]})
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(stream: object, **arrays: object) -> NoReturn:
        stream.write(b"half of it")  # type: ignore[attr-defined]
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OSError, match="no space"):
        cached(tmp_path / "c.npz", "here", splits)
    assert list(tmp_path.iterdir()) == []


def test_the_file_appears_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, savez = tmp_path / "c.npz", np.savez

    def watched(stream: object, **arrays: object) -> None:
        savez(stream, **arrays)  # type: ignore[arg-type]
        assert not file.exists()

    monkeypatch.setattr(np, "savez", watched)
    cached(file, "here", splits)
    assert file.exists()


def test_25000_images_are_read_in_under_a_second(tmp_path: Path) -> None:
    images, labels = np.ones((25_000, 32, 32, 3), np.uint8), np.zeros(25_000, np.int64)
    cached(tmp_path / "c.npz", "here", lambda: splits() | {"train": (images, labels)})
    start = time.perf_counter()
    cached(tmp_path / "c.npz", "here", never)
    assert time.perf_counter() - start < 1.0
