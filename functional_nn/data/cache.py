"""A cache: one file that keeps decoded splits, so that images are decoded once. It names the source of the splits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from functional_nn import npz
from functional_nn.arguments import as_path
from functional_nn.data.splits import NAMES, Splits
from functional_nn.errors import DataError
from functional_nn.files import exists, open_regular, replaced

__all__ = ["cached", "read"]


ABOUT = "about.npy"  # the entry that tells a cache
SHOWN = 3


class _OtherError(DataError):
    """A whole archive that holds no splits."""

    def __init__(self, file: Path, names: set[str]) -> None:
        shown = ", ".join(sorted(names)[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        super().__init__(f"{file}: holds {shown or 'nothing'}, expected splits that `cached` wrote: name another file")


def cached(file: str | Path, source: str, load: Callable[[], Splits]) -> Splits:
    """Return the splits in `file`. If there is no such file yet, call `load()`, write its splits there and return them.

    `source` describes the data that the splits come from, for example by `fingerprint`. The file keeps it, and a
    cache of another source is refused.
    The file is an uncompressed .npz without pickles. It is written under another name and then renamed, so that no
    reader sees half of it. Missing directories above it are created.
    Raises `DataError`, which names the file, if it has another source, is damaged, or is no such cache. Raises
    before it calls `load`: `DataError` if the path is a directory or another special file, `OSError` if nothing can
    be written there. Raises `TypeError` and writes nothing if `load` returns no `Splits`.

    >>> splits = data.cached("digits.npz", "scikit-learn", data.digits)
    >>> again = data.cached("digits.npz", "scikit-learn", data.digits)  # read from the file
    >>> np.array_equal(splits.train[0], again.train[0])
    True
    """
    file = as_path("cached", "file", file)
    if exists(file):
        return read(file, source)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(
            error.errno, f"its folder cannot be made ({error.strerror}): name another file", str(file)
        ) from error
    with replaced(file, trial=True):
        pass  # raises before the work if nothing can be written there
    splits = load()
    if not isinstance(splits, Splits):
        raise TypeError(f"{file}: load() returned {type(splits).__name__}, expected data.Splits: nothing was written")
    _write(file, source, splits)
    return splits


def read(file: Path, source: str | None = None) -> Splits:
    """Return the splits in a file that `cached` wrote, of this source where one is given. Raises as `cached` does."""
    with open_regular(file) as stream:
        try:
            archive = npz.Archive(stream)
            if ABOUT not in archive.names:
                raise _OtherError(file, archive.names)
            about = json.loads(archive.array("about").tobytes())
            if source in (None, about["source"]):
                train, val, test = (
                    (archive.array(f"{name}_images"), archive.array(f"{name}_labels")) for name in NAMES
                )
                return Splits(train, val, test, tuple(about["classes"]), about["description"])
        except _OtherError:
            raise
        except Exception as error:  # a damaged file makes zipfile and NumPy raise nearly anything
            raise DataError(
                f"{file}: damaged, or no cache of splits that this version wrote ({type(error).__name__}: {error}): "
                "name another file"
            ) from error
    raise DataError(
        f"{file}: the source of this cache is\n  {about['source']}\nand not\n  {source}\n"
        "delete the cache, or name another file"
    )


def _write(file: Path, source: str, splits: Splits) -> None:
    about = {"source": source, "classes": splits.classes, "description": splits.description}
    arrays = {"about": np.frombuffer(json.dumps(about).encode("ascii"), np.uint8)}
    for name, (images, labels) in splits.items():
        arrays |= {f"{name}_images": images, f"{name}_labels": labels}
    with replaced(file) as stream:
        npz.write(stream, arrays, {})
