"""Images that three lists name: train.txt, val.txt and test.txt, one line `relative/path.jpg label` for each image."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from functional_nn.arguments import as_path
from functional_nn.data.class_names import class_names
from functional_nn.data.decoding import decode_parts
from functional_nn.data.splits import Splits, check_size, numbered, splits_from
from functional_nn.errors import DataError, MissingFileError
from functional_nn.files import exists, text_lines

__all__ = ["files", "image_list"]

LISTS = ("train.txt", "val.txt", "test.txt")
CLASSES = "classes.txt"
LABEL_DIGITS = 6  # the classes are numbered, and a million of them is no mistake yet


def image_list(root: str | Path, size: int = 32) -> Splits:
    """Return the images that train.txt, val.txt and test.txt in the directory `root` name, scaled to size x size.

    Images uint8 RGB (n, size, size, 3), labels int64 (n,), in the order of the lists. An image that is listed twice
    appears twice. `decode` describes how images are scaled and which colours they may have.
    A line is a path relative to `root`, white space, and the label, an integer from 0 to 999999. The path may contain
    spaces. Lines may end in CR LF, and empty lines may end the file. A path that leads out of `root` by its spelling
    (`/x`, `../x`) is refused. Symbolic links are followed: the owner of the directory made them.
    A file classes.txt beside the lists names the classes: see `class_names`. Without it, their numbers are the names.
    Raises `MissingFileError` for a missing list or image and `DataError` for everything else. Both name the list and
    the line: `train.txt:17: ...`. All lines are checked before the first image is decoded.

    >>> from pathlib import Path
    >>> from PIL import Image
    >>> Image.new("RGB", (50, 40)).save("a.png")
    >>> for part in ("train", "val", "test"):
    ...     length = Path(f"{part}.txt").write_text("a.png 0\\n")
    >>> data.image_list(".", size=16)
    <Splits: image lists in ., with 1 training, 1 validation and 1 test images of 16x16x3 in 1 classes>
    """
    check_size(size)
    root = as_path("image_list", "root", root)
    missing = [name for name in LISTS if not exists(root / name)]
    if missing:
        raise MissingFileError(
            f"{root}: there is no {' and no '.join(missing)}; expected train.txt, val.txt and test.txt in this "
            "directory, with one line `relative/path.jpg label` for each image"
        )
    lists = [(root / name, *_parse(root / name)) for name in LISTS]
    classes = _classes(root / CLASSES, lists) if exists(root / CLASSES) else numbered(*(labels for *_, labels in lists))
    paths = [[os.path.join(root, path) for path in listed] for _, listed, _ in lists]
    images = decode_parts(paths, size, lambda part, i: f"{lists[part][0]}:{i + 1}")
    train, val, test = zip(images, (labels for *_, labels in lists), strict=True)
    return splits_from(f"image lists in {root}", train, val, test, classes)


def files(root: Path) -> Iterator[Path]:
    """Yield those of the three lists that exist, and the file of the names of the classes beside them."""
    lists = [path for path in (root / name for name in LISTS) if path.is_file()]
    yield from lists
    if lists and (root / CLASSES).is_file():
        yield root / CLASSES


def _parse(file: Path) -> tuple[list[str], np.ndarray]:
    """Return the paths and the labels (n,) of a list. Raise for the first line that cannot be used."""
    lines = text_lines(file)
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
                f"{file}:{number}: label {label!r:.40}, expected an integer from 0 to {10**LABEL_DIGITS - 1} after the "
                f"path, as in `{path} 0`"
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


def _classes(file: Path, lists: list[tuple[Path, list[str], np.ndarray]]) -> tuple[str, ...]:
    """Return the names in the file, which must name every label of the lists."""
    names = class_names(file)
    for list_file, _, labels in lists:
        unnamed = np.flatnonzero(labels >= len(names))
        if unnamed.size:
            i = unnamed[0]
            raise DataError(
                f"{list_file}:{i + 1}: label {labels[i]}, but {file} names the classes 0 .. {len(names) - 1}: "
                "add a line to it"
            )
    return names


def _leaves_root(path: str) -> bool:
    """Return whether a path leads out of its root by its spelling, or contains NUL, which no file name does."""
    if os.path.isabs(path) or os.path.splitdrive(path)[0] or "\0" in path:
        return True
    return ".." in path and ".." in re.split(r"[/\\]", path)
