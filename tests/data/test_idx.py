from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functional_nn.data import DataError, MissingFileError, idx
from functional_nn.data.idx import read_idx

WriteIdx = Callable[..., Path]
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = rng.integers(0, 10, 20, dtype=np.uint8)


@pytest.fixture
def root(tmp_path: Path, write_idx: WriteIdx) -> Path:
    """Twenty training examples, five test examples."""
    write_idx(tmp_path / "train-images-idx3-ubyte", IMAGES)
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", IMAGES[::4])
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", LABELS[::4])
    return tmp_path


def zip_up(path: Path) -> Path:
    zipped = path.with_name(path.name + ".gz")
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return zipped


def check(root: Path) -> None:
    splits = idx(root, size=None, val=6)
    assert splits.classes == tuple("0123456789")
    for part, images, labels in (
        ("train", IMAGES[:14], LABELS[:14]),
        ("val", IMAGES[14:], LABELS[14:]),
        ("test", IMAGES[::4], LABELS[::4]),
    ):
        np.testing.assert_array_equal(getattr(splits, part)[0], images[..., np.newaxis])
        np.testing.assert_array_equal(getattr(splits, part)[1], labels)
        assert getattr(splits, part)[0].dtype == np.uint8
        assert getattr(splits, part)[1].dtype == np.int64


def test_the_files_are_read_and_the_end_of_training_is_held_out(root: Path) -> None:
    check(root)


def test_gzip_and_either_spelling_are_read(root: Path) -> None:
    for i, path in enumerate(sorted(root.iterdir())):
        path = path.rename(root / path.name.replace("-idx", ".idx")) if i % 2 else path
        if i > 1:
            zip_up(path)
    assert len({path.suffix for path in root.iterdir()}) > 1
    check(root)


def test_gzip_is_told_by_its_content(root: Path) -> None:
    zip_up(root / "train-images-idx3-ubyte").rename(root / "train-images-idx3-ubyte")
    path = root / "t10k-images-idx3-ubyte"
    path.rename(root / "t10k-images-idx3-ubyte.gz")
    check(root)


def test_images_are_centred_on_black(root: Path) -> None:
    train = idx(root, val=6).train[0]
    assert train.shape == (14, 32, 32, 1)
    np.testing.assert_array_equal(train[:, 2:30, 2:30, 0], IMAGES[:14])
    assert int(train.sum()) == int(IMAGES[:14].sum())
    odd = idx(root, size=31, val=6).test[0]
    np.testing.assert_array_equal(odd[:, 1:29, 1:29, 0], IMAGES[::4])


def test_images_larger_than_the_frame_are_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"t10k|train-images-idx3-ubyte: images of 28x28 do not fit into size=27"):
        idx(root, size=27)
    with pytest.raises(ValueError, match="size=0"):
        idx(root, size=0)


@pytest.mark.parametrize("val", [0, 20, 5000])
def test_a_validation_part_that_is_nothing_or_all_is_refused(val: int, root: Path) -> None:
    with pytest.raises(DataError, match=f"val={val} examples to hold out of 20"):
        idx(root, val=val)


@pytest.mark.parametrize("name", ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"])
def test_a_missing_file_is_named_in_both_spellings(name: str, root: Path) -> None:
    (root / f"{name}-ubyte").unlink()
    dotted = name.replace("-idx", ".idx")
    with pytest.raises(MissingFileError, match=rf"there is neither {name}-ubyte nor {dotted}-ubyte, .*\.gz"):
        idx(root)


def test_labels_that_are_not_as_many_as_the_images_are_refused(root: Path, write_idx: WriteIdx) -> None:
    write_idx(root / "t10k-labels-idx1-ubyte", LABELS[:6])
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte: 6 labels for the 5 images of .*t10k-images"):
        idx(root, val=6)


def test_test_images_of_another_size_are_refused(root: Path, write_idx: WriteIdx) -> None:
    write_idx(root / "t10k-images-idx3-ubyte", IMAGES[::4, :26])
    with pytest.raises(DataError, match=r"training images are \(28, 28\), test images \(26, 28\)"):
        idx(root, size=None, val=6)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.booleans(), st.data())
