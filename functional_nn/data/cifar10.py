"""CIFAR-10 in its binary version (Krizhevsky 2009). A record is a label and the three planes of a 32x32 image."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from functional_nn.arguments import as_path
from functional_nn.data.splits import Splits, check_val, hold_out, splits_from
from functional_nn.errors import DataError, MissingFileError
from functional_nn.files import exists, open_regular, regular_size

__all__ = ["cifar10", "files"]

SIZE = 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * SIZE * SIZE
TRAIN_FILES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_FILE = "test_batch.bin"
FOLDER = "cifar-10-batches-bin"  # the archive of the binary version unpacks to it


def cifar10(root: str | Path, val: int = 5000) -> Splits:
    """Return CIFAR-10 from the six files of its binary version, in `root` or in root/cifar-10-batches-bin.

    Images uint8 RGB (n, 32, 32, 3), labels int64 (n,) of 0 .. 9.
    The files are data_batch_1.bin .. data_batch_5.bin and test_batch.bin. Pickles are never read. The last `val`
    training examples, in the order of the files, are the validation split. A file may have fewer records than the
    10,000 of the original, but all five training files must have equally many, so that a truncated one is noticed.
    Raises `MissingFileError` for a missing file, and if only the Python version is there; `DataError`, which names
    the file, if it does not consist of records of 3073 bytes or has a label above 9, and for `val` outside
    1 .. n - 1.

    >>> from pathlib import Path
    >>> for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
    ...     records = Path(name).write_bytes(2 * (bytes([3]) + bytes(3072)))  # two black cats each
    >>> data.cifar10(".", val=2).train[0].shape
    (8, 32, 32, 3)
    """
    folder = _folder(as_path("cifar10", "root", root))
    sizes = {name: _records(folder / name) for name in (*TRAIN_FILES, TEST_FILE)}
    for name in TRAIN_FILES[1:]:
        if sizes[name] != sizes[TRAIN_FILES[0]]:
            raise DataError(
                f"{folder / name}: {sizes[name]} records, but {TRAIN_FILES[0]} has {sizes[TRAIN_FILES[0]]}: "
                "one of them is truncated: download it again"
            )
    check_val(str(folder), sum(sizes[name] for name in TRAIN_FILES), val)
    train, held_out = hold_out(*_read(folder, TRAIN_FILES, sizes), val)
    return splits_from(f"CIFAR-10 in {folder}", train, held_out, _read(folder, (TEST_FILE,), sizes), CLASSES)


def files(root: Path) -> Iterator[Path]:
    """Yield those of the six files that exist."""
    paths = (folder / name for folder in (root, root / FOLDER) for name in (*TRAIN_FILES, TEST_FILE))
    return (path for path in paths if path.is_file())


def _folder(root: Path) -> Path:
    folder = next((f for f in (root, root / FOLDER) if exists(f / TRAIN_FILES[0])), root)
    missing = [name for name in (*TRAIN_FILES, TEST_FILE) if not exists(folder / name)]
    if not missing:
        return folder
    advice = "expected data_batch_1.bin .. data_batch_5.bin and test_batch.bin"
    if (root / "data_batch_1").is_file() or (root / "cifar-10-batches-py").is_dir():
        advice = "this is the Python version, which consists of pickles: get the binary version, cifar-10-binary.tar.gz"
    raise MissingFileError(f"{folder}: there is no {', '.join(missing)}; {advice}")


def _records(path: Path) -> int:
    size = regular_size(path)
    if size == 0 or size % RECORD:
        raise DataError(
            f"{path}: {size} bytes, expected a positive multiple of {RECORD}, a label and an image of {SIZE}x{SIZE}x3: "
            "download the file again"
        )
    return size // RECORD


def _read(folder: Path, names: tuple[str, ...], sizes: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    n = sum(sizes[name] for name in names)
    images, labels = np.empty((n, SIZE, SIZE, 3), np.uint8), np.empty(n, np.int64)
    start = 0
    for name in names:
        records = _records_of(folder / name, sizes[name])
        outside = np.flatnonzero(records[:, 0] >= len(CLASSES))
        if outside.size:
            i = outside[0]
            raise DataError(f"{folder / name}: label {records[i, 0]} in record {i}, expected 0 .. {len(CLASSES) - 1}")
        stop = start + len(records)
        labels[start:stop] = records[:, 0]
        images[start:stop] = records[:, 1:].reshape(-1, 3, SIZE, SIZE).transpose(0, 2, 3, 1)
        start = stop
    return images, labels


def _records_of(path: Path, n: int) -> np.ndarray:
    with open_regular(path) as stream:
        data = stream.read(n * RECORD)
    if len(data) != n * RECORD:
        raise DataError(f"{path}: the file changed while it was read: wait until it is complete")
    return np.frombuffer(data, np.uint8).reshape(n, RECORD)
