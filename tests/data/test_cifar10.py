from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from functional_nn.data import DataError, MissingFileError, cifar10

FILES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
LABELS = rng.integers(0, 10, 24, dtype=np.uint8)


def write(root: Path) -> None:
    root.mkdir(exist_ok=True)
    for i, name in enumerate(FILES):
        part = slice(4 * i, 4 * i + 4)
        records = (
            bytes([label]) + b"".join(image[:, :, c].tobytes() for c in range(3))
            for image, label in zip(IMAGES[part], LABELS[part].tolist(), strict=True)
        )
        (root / name).write_bytes(b"".join(records))


@pytest.mark.parametrize("folder", [".", "cifar-10-batches-bin"])
def test_planes_become_channels_and_files_keep_their_order(folder: str, tmp_path: Path) -> None:
    write(tmp_path / folder)
    splits = cifar10(tmp_path, val=5)
    assert splits.classes[::3] == ("airplane", "cat", "frog", "truck")
    for part, chosen in (("train", slice(0, 15)), ("val", slice(15, 20)), ("test", slice(20, 24))):
        images, labels = getattr(splits, part)
        np.testing.assert_array_equal(images, IMAGES[chosen])
        np.testing.assert_array_equal(labels, LABELS[chosen])
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        assert images.flags.c_contiguous


@pytest.mark.parametrize("size", [0, 4 * 3073 - 1, 4 * 3073 + 1, 3072])
def test_a_file_not_made_of_records_is_named(size: int, tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / FILES[2]).write_bytes(b"\1" * size)
    with pytest.raises(DataError, match=rf"data_batch_3\.bin: {size} bytes, expected a positive multiple of 3073"):
        cifar10(tmp_path, val=5)


def test_a_file_cut_between_records_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / FILES[4]).write_bytes(b"\1" * 3073 * 3)
    with pytest.raises(DataError, match=r"data_batch_5\.bin: 3 records, but data_batch_1\.bin has 4"):
        cifar10(tmp_path, val=5)


def test_a_label_above_9_is_named_with_its_record(tmp_path: Path) -> None:
    write(tmp_path)
    data = bytearray((tmp_path / FILES[5]).read_bytes())
    data[2 * 3073] = 10
    (tmp_path / FILES[5]).write_bytes(data)
    with pytest.raises(DataError, match=r"test_batch\.bin: label 10 in record 2, expected 0 \.\. 9"):
        cifar10(tmp_path, val=5)


def test_missing_files_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / FILES[1]).unlink()
    (tmp_path / FILES[5]).unlink()
    with pytest.raises(MissingFileError, match=r"there is no data_batch_2\.bin, test_batch\.bin; expected"):
        cifar10(tmp_path)


@pytest.mark.parametrize("name", ["data_batch_1", "cifar-10-batches-py/data_batch_1"])
def test_the_python_version_is_refused_by_name(name: str, tmp_path: Path) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(MissingFileError, match=r"Python version.*get the binary version"):
        cifar10(tmp_path)


def test_holding_out_everything_is_refused(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match="val=5000 examples to hold out of 20"):
        cifar10(tmp_path)
