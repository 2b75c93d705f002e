"""Splits kept in one file, so that decoding happens once; a cache says what it was made from."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from functional_nn.data.errors import DataError
from functional_nn.data.files import exists, open_regular
from functional_nn.data.splits import Splits

__all__ = ["cached"]

PARTS = ("train", "val", "test")


def cached(file: str | Path, source: str, load: Callable[[], Splits]) -> Splits:
    """Return the splits in `file`; where it is not there yet, those of `load()`, after writing them to it.

    `source` says what the splits are made from, as `fingerprint` does; it is kept in the file and compared.
    The file is an uncompressed .npz without pickles. It is written under another name and then put in its place, so
    that no reader ever meets half of it; directories above it are made.
    Raises `DataError`, naming the file, where it was made from another source, is damaged, or is no such cache.
    """
    file = Path(file)
    if exists(file):
        return _read(file, source)
    splits = load()
    _write(file, source, splits)
    return splits


def _write(file: Path, source: str, splits: Splits) -> None:
    if splits.keys() != set(PARTS):
        raise DataError(
            f"{file}: load() returned {', '.join(splits)}, expected train, val and test: nothing was written"
        )
    arrays = {"source": np.array(source)}
    for part, (images, labels) in splits.items():
        arrays |= {f"{part}_images": images, f"{part}_labels": labels}
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{os.urandom(4).hex()}.unfinished")
    try:
        with unfinished.open("xb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        os.replace(unfinished, file)
    finally:
        unfinished.unlink(missing_ok=True)


def _read(file: Path, source: str) -> Splits:
    try:
        # Opened here, since np.load leaves a file open that turns out to be no archive.
        with open_regular(file) as stream, np.load(stream, allow_pickle=False) as arrays:
            made_from = str(arrays["source"])
            if made_from != source:
                raise DataError(
                    f"{file}: this cache was made from\n  {made_from}\nand not from\n  {source}\n"
                    "delete it, or name another file"
                )
            return {part: _split(arrays[f"{part}_images"], arrays[f"{part}_labels"]) for part in PARTS}
    except DataError:
        raise
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{file}: damaged, or no cache of splits ({error}): delete it, or name another file") from error


def _split(images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if images.dtype != np.uint8 or images.ndim != 4 or labels.dtype != np.int64 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"images {images.dtype} {images.shape}, labels {labels.dtype} {labels.shape}, "
            "expected uint8 (n, h, w, c) and int64 (n,)"
        )
    return images, labels
