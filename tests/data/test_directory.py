from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from functional_nn.data import (
    DataError,
    MissingFileError,
    Splits,
    cifar10,
    digits,
    fingerprint,
    idx,
    image_folder,
    image_list,
    load,
)
from tests.refusals import refused

SaveImage = Callable[..., Path]
WriteIdx = Callable[..., Path]


def assert_same(a: Splits, b: Splits) -> None:
    assert (a.classes, a.description) == (b.classes, b.description)
    for (_, one), (_, two) in zip(a.items(), b.items(), strict=True):
        for x, y in zip(one, two, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.fixture
def lists(tmp_path: Path, save_image: SaveImage) -> Path:
    save_image(tmp_path / "images/a.png", np.full((8, 8, 3), 5, np.uint8))
    save_image(tmp_path / "images/b.png", np.full((8, 8, 3), 6, np.uint8))
    for part, lines in (
        ("train", "images/a.png 0\nimages/b.png 1\n"),
        ("val", "images/a.png 0"),
        ("test", "images/b.png 1"),
    ):
        (tmp_path / f"{part}.txt").write_text(lines)
    return tmp_path


@pytest.fixture
def folders(tmp_path: Path, save_image: SaveImage) -> Path:
    for name in ("cat", "dog"):
        for i in range(10):
            save_image(tmp_path / name / f"{i}.png", np.full((8, 8, 3), i, np.uint8))
    return tmp_path


def test_image_lists_are_found(lists: Path) -> None:
    splits = load(str(lists), size=8)
    counts = "with 2 training, 1 validation and 1 test images of 8x8x3 in 2 classes"
    assert splits.description == f"image lists in {lists}, {counts}"
    assert_same(splits, image_list(lists, 8))


def test_idx_files_are_found(tmp_path: Path, write_idx: WriteIdx) -> None:
    rng = np.random.default_rng(0)
    for name, n in (("train", 5003), ("t10k", 7)):
        write_idx(tmp_path / f"{name}-images-idx3-ubyte", rng.integers(0, 256, (n, 4, 4), dtype=np.uint8))
        write_idx(tmp_path / f"{name}-labels-idx1-ubyte", (np.arange(n) % 3).astype(np.uint8))
    splits = load(tmp_path, size=6)
    counts = "with 3 training, 5000 validation and 7 test images of 6x6x1 in 3 classes"
    assert splits.description == f"IDX files in {tmp_path}, {counts}"
    assert_same(splits, idx(tmp_path, 6))


def test_cifar10_is_found_and_keeps_its_size(tmp_path: Path) -> None:
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        (tmp_path / f"{name}.bin").write_bytes(bytes(3073 * 1001))
    splits = load(tmp_path)
    counts = "with 5 training, 5000 validation and 1001 test images of 32x32x3 in 10 classes"
    assert splits.description == f"CIFAR-10 in {tmp_path}, {counts}"
    assert_same(splits, cifar10(tmp_path))
    with pytest.raises(DataError, match="32x32, not size=64"):
        load(tmp_path, size=64)


def test_image_folders_are_found(folders: Path) -> None:
    splits = load(folders, size=8)
    counts = "with 16 training, 2 validation and 2 test images of 8x8x3 in 2 classes"
    assert splits.description == f"image folders in {folders}, {counts}"
    assert_same(splits, image_folder(folders, 8))


def test_digits_are_found_by_name() -> None:
    splits = load("digits", size=8)
    assert splits.description.startswith("scikit-learn's digits, with 12")
    assert_same(splits, digits(8))


def test_half_of_a_form_is_told_by_the_source(lists: Path) -> None:
    (lists / "val.txt").unlink()
    with pytest.raises(MissingFileError, match=r"there is no val\.txt"):
        load(lists)


@pytest.mark.parametrize("content", ["nothing", "other files", "an empty folder"])
def test_a_directory_of_no_known_form_lists_the_forms(content: str, tmp_path: Path) -> None:
    if content == "other files":
        (tmp_path / "data.csv").write_text("1,2")
    elif content == "an empty folder":
        (tmp_path / "cat").mkdir()
    with pytest.raises(MissingFileError) as raised:
        load(tmp_path)
    message = str(raised.value)
    assert message.startswith(f"{tmp_path}: no data of a known form")
    for form in (
        "train.txt, val.txt and test.txt",
        "train-images-idx3-ubyte",
        "data_batch_1.bin",
        "folder",
        '"digits"',
    ):
        assert form in message


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"(?s)nowhere: there is no such directory, expected .*train\.txt"):
        load(tmp_path / "nowhere")