def test_what_is_written_is_read_and_any_other_length_is_an_error(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], zipped: bool, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("idx") / "x"
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    header = bytes((0, 0, 8, len(shape))) + np.array(shape, ">u4").tobytes()
    whole = header + array.tobytes()

    def write(content: bytes) -> None:
        path.write_bytes(gzip.compress(content) if zipped else content)

    write(whole)
    np.testing.assert_array_equal(read_idx(path, len(shape)), array)
    write(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DataError, match="x: "):
        read_idx(path, len(shape))
    write(whole + data.draw(st.binary(min_size=1, max_size=20)))
    with pytest.raises(DataError, match="the file holds more"):
        read_idx(path, len(shape))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this is no IDX file"),
        (b"\x89PNG\r\n\x1a\n", "begins with '89 50 4e 47'.*this is no IDX file"),
        (b"\x08\x03\0\0" + b"\0" * 12, "begins with '08 03 00 00'"),
        (b"\0\0\x0d\x03" + b"\0" * 12, r"dtype code 0x0d \(float32\), expected 0x08"),
        (b"\0\0\x07\x03" + b"\0" * 12, r"dtype code 0x07 \(unknown\)"),
        (b"\0\0\x08\x01\0\0\0\x01\0", "1 dimensions, expected 3 for images"),
        (b"\0\0\x08\x03\0\0\0\x01", "ends within its header"),
        (b"\0\0\x08\x03\0\0\0\0\0\0\0\x02\0\0\0\x02", "0 x 2 x 2: the file is empty"),
        (b"\0\0\x08\x03\0\0\0\x14\0\0\0\x1c\0\0\0\x1cabc", "20 x 28 x 28 = 15680 bytes, the file holds 3 bytes"),
    ],
)
def test_a_bad_header_is_named(content: bytes, message: str, root: Path) -> None:
    (root / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(DataError, match=rf"train-images-idx3-ubyte: .*{message}"):
        idx(root, val=6)


def test_labels_that_are_not_one_dimensional_are_refused(root: Path, write_idx: WriteIdx) -> None:
    write_idx(root / "train-labels-idx1-ubyte", LABELS[:, np.newaxis])
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte: 2 dimensions, expected 1 for labels"):
        idx(root)


@pytest.mark.parametrize("damage", ["cut", "flipped", "cut in the header", "checksum", "block type"])
def test_a_damaged_gzip_is_an_error(damage: str, root: Path) -> None:
    path = zip_up(root / "train-images-idx3-ubyte")
    data = bytearray(path.read_bytes())
    if damage.startswith("cut"):
        del data[5 if "header" in damage else len(data) // 2 :]
    else:
        data[{"checksum": -5, "block type": 10}.get(damage, len(data) // 2)] ^= 255
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz: corrupt or truncated gzip"):
        idx(root, val=6)


@pytest.mark.parametrize("zipped", [False, True])
def test_a_header_that_claims_terabytes_allocates_nothing(zipped: bool, root: Path, write_idx: WriteIdx) -> None:
    path = write_idx(root / "train-images-idx3-ubyte", IMAGES, shape=(2**31, 2**15, 2**15))
    if zipped:
        path = zip_up(path)
    message = f"= {2**61} bytes, the file holds {IMAGES.size} bytes"
    assert peak(lambda: read_idx(path, 3), message) < 8 * 2**20


def test_a_gzip_that_unpacks_to_more_than_its_header_says_is_not_unpacked(root: Path, write_idx: WriteIdx) -> None:
    path = write_idx(root / "train-images-idx3-ubyte", np.zeros(64 * 2**20, np.uint8), shape=(20, 28, 28))
    zip_up(path)
    unpacks_nothing(root, "the file holds more", val=6)


@pytest.fixture
def large(root: Path, write_idx: WriteIdx) -> Path:
    """Gzipped training images of 64 MiB, in a directory that holds 20 labels for them."""
    zip_up(write_idx(root / "train-images-idx3-ubyte", np.zeros((2**16, 32, 32), np.uint8)))
    return root


def peak(read: Callable[[], object], message: str) -> int:
    """Return the most bytes that `read` holds until it fails."""
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def unpacks_nothing(root: Path, message: str, **given: int) -> None:
    assert peak(lambda: idx(root, **given), message) < 8 * 2**20


def test_e3_images_that_are_more_than_the_labels_are_not_unpacked(large: Path) -> None:
    unpacks_nothing(large, r"20 labels for the 65536 images of .*train-images-idx3-ubyte\.gz")


def test_e3_images_of_a_wrong_size_are_not_unpacked(large: Path, write_idx: WriteIdx) -> None:
    zip_up(write_idx(large / "train-labels-idx1-ubyte", np.zeros(2**16, np.uint8)))
    unpacks_nothing(large, r"images of 32x32 do not fit into size=31", size=31)
    unpacks_nothing(large, r"training images are \(32, 32\), test images \(28, 28\)")


def test_e3_images_are_not_unpacked_for_a_bad_val(large: Path, write_idx: WriteIdx) -> None:
    write_idx(large / "train-labels-idx1-ubyte", np.zeros(2**16, np.uint8))
    write_idx(large / "t10k-images-idx3-ubyte", np.zeros((5, 32, 32), np.uint8))
    unpacks_nothing(large, "val=65536 examples to hold out of 65536", val=2**16)


def test_e3_no_more_is_read_out_of_a_gzip_than_its_header_says_and_one_byte(
    root: Path, write_idx: WriteIdx, monkeypatch: pytest.MonkeyPatch
) -> None:
    zip_up(write_idx(root / "train-images-idx3-ubyte", np.zeros(8 * 2**20, np.uint8), shape=(20, 28, 28)))
    read: list[int] = []
    decompress = gzip.GzipFile.read
    monkeypatch.setattr(
        gzip.GzipFile, "read", lambda file, size: read.append(len(data := decompress(file, size))) or data
    )
    with pytest.raises(DataError, match="the file holds more"):
        idx(root, val=6)
    header = 16
    assert sum(read) == header + header + 20 * 28 * 28 + 1  # the header is read twice, alone and with its array


def test_the_arrays_may_be_written_to(root: Path) -> None:
    idx(root, size=None, val=6).train[0][0] = 0


def test_mnist(real_data: Callable[[str], Path]) -> None:
    splits = idx(real_data("mnist"))
    assert {part: images.shape for part, (images, _) in splits.items()} == {
        "train": (55_000, 32, 32, 1),
        "val": (5_000, 32, 32, 1),
        "test": (10_000, 32, 32, 1),
    }
    assert splits.classes == tuple("0123456789")
    counts = np.bincount(np.concatenate([splits.train[1], splits.val[1]]))
    assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]  # as published
    assert np.bincount(splits.test[1]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert splits.train[1][:5].tolist() == [5, 0, 4, 1, 9]
    frame = splits.train[0].copy()
    frame[:, 2:30, 2:30] = 0
    assert not frame.any()
