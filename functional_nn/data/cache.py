"""A cache: one file that keeps decoded splits, so that images are decoded once. It names the source of the splits."""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from functional_nn.data.errors import DataError
from functional_nn.data.files import exists, open_regular
from functional_nn.data.splits import NAMES, Splits

__all__ = ["cached"]

HEADER_LIMIT = 200  # characters of an array's description; those of ours have at most 118
READ_SIZE = 2**20


def cached(file: str | Path, source: str, load: Callable[[], Splits]) -> Splits:
    """Return the splits in `file`. If there is no such file yet, call `load()`, write its splits there and return them.

    `source` describes the data that the splits come from, for example by `fingerprint`. The file keeps it, and a
    cache of another source is refused.
    The file is an uncompressed .npz without pickles. It is written under another name and then renamed, so that no
    reader sees half of it. Missing directories above it are created.
    Raises `DataError`, which names the file, if it has another source, is damaged, or is no such cache. Raises
    before it calls `load`: `DataError` if the path is a directory or another special file, `OSError` if nothing can
    be written there. Raises `TypeError` and writes nothing if `load` returns no `Splits`.
    """
    file = Path(file)
    if exists(file):
        return _read(file, source)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.urandom(4).hex()}.unfinished")
    unfinished.touch(exist_ok=False)  # fails before the work if nothing can be written there
    unfinished.unlink()
    splits = load()
    if not isinstance(splits, Splits):
        raise TypeError(f"{file}: load() returned {type(splits).__name__}, expected data.Splits: nothing was written")
    _write(file, unfinished, source, splits)
    return splits


def _write(file: Path, unfinished: Path, source: str, splits: Splits) -> None:
    about = {"source": source, "classes": splits.classes, "description": splits.description}
    arrays = {"about": np.frombuffer(json.dumps(about).encode("ascii"), np.uint8)}
    for name, (images, labels) in splits.items():
        arrays |= {f"{name}_images": np.ascontiguousarray(images), f"{name}_labels": np.ascontiguousarray(labels)}
    try:
        with unfinished.open("xb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _read(file: Path, source: str) -> Splits:
    with open_regular(file) as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                about = json.loads(_array(archive, "about").tobytes())
                if about["source"] == source:
                    train, val, test = (
                        (_array(archive, f"{name}_images"), _array(archive, f"{name}_labels")) for name in NAMES
                    )
                    return Splits(train, val, test, tuple(about["classes"]), about["description"])
        except Exception as error:  # a damaged file makes zipfile and NumPy raise nearly anything
            raise DataError(
                f"{file}: damaged, or no cache of splits that this version wrote ({type(error).__name__}: {error}): "
                "delete the file, or name another one"
            ) from error
    raise DataError(
        f"{file}: the source of this cache is\n  {about['source']}\nand not\n  {source}\n"
        "delete the cache, or name another file"
    )


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """Return an array of the archive. Compare its header with the bytes in the file before memory is allocated."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
        raise ValueError(f"{name} is compressed")
    with archive.open(member) as stream:
        if npy.read_magic(stream) != (1, 0):
            raise ValueError(f"{name} is in another version of NumPy's format")
        shape, by_columns, dtype = npy.read_array_header_1_0(stream, max_header_size=HEADER_LIMIT)
        if by_columns or dtype not in (np.uint8, np.int64):
            raise ValueError(f"{name} holds {dtype}, expected uint8 or int64 in row-major order")
        size, actual = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
        if size != actual or member.header_offset + member.compress_size > _length(archive):
            raise ValueError(f"{name} has {actual} bytes, its header says {shape} of {dtype}")
        array = np.empty(shape, dtype)
        _fill(array.reshape(-1).view(np.uint8), stream)
    return array


def _length(archive: zipfile.ZipFile) -> int:
    assert archive.fp is not None
    return archive.fp.seek(0, os.SEEK_END)


def _fill(data: np.ndarray, stream: IO[bytes]) -> None:
    """Fill the bytes `data` from the stream. At the last byte of a member, zipfile compares the checksum."""
    for start in range(0, len(data), READ_SIZE):
        piece = stream.read(min(READ_SIZE, len(data) - start))
        data[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        if len(piece) < min(READ_SIZE, len(data) - start):
            raise EOFError(f"ends after {start + len(piece)} bytes, expected {len(data)}")