def test_the_fingerprint_changes_with_all_that_it_names(lists: Path) -> None:
    first = fingerprint(lists, 8)
    assert first == fingerprint(str(lists), 8)
    assert f"{lists} at size 8" in first
    found = {first, fingerprint(lists, 9)}
    (lists / "train.txt").write_text("images/a.png 0\n")
    found.add(fingerprint(lists, 8))
    os.utime(lists / "val.txt", (0, 0))
    found.add(fingerprint(lists, 8))
    (lists / "classes.txt").write_text("cat\ndog\n")
    found.add(fingerprint(lists, 8))
    assert len(found) == 5
    assert fingerprint("digits", 8) != fingerprint("digits", 9)


def test_names_of_classes_alone_are_no_image_lists(folders: Path) -> None:
    (folders / "classes.txt").write_text("cat\ndog\n")
    assert load(folders, 8).description.startswith("image folders in ")


def test_the_fingerprint_of_many_files_is_short_and_changes_with_each(folders: Path) -> None:
    first = fingerprint(folders, 8)
    assert "20 files" in first
    assert len(first) < 400
    os.utime(folders / "dog/3.png", (0, 0))
    assert fingerprint(folders, 8) != first


@pytest.mark.skipif(sys.platform != "linux", reason="names that are not UTF-8 need Linux")
def test_d4_data_whose_names_are_not_utf8_are_cached(folders: Path) -> None:
    (folders / "dog/3.png").rename(folders / "dog" / os.fsdecode(b"caf\xe9.png"))
    (folders / "cat").rename(folders / os.fsdecode(b"ch\xe2t"))
    first = load(folders, 8, folders / "c.npz")
    assert first.classes == (os.fsdecode(b"ch\xe2t"), "dog")
    assert "20 files" in fingerprint(folders, 8)
    assert_same(load(folders, 8, folders / "c.npz"), first)


def test_a_cache_is_used_until_the_data_change(lists: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = lists / "cache.npz"
    splits = load(lists, 8, cache)
    (lists / "images").rename(lists / "gone")
    assert_same(load(lists, 8, cache), splits)
    with pytest.raises(DataError, match=r"(?s)cache\.npz: .*at size 8.*and not.*at size 4"):
        load(lists, 4, cache)


def test_a_bad_size_is_refused_before_anything_else(lists: Path) -> None:
    with pytest.raises(ValueError, match="size=0"):
        load(lists, 0, lists / "cache.npz")
    assert not (lists / "cache.npz").exists()
    with pytest.raises(ValueError, match="size=-1"):
        fingerprint(lists, -1)


def test_a_file_that_keeps_splits_is_data_by_itself(lists: Path) -> None:
    kept = lists / "kept.npz"
    splits = load(lists, 8, cache=kept)
    for image in (lists / "images").iterdir():
        image.unlink()
    assert_same(load(kept, 8), splits)
    with pytest.raises(DataError, match=r"kept\.npz: its images are 8x8, not size=32: load it with size=8"):
        load(kept)
    kept.write_bytes(kept.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"kept\.npz: damaged"):
        load(kept, 8)
    with pytest.raises(MissingFileError, match="no such directory"):
        load(lists / "missing.npz")


@pytest.mark.parametrize("source", [load, idx, cifar10, image_folder, image_list])
def test_a_root_that_is_no_path_is_refused(source) -> None:
    with refused(TypeError, f"{source.__name__}: root is 5, expected a path: a string or a pathlib.Path"):
        source(5)
