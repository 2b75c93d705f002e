"""Load a directory of any known form, which its files tell, or a file that keeps splits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from functional_nn.arguments import as_path
from functional_nn.data.cache import cached, read
from functional_nn.data.cifar10 import SIZE as CIFAR10_SIZE
from functional_nn.data.cifar10 import cifar10
from functional_nn.data.cifar10 import files as cifar10_files
from functional_nn.data.digits import digits
from functional_nn.data.idx import files as idx_files
from functional_nn.data.idx import idx
from functional_nn.data.image_folder import files as image_folder_files
from functional_nn.data.image_folder import image_folder, whole_folder
from functional_nn.data.image_list import files as image_list_files
from functional_nn.data.image_list import image_list
from functional_nn.data.splits import Split, Splits, check_size, joined
from functional_nn.errors import DataError, MissingFileError

__all__ = ["fingerprint", "load", "load_whole"]

CACHED = ".npz"  # how the name of a file of `cached` ends
FEW = 12  # a fingerprint names so many files one by one


@dataclass(frozen=True)
class _Form:
    """A form of data: a description for messages, a function that yields its files, and its source."""

    name: str
    expects: str
    files: Callable[[Path], Iterator[Path]]
    load: Callable[[Path, int], Splits]
    load_whole: Callable[[Path, int], Splits] | None = None  # where `load` may hold images out


def load(root: str | Path, size: int = 32, cache: str | Path | None = None) -> Splits:
    """Return the splits of the data that `root` contains, with images of size x size.

    `root` is the string "digits", or a directory with the lists of `image_list`, the files of `idx`, the files of
    `cifar10`, or the folders of `image_folder`. If it has several of these, the first in this order is taken. The
    splits are those that the source makes by default. A file of `cached` is read too, whatever its source was.
    With `cache`, a file keeps the splits (see `cached`) together with the `fingerprint` of the data.
    Raises `MissingFileError`, which names the forms, if `root` is no directory or has none of these; and the errors
    of the source and of the cache.

    >>> data.load("digits", size=16)
    <Splits: scikit-learn's digits, with 1259 training, 269 validation and 269 test images of 16x16x1 in 10 classes>
    """
    if cache is None and (kept := _kept(root)):
        return _of_size(kept, size)
    form, path = _form(root)
    if cache is None:
        return form.load(path, size)
    return cached(cache, fingerprint(root, size), partial(form.load, path, size))


def load_whole(root: str | Path, size: int = 32, cache: str | Path | None = None) -> tuple[Split, Splits]:
    """Return all images and labels of the data in one split, and the splits that they come from.

    Folders of classes may have any number of images and be one alone: nothing is held out. Raises as `load` does.
    """
    if cache is None and (kept := _kept(root)):
        splits = _of_size(kept, size)
    else:
        form, path = _form(root)
        make = partial(form.load_whole or form.load, path, size)
        whole = ", nothing held out" if form.load_whole else ""
        splits = make() if cache is None else cached(cache, fingerprint(root, size) + whole, make)
    return joined(splits), splits


def fingerprint(root: str | Path, size: int = 32) -> str:
    """Return a text that changes with the data of `load(root, size)`: form, directory, size, and its files' times.

    For image lists, only the lists and classes.txt count: if an image file is replaced, the text does not change.
    Raises as `load` does if there is no data.

    >>> data.fingerprint("digits")
    "scikit-learn's digits at size 32"
    """
    check_size(size)
    form, path = _form(root)
    if form is DIGITS:
        return f"{form.name} at size {size}"
    entries = []
    for file in form.files(path):
        status = file.stat()
        entries.append(f"{file.relative_to(path)} ({status.st_size} bytes, modified {status.st_mtime_ns} ns)")
    listed = ", ".join(entries)
    if len(entries) > FEW:
        digest = hashlib.sha256(listed.encode(errors="surrogatepass"))  # names need not be UTF-8
        listed = f"{len(entries)} files (SHA-256 of names, sizes and times: {digest.hexdigest()})"
    return f"{form.name} in {path.resolve()} at size {size}: {listed}"


def _kept(root: str | Path) -> Path | None:
    """Return the path of a file that keeps splits, where `root` is one and no directory."""
    path = as_path("load", "root", root)
    return path if root != "digits" and path.suffix == CACHED and path.is_file() else None


def _of_size(file: Path, size: int) -> Splits:
    check_size(size)
    splits = read(file)
    height, width, _ = splits.train[0].shape[1:]
    if (height, width) != (size, size):
        remedy = f": load it with size={height}" if height == width else ": make it anew with square images"
        raise DataError(f"{file}: its images are {height}x{width}, not size={size}{remedy}")
    return splits


def _form(root: str | Path) -> tuple[_Form, Path]:
    if root == "digits":
        return DIGITS, Path()
    path = as_path("load", "root", root)
    forms = "".join(f"\n  {form.name}: {form.expects}" for form in FORMS)
    accepted = f'{forms}\nor pass "digits", or a file {CACHED} that `cached` wrote, instead of a directory'
    if not path.is_dir():
        raise MissingFileError(f"{path}: there is no such directory, expected one that holds{accepted}")
    for form in FORMS:
        if next(form.files(path), None) is not None:
            return form, path
    raise MissingFileError(f"{path}: no data of a known form, expected{accepted}")


def _load_cifar10(root: Path, size: int) -> Splits:
    if size != CIFAR10_SIZE:
        raise DataError(
            f"{root}: the images of CIFAR-10 are {CIFAR10_SIZE}x{CIFAR10_SIZE}, not size={size}: call it without size"
        )
    return cifar10(root)


DIGITS = _Form("scikit-learn's digits", "", lambda _: iter(()), lambda _, size: digits(size))

FORMS = (
    _Form(
        "image lists", "train.txt, val.txt and test.txt, a line `relative/path.jpg label`", image_list_files, image_list
    ),
    _Form("IDX files", "train-images-idx3-ubyte[.gz] and the other three of MNIST", idx_files, idx),
    _Form("CIFAR-10", "data_batch_1.bin and the other five of the binary version", cifar10_files, _load_cifar10),
    _Form(
        "image folders",
        "one folder of images for each class, or such folders in train, val and test",
        image_folder_files,
        image_folder,
        whole_folder,
    ),
)
