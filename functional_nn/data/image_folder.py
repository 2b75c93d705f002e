"""Images in one folder a class, with or without folders train, val and test around them (torchvision's convention)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from functional_nn import keys
from functional_nn.data.decoding import decode
from functional_nn.data.errors import DataError, MissingFileError
from functional_nn.data.image_file import EXTENSIONS
from functional_nn.data.splits import Splits, by_class, check_size

__all__ = ["files", "image_folder"]

PARTS = ("train", "val", "test")
NAMES = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
PART_OF = {name: part for part, names in NAMES.items() for name in names}
Examples = tuple[list[str], np.ndarray]


def image_folder(root: str | Path, size: int = 32, val: float = 0.1, test: float = 0.1, seed: keys.Key = 0) -> Splits:
    """Return the images below `root`, one folder a class, scaled to size x size; labels number the sorted folders.

    {"train": (images, labels), "val": ..., "test": ...}, images uint8 RGB (n, size, size, 3), labels int64 (n,), sorted
    by class and path. Either `root` holds the folders of the classes, and `val` and `test` are the fractions of
    each class that `seed` splits off; or it holds train/ and perhaps val/ and test/ with the same classes in each,
    and what is missing of the two is split off train by its fraction. Those three may also be called training,
    valid, validation and testing, in capitals or not. A class's files may lie deeper in its folder; those without
    the ending of an image, or whose name begins with a dot, are passed over.
    See `decode` for what becomes of other proportions and colours.
    Raises `MissingFileError` without such folders; `DataError` for a class without images, for one class alone, for
    parts that differ in their classes, for folders that may be splits or classes (valid beside validation; seg_train
    and seg_test), for fractions that leave a part or a class without an example, and for an image that cannot be
    used, naming it.
    """
    check_size(size)
    root = Path(root)
    folders = _parts(root)
    found = {part: _examples(folder) for part, folder in folders.items()}
    _check_same_classes(folders, found)
    examples = {part: (paths, labels) for part, (paths, labels, _) in found.items()}
    if not {"val", "test"} <= examples.keys():
        examples |= _split(root, examples, val, test, seed)
    return {
        part: (decode(paths, size, lambda _: "image_folder"), labels) for part, (paths, labels) in _ordered(examples)
    }


def files(root: Path) -> Iterator[Path]:
    """Yield all image files of the folders in `root`, sorted; nothing is opened."""
    return (Path(path) for folder in _folders(root) for path in _images(root / folder))


def _parts(root: Path) -> dict[str, Path]:
    """Return the folders that hold classes: train, val and test, or for train alone the root itself."""
    folders = _folders(root)
    nested = {name for name in folders if _folders(root / name)}  # a class holds images, a split holds folders
    parts: dict[str, str] = {}
    for name in folders:
        part = PART_OF.get(name.lower())
        if part is None or name not in nested:
            continue
        if part in parts:
            raise DataError(f"{root}: {parts[part]} and {name} both name the {part} split: keep one, or merge them")
        parts[part] = name
    if not parts:
        _refuse_likely_splits(root, folders, nested)
        return {"train": root}
    if "train" not in parts:
        given = ", ".join(parts.values())
        raise MissingFileError(f"{root}: there is {given} but no train folder that holds folders of classes")
    others = [name for name in folders if name not in parts.values()]
    if others:
        raise DataError(
            f"{root}: {', '.join(others)} beside {', '.join(parts.values())}, which hold the folders of classes: "
            "expected train, val and test alone: move the others away"
        )
    return {part: root / parts[part] for part in PARTS if part in parts}


def _refuse_likely_splits(root: Path, folders: list[str], nested: set[str]) -> None:
    """Raise where folders would become classes though their names speak of splits: seg_train and seg_test, say."""
    likely = {name: parts for name in folders if (parts := _parts_in(name))}
    exact = all(name.lower() in PART_OF for name in folders)
    if len(set().union(*likely.values())) >= 2 and (exact or nested & likely.keys()):
        raise DataError(
            f"{root}: {', '.join(likely)} look like splits, not classes: if they are, call them train, val and test, "
            "each with one folder of images a class in it; if they are classes, call them otherwise"
        )


def _parts_in(name: str) -> set[str]:
    return {PART_OF[word] for word in re.split("[^a-z]+", name.lower()) if word in PART_OF}


def _examples(folder: Path) -> tuple[list[str], np.ndarray, list[str]]:
    """Return the sorted paths, their labels (n,) and the names of the classes in `folder`."""
    classes = _folders(folder)
    if not classes:
        raise MissingFileError(f"{folder}: there are no folders, expected one a class with its images in it")
    if len(classes) == 1:
        raise DataError(
            f"{folder}: the folder {classes[0]} alone, one class leaves nothing to learn: "
            f"do its folders hold the classes? Then give {folder / classes[0]}"
        )
    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        members = list(_images(folder / name))
        if not members:
            raise DataError(
                f"{folder / name}: a class without images, expected files that end in {' '.join(EXTENSIONS)}"
            )
        paths += members
        labels += [label] * len(members)
    return paths, np.array(labels, np.int64), classes


def _check_same_classes(folders: dict[str, Path], found: dict[str, tuple[list[str], np.ndarray, list[str]]]) -> None:
    expected = set(found["train"][2])
    for part, (_, _, classes) in found.items():
        if set(classes) != expected:
            lacking = ", ".join(sorted(expected - set(classes))[:5]) or "none"
            unknown = ", ".join(sorted(set(classes) - expected)[:5]) or "none"
            raise DataError(
                f"{folders[part]}: its classes are not those of {folders['train'].name}: missing {lacking}, "
                f"unknown {unknown}; expected the same folders in each"
            )


def _split(root: Path, examples: dict[str, Examples], val: float, test: float, seed: keys.Key) -> dict[str, Examples]:
    """Return train without what is split off it, and those of val and test that are not there yet."""
    paths, labels = examples["train"]
    wanted = {"val": 0.0 if "val" in examples else val, "test": 0.0 if "test" in examples else test}
    parts = dict(zip(PARTS, by_class(str(root), labels, key=seed, **wanted), strict=True))
    return {
        part: ([paths[i] for i in chosen], labels[chosen])
        for part, chosen in parts.items()
        if part == "train" or part not in examples
    }


def _ordered(examples: dict[str, Examples]) -> Iterator[tuple[str, Examples]]:
    return ((part, examples[part]) for part in PARTS)


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(f"{folder}: there is no such directory, expected one folder a class in it") from error


def _images(folder: Path) -> Iterator[str]:
    """Yield the images in a class's folder and below it, sorted; links to folders below it are not followed."""
    for directory, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield os.path.join(directory, name)
