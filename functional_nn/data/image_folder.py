"""Images in one folder for each class, directly or in folders train, val and test (torchvision's convention)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from functional_nn import keys
from functional_nn.arguments import as_path
from functional_nn.data.decoding import decode_parts
from functional_nn.data.image_file import EXTENSIONS
from functional_nn.data.splits import NAMES, Split, Splits, TooFewError, by_class, check_size, splits_from
from functional_nn.errors import DataError, MissingFileError

__all__ = ["files", "image_folder", "whole_folder"]

SPELLINGS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
SPLIT_OF = {name: split for split, names in SPELLINGS.items() for name in names}
Examples = tuple[list[str], np.ndarray]


def image_folder(root: str | Path, size: int = 32, val: float = 0.1, test: float = 0.1, seed: keys.Key = 0) -> Splits:
    """Return the images below `root`, scaled to size x size. Each folder is a class; labels number the sorted folders.

    Images uint8 RGB (n, size, size, 3), labels int64 (n,), sorted by class and path; the names of the classes are
    those of their folders. If `root` contains the folders of the classes, `seed` draws the fractions `val` and `test`
    of each class. If it contains train/ with the folders of the classes, it may contain val/ and test/ with the same
    classes; a missing one is drawn from train by its fraction. These three may also be called training, valid,
    validation and testing, in upper or lower case. Images may lie deeper in the folder of their class. Files without
    the ending of an image, and names that begin with a dot, are ignored.
    `decode` describes how images are scaled and which colours they may have.
    Raises `MissingFileError` if there are no such folders; `DataError` for a class without images, for one class
    alone, for splits with different classes, for folders that may be splits or classes (valid beside validation,
    seg_train beside seg_test), for fractions that leave a split or a class without an example, and for an image that
    cannot be used, which it names.

    >>> from pathlib import Path
    >>> from PIL import Image
    >>> for name in ("pets/cat/1.png", "pets/cat/2.png", "pets/dog/1.png", "pets/dog/2.png"):
    ...     Path(name).parent.mkdir(parents=True, exist_ok=True)
    ...     Image.new("RGB", (50, 40)).save(name)
    >>> splits = data.image_folder("pets", size=16, val=0.5, test=0.0)
    >>> splits.classes, splits.train[0].shape, splits.train[1]
    (('cat', 'dog'), (2, 16, 16, 3), array([0, 1]))
    """
    check_size(size)
    root = as_path("image_folder", "root", root)
    folders = _split_folders(root)
    classes = {split: _classes(folder) for split, folder in folders.items()}
    _check_same_classes(folders, classes)
    examples = {split: _examples(folder, classes[split]) for split, folder in folders.items()}
    if len(examples) < len(NAMES):
        examples |= _draw(root, examples, val, test, seed)
    train, val_split, test_split = _decode([examples[split] for split in NAMES], size)
    return splits_from(f"image folders in {root}", train, val_split, test_split, tuple(classes["train"]))


def whole_folder(root: Path, size: int) -> Splits:
    """Return all images below `root` as training images, with none held out. One class alone is taken too.

    Raises as `image_folder` does for folders that hold no images or may be splits or classes.
    """
    check_size(size)
    folders = list(_split_folders(root).values())
    classes = tuple(sorted({name for folder in folders for name in _classes(folder, least=1)}))
    paths: list[str] = []
    labels: list[int] = []
    for folder in folders:
        own = _folders(folder)
        found, numbers = _examples(folder, own)
        paths += found
        labels += [classes.index(own[number]) for number in numbers]
    none: Examples = [], np.empty(0, np.int64)
    train, val, test = _decode([(paths, np.array(labels, np.int64)), none, none], size)
    return splits_from(f"image folders in {root}", train, val, test, classes)


def files(root: Path) -> Iterator[Path]:
    """Yield all image files of the folders in `root`, sorted. No file is opened."""
    return (Path(path) for folder in _folders(root) for path in _images(root / folder))


def _decode(examples: list[Examples], size: int) -> list[Split]:
    images = decode_parts([paths for paths, _ in examples], size, lambda part, i: "image_folder")
    return list(zip(images, (labels for _, labels in examples), strict=True))


def _split_folders(root: Path) -> dict[str, Path]:
    """Return the folders that contain those of the classes: train, val and test, or `root` itself for train alone."""
    folders = _folders(root)
    nested = {name for name in folders if _folders(root / name)}  # a class contains images, a split contains folders
    splits: dict[str, str] = {}
    for name in folders:
        split = SPLIT_OF.get(name.lower())
        if split is None or name not in nested:
            continue
        if split in splits:
            raise DataError(f"{root}: {splits[split]} and {name} both name the {split} split: keep one, or merge them")
        splits[split] = name
    if not splits:
        _refuse_likely_splits(root, folders, nested)
        return {"train": root}
    names = ", ".join(splits.values())
    if "train" not in splits:
        raise MissingFileError(f"{root}: there is {names}, but no train folder that contains folders of classes")
    others = [name for name in folders if name not in splits.values()]
    if others:
        raise DataError(
            f"{root}: {', '.join(others)} beside {names}, which contain the folders of the classes: "
            "expected train, val and test alone: move the others away"
        )
    return {split: root / splits[split] for split in NAMES if split in splits}


def _refuse_likely_splits(root: Path, folders: list[str], nested: set[str]) -> None:
    """Raise if folders would become classes although their names contain those of splits: seg_train, seg_test."""
    likely = {name: splits for name in folders if (splits := _splits_in(name))}
    exact = all(name.lower() in SPLIT_OF for name in folders)
    if len(set().union(*likely.values())) >= 2 and (exact or nested & likely.keys()):
        raise DataError(
            f"{root}: {', '.join(likely)} look like splits, not classes. If they are splits, call them train, val and "
            "test, each with one folder of images for each class; if they are classes, rename them"
        )


def _splits_in(name: str) -> set[str]:
    return {SPLIT_OF[word] for word in re.split("[^a-z]+", name.lower()) if word in SPLIT_OF}


def _classes(folder: Path, least: int = 2) -> list[str]:
    classes = _folders(folder)
    if not classes:
        raise MissingFileError(f"{folder}: there are no folders, expected one folder of images for each class")
    if len(classes) < least:
        raise TooFewError(
            f"{folder}: {classes[0]} is the only folder, and one class alone leaves nothing to learn: "
            f"if its folders are the classes, pass {folder / classes[0]}"
        )
    return classes


def _check_same_classes(folders: dict[str, Path], classes: dict[str, list[str]]) -> None:
    expected = set(classes["train"])
    for split, names in classes.items():
        if set(names) != expected:
            missing = ", ".join(sorted(expected - set(names))[:5]) or "none"
            unknown = ", ".join(sorted(set(names) - expected)[:5]) or "none"
            raise DataError(
                f"{folders[split]}: its classes are not those of {folders['train'].name}: missing {missing}, "
                f"unknown {unknown}; expected the same folders in each"
            )


def _examples(folder: Path, classes: list[str]) -> Examples:
    """Return the sorted paths of the images and their labels (n,)."""
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
    return paths, np.array(labels, np.int64)


def _draw(root: Path, examples: dict[str, Examples], val: float, test: float, seed: keys.Key) -> dict[str, Examples]:
    """Return the missing ones of val and test, drawn from train, and train without them."""
    paths, labels = examples["train"]
    fractions = {"val": 0.0 if "val" in examples else val, "test": 0.0 if "test" in examples else test}
    rows = dict(zip(NAMES, by_class(str(root), labels, key=seed, **fractions), strict=True))
    return {
        split: ([paths[i] for i in chosen], labels[chosen])
        for split, chosen in rows.items()
        if split == "train" or split not in examples
    }


def _folders(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingFileError(
            f"{folder}: there is no such directory, expected one with a folder for each class"
        ) from error


def _images(folder: Path) -> Iterator[str]:
    """Yield the images in the folder of a class and below it, sorted. Links to folders are not followed."""
    for directory, subfolders, names in os.walk(folder):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(EXTENSIONS) and not name.startswith("."):
                yield os.path.join(directory, name)
