"""MNIST and its kin in IDX files, gzipped or not (LeCun, Cortes and Burges, the MNIST database).

An IDX file begins with two zero bytes, the code of the data type and the number of dimensions. Each dimension follows
in four bytes, the most significant first, and then the data in row-major order.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from functional_nn.arguments import as_path
from functional_nn.data.splits import Splits, check_size, check_val, hold_out, numbered, splits_from
from functional_nn.errors import DataError, MissingFileError
from functional_nn.files import exists, open_regular

__all__ = ["files", "idx", "read_idx"]

NAMES = (("train", "train-images", "train-labels"), ("test", "t10k-images", "t10k-labels"))
DTYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
UINT8 = 8
READ_SIZE = 2**20
GZIP_START = b"\x1f\x8b"


def idx(root: str | Path, size: int | None = 32, val: int = 5000) -> Splits:
    """Return the images of the four IDX files in the directory `root`.

    Images uint8 (n, size, size, 1), labels int64 (n,); the names of the classes are their numbers, as in MNIST.
    The files are train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
    t10k-labels-idx1-ubyte, or the same with `.idx3-ubyte` or `.idx1-ubyte`, each with or without .gz. Images are
    centred in a black square of `size` (LeNet-5 takes MNIST at 32x32: LeCun, Bottou, Bengio and Haffner 1998); None
    keeps their size. The last `val` training examples, in the order of the file, are the validation split.
    Raises `MissingFileError` for a missing file; `DataError`, which names the file, if it is no IDX file of bytes,
    has another number of dimensions, or holds more or less than its header says; and `DataError` if there are more
    or fewer labels than images, if training and test images differ in size, and for `val` outside 1 .. n - 1.

    >>> from pathlib import Path
    >>> for name, shape in {"images-idx3": (4, 28, 28), "labels-idx1": (4,)}.items():
    ...     head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    ...     for part in ("train", "t10k"):
    ...         length = Path(f"{part}-{name}-ubyte").write_bytes(head + bytes(int(np.prod(shape))))
    >>> data.idx(".", val=1)
    <Splits: IDX files in ., with 3 training, 1 validation and 4 test images of 32x32x1 in 1 classes>
    """
    if size is not None:
        check_size(size)
    root = as_path("idx", "root", root)
    # All headers are compared before a gzip is unpacked: gigabytes of images may stand beside ten labels.
    paths = {part: (_find(root, labels, 1), _find(root, images, 3)) for part, images, labels in NAMES}
    shapes = {part: _check_pair(*pair, size) for part, pair in paths.items()}
    if shapes["train"][1:] != shapes["test"][1:]:
        raise DataError(f"{root}: training images are {shapes['train'][1:]}, test images {shapes['test'][1:]}")
    check_val(str(root), shapes["train"][0], val)
    parts = {}
    for part, (labels_path, images_path) in paths.items():
        labels, images = read_idx(labels_path, 1), read_idx(images_path, 3)
        parts[part] = (_framed(images, size), labels.astype(np.int64))
    classes = numbered(parts["train"][1], parts["test"][1])
    return splits_from(f"IDX files in {root}", *hold_out(*parts["train"], val), parts["test"], classes)


def files(root: Path) -> Iterator[Path]:
    """Yield those of the four files that exist."""
    for _, images_name, labels_name in NAMES:
        candidates = (*_candidates(root, images_name, 3), *_candidates(root, labels_name, 1))
        yield from (path for path in candidates if path.is_file())


def read_idx(path: str | Path, dimensions: int) -> np.ndarray:
    """Return the uint8 array of an IDX file, gzipped or not, which must have this number of `dimensions`.

    Raises `DataError`, which names the file, for another magic number, data type or number of dimensions, for an
    empty array, for more or less data than the header says, and for a corrupt gzip.
    """
    path = Path(path)
    with _unzipped(path) as stream:
        return _read_array(path, stream, _read_header(path, stream, dimensions))


def _check_pair(labels_path: Path, images_path: Path, size: int | None) -> tuple[int, int, int]:
    """Return the shape of the images. Read only the headers, and compare them with each other and with `size`."""
    with _unzipped(labels_path) as stream:
        (n_labels,) = _read_header(labels_path, stream, 1)
    with _unzipped(images_path) as stream:
        n, height, width = _read_header(images_path, stream, 3)
    if n_labels != n:
        raise DataError(
            f"{labels_path}: {n_labels} labels for the {n} images of {images_path}: these files do not belong together"
        )
    if size is not None and size < max(height, width):
        raise DataError(
            f"{images_path}: images of {height}x{width} do not fit into size={size}: choose a larger size, or None"
        )
    return n, height, width


@contextmanager
def _unzipped(path: Path) -> Iterator[BinaryIO]:
    """Open a file, gzipped or not, for reading. Raise `DataError`, which names it, for a corrupt gzip."""
    try:
        with open_regular(path) as raw:
            zipped = raw.read(2) == GZIP_START  # not by name: some browsers unpack a file and keep .gz
            raw.seek(0)
            if not zipped:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as unzipped:
                yield cast(BinaryIO, unzipped)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: corrupt or truncated gzip ({error}): download the file again") from error


def _read_array(path: Path, stream: BinaryIO, shape: tuple[int, ...]) -> np.ndarray:
    expected = math.prod(shape)
    # In pieces, because a header may claim terabytes. One byte more than expected, to see whether the file goes on;
    # a gzip compares its checksum there.
    data = bytearray()
    while len(data) <= expected and (piece := stream.read(min(READ_SIZE, expected + 1 - len(data)))):
        data += piece
    if len(data) != expected:
        actual = f"{len(data)} bytes" if len(data) < expected else "more than that"
        raise DataError(
            f"{path}: the header says {' x '.join(map(str, shape))} = {expected} bytes, "
            f"the file holds {actual}: download it again"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _read_header(path: Path, stream: BinaryIO, dimensions: int) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DataError(
            f"{path}: begins with {magic.hex(' ')!r}, but an IDX file of bytes with '00 00 08': this is no IDX file"
        )
    if magic[2] != UINT8:
        name = DTYPES.get(magic[2], "unknown")
        raise DataError(f"{path}: dtype code 0x{magic[2]:02x} ({name}), expected 0x08 (uint8): convert it to bytes")
    if magic[3] != dimensions:
        kind = {1: "labels", 3: "images"}.get(dimensions, "this file")
        raise DataError(f"{path}: {magic[3]} dimensions, expected {dimensions} for {kind}: are the files mixed up?")
    lengths = stream.read(4 * dimensions)
    if len(lengths) < 4 * dimensions:
        raise DataError(f"{path}: the file ends within its header: download it again")
    shape = struct.unpack(f">{dimensions}I", lengths)
    if 0 in shape:
        raise DataError(f"{path}: the header says {' x '.join(map(str, shape))}: the file is empty")
    return shape


def _framed(images: np.ndarray, size: int | None) -> np.ndarray:
    """Centre images (n, h, w) on black (n, size, size, 1). An odd row is added below, an odd column on the right."""
    if size is None:
        return images[..., np.newaxis]
    n, height, width = images.shape
    framed = np.zeros((n, size, size, 1), np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    framed[:, top : top + height, left : left + width, 0] = images
    return framed


def _candidates(root: Path, name: str, dimensions: int) -> list[Path]:
    return [root / f"{name}{mark}idx{dimensions}-ubyte{end}" for mark in "-." for end in ("", ".gz")]


def _find(root: Path, name: str, dimensions: int) -> Path:
    paths = _candidates(root, name, dimensions)
    for path in paths:
        if exists(path):
            return path
    dashed, _, dotted, _ = (path.name for path in paths)
    raise MissingFileError(f"{root}: there is neither {dashed} nor {dotted}, with or without .gz")
