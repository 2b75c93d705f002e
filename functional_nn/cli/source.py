"""The data that a command names, with its errors in a line that fits the command."""

from __future__ import annotations

import zipfile
from contextlib import suppress
from pathlib import Path

from functional_nn import data
from functional_nn.data import MissingFileError, Splits
from functional_nn.data.directory import load_whole
from functional_nn.data.splits import Split
from functional_nn.saving.containers import DOCUMENT

__all__ = ["every_image", "splits_of"]

EXPECTED = "give a folder that holds one folder of pictures for each class (functional-nn train --help has other forms)"


def splits_of(place: str, size: int, cache: Path | None) -> Splits:
    """Return the splits of DATA. Raises `ValueError` in a line where there are none, else as `data.load` does."""
    _check(place, cache)
    try:
        return data.load(place, size, cache)
    except MissingFileError as error:
        raise _in_a_line(place, error) from error


def every_image(place: str, size: int, cache: Path | None) -> tuple[Split, Splits]:
    """Return all images of DATA and the splits that they are from. Raises as `splits_of` does."""
    _check(place, cache)
    try:
        return load_whole(place, size, cache)
    except MissingFileError as error:
        raise _in_a_line(place, error) from error


def _check(place: str, cache: Path | None) -> None:
    for path in (Path(place), cache):
        if path is not None and _is_saved(path):
            raise ValueError(
                f"{path}: holds what train wrote, a network or a checkpoint, and no pictures: name another"
            )
    path = Path(place)
    if place == "digits" or path.is_dir():
        return
    if not path.exists():
        raise ValueError(f"{place}: there is no such folder: {EXPECTED}")
    if path.suffix != ".npz":
        raise ValueError(f"{place}: this is a file: {EXPECTED}")


def _is_saved(path: Path) -> bool:
    """Return whether `fnn.save` wrote the file."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with suppress(zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
        return DOCUMENT in archive.namelist()
    return False


def _in_a_line(place: str, error: MissingFileError) -> Exception:
    """Return the error; that which lists all forms of data becomes a line."""
    return ValueError(f"{place}: there are no pictures in it: {EXPECTED}") if "\n" in str(error) else error
