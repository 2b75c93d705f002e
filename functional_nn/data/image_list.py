"""Images that three lists name: train.txt, val.txt and test.txt, one line `relative/path.jpg label` for each image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from functional_nn.data.decoding import decode
from functional_nn.data.errors import DataError, MissingFileError
from functional_nn.data.files import exists, open_regular
from functional_nn.data.splits import Splits, check_size

__all__ = ["files", "image_list"]

LISTS = ("train.txt", "val.txt", "test.txt")
LABEL_DIGITS = 18  # every number of 18 digits fits into int64


def image_list(root: str | Path, size: int = 32) -> Splits:
    """Return the images that train.txt, val.txt and test.txt in the directory `root` name, scaled to size x size.

    {"train": (images, labels), "val": ..., "test": ...}, images uint8 RGB (n, size, size, 3), labels int64 (n,), in the
    order of the lists. An image that is listed twice appears twice. `decode` describes how images are scaled and
    which colours they may have.
    A line is a path relative to `root`, white space, and the label, an integer of at least 0. The path may contain
    spaces. Lines may end in CR LF, and empty lines may end the file. A path that leads out of `root` by its spelling
    (`/x`, `../x`) is refused. Symbolic links are followed: the owner of the directory made them.
    Raises `MissingFileError` for a missing list or image and `DataError` for everything else. Both name the list and
    the line: `train.txt:17: ...`. All lines are checked before the first image is decoded.
    """
    check_size(size)
    root = Path(root)
    missing = [name for name in LISTS if not exists(root / name)]
    if missing:
        raise MissingFileError(
            f"{root}: there is no {' and no '.join(missing)}; expected train.txt, val.txt and test.txt in this "
            "directory, with one line `relative/path.jpg label` for each image"
        )
    lists = {name.removesuffix(".txt"): (root / name, *_parse(root / name)) for name in LISTS}
    return {name: (_decode(file, paths, size), labels) for name, (file, paths, labels) in lists.items()}


def files(root: Path) -> Iterator[Path]:
    """Yield those of the three lists that exist."""
    return (path for path in (root / name for name in LISTS) if path.is_file())


def _decode(file: Path, paths: list[str], size: int) -> np.ndarray:
    return decode([os.path.join(file.parent, path) for path in paths], size, lambda i: f"{file}:{i + 1}")


def _parse(file: Path) -> tuple[list[str], np.ndarray]:
    """Return the paths and the labels (n,) of a list. Raise for the first line that cannot be used."""
    lines = _lines(file)
    paths: list[str] = []
    labels: list[int] = []
    for number, line in enumerate(lines, 1):
        try:
            path, label = line.rsplit(maxsplit=1)
        except ValueError:
            content = "an empty line" if not line.strip() else f"{line.strip()!r} alone"
            raise DataError(f"{file}:{number}: {content}, expected `relative/path.jpg label`") from None
        if not (label.isascii() and label.isdigit() and len(label) <= LABEL_DIGITS):
            raise DataError(
                f"{file}:{number}: label {label!r}, expected an integer of at least 0 after the path, as in `{path} 0`"
            )
        if _leaves_root(path):
            raise DataError(
                f"{file}:{number}: path {path!r} leads out of {file.parent}: move or link the image into that directory"
            )
        paths.append(path)
        labels.append(int(label))
    if not paths:
        raise DataError(f"{file}: the list is empty, expected one line `relative/path.jpg label` for each image")
    return paths, np.array(labels, np.int64)


def _lines(file: Path) -> list[str]:
    with open_regular(file) as stream:
        data = stream.read()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}:{number}: not UTF-8 ({error.reason}): save the list as UTF-8") from error
    # Only at "\n": str.splitlines also splits at characters that a file name may contain.
    lines = text.removeprefix("\ufeff").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _leaves_root(path: str) -> bool:
    """Return whether a path leads out of its root by its spelling, or contains NUL, which no file name does."""
    if os.path.isabs(path) or os.path.splitdrive(path)[0] or "\0" in path:
        return True
    return ".." in path and ".." in re.split(r"[/\\]", path)
