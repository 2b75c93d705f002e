"""Archives in NumPy's .npz format: not compressed, and without pickles.

A reader compares every size with the file before it allocates memory. `np.load` reads these archives too.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

__all__ = ["DTYPES", "Archive", "write"]

INTEGERS = tuple(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))
FLOATS = ("float16", "float32", "float64", "complex64", "complex128")
DTYPES = frozenset(map(np.dtype, ("bool", *INTEGERS, *FLOATS)))
HEADER_LIMIT = 512  # characters of an array's description; that of 64 axes, NumPy's most, has 260 and more
READ_SIZE = 2**20
ENDING = ".npy"
PERMISSIONS = 0o644 << 16  # of a file that `unzip` makes of an entry


def write(stream: BinaryIO, arrays: Mapping[str, np.ndarray], texts: Mapping[str, bytes]) -> None:
    """Write the entries: arrays of `DTYPES` in any order in memory, and texts under names of their own.

    The same entries give the same bytes: no time is written.
    """
    with _written_archive(stream) as archive:
        for name, text in texts.items():
            _write_entry(archive, name, text)
        for name, array in arrays.items():
            array = np.asarray(array, order="C")
            header = io.BytesIO()
            npy.write_array_header_1_0(header, npy.header_data_from_array_1_0(array))
            _write_entry(archive, name + ENDING, header.getvalue(), array.reshape(-1).view(np.uint8))


@contextmanager
def _written_archive(stream: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Yield an archive, and close it unless the body raises: to close half an entry would raise another error."""
    archive = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)
    try:
        yield archive
    except BaseException:
        archive.fp = None  # as a closed one has it
        raise
    archive.close()


def _write_entry(archive: zipfile.ZipFile, name: str, *pieces: Any) -> None:
    """Write an entry of these pieces, bytes or arrays of them."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = PERMISSIONS
    entry.file_size = sum(map(len, pieces))  # from which zipfile knows whether it needs 64 bits for it
    with archive.open(entry, "w") as stream:
        for piece in pieces:
            stream.write(piece)


class Archive:
    """The entries of an archive. A damaged one raises `ValueError` or nearly any error of `zipfile` and NumPy."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read the table of entries: each must be there once and be stored as it is, within the file."""
        self._archive = zipfile.ZipFile(stream)
        length = stream.seek(0, os.SEEK_END)
        entries = self._archive.infolist()
        self.names: set[str] = set()
        for entry in entries:
            if entry.filename in self.names:
                raise ValueError(f"{entry.filename} is in the archive more than once")
            self.names.add(entry.filename)
            if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
                raise ValueError(f"{entry.filename} is compressed")
            if entry.header_offset < 0 or entry.header_offset + entry.file_size > length:
                raise ValueError(f"{entry.filename} has {entry.file_size} bytes, which the file does not hold")
        if sum(entry.file_size for entry in entries) > length:
            raise ValueError("the entries together are larger than the file")

    def text(self, name: str) -> bytes:
        """Return the bytes of a text."""
        return self._archive.read(name)

    def array(self, name: str) -> np.ndarray:
        """Return a new array in row-major order, in the machine's byte order."""
        member = self._archive.getinfo(name + ENDING)
        with self._archive.open(member) as stream:
            if npy.read_magic(stream) != (1, 0):
                raise ValueError(f"{name} is in another version of NumPy's format")
            shape, by_columns, dtype = npy.read_array_header_1_0(stream, max_header_size=HEADER_LIMIT)
            if by_columns or dtype.newbyteorder("=") not in DTYPES:
                raise ValueError(f"{name} holds {dtype}, expected numbers in row-major order")
            size, actual = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
            if size != actual:
                raise ValueError(f"{name} has {actual} bytes, its header says {shape} of {dtype}")
            array = np.empty(shape, dtype)
            _fill(array.reshape(-1).view(np.uint8), stream)
        return array.astype(dtype.newbyteorder("="), copy=False)


def _fill(data: np.ndarray, stream: IO[bytes]) -> None:
    """Fill the bytes `data` from the stream. At the last byte of a member, zipfile compares the checksum."""
    for start in range(0, len(data), READ_SIZE):
        piece = stream.read(min(READ_SIZE, len(data) - start))
        data[start : start + len(piece)] = np.frombuffer(piece, np.uint8)
        if len(piece) < min(READ_SIZE, len(data) - start):
            raise EOFError(f"ends after {start + len(piece)} bytes, expected {len(data)}")
