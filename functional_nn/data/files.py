"""Regular files only: a named pipe or a device that is named like a data file would block its reader for ever."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from functional_nn.data.errors import DataError

__all__ = ["exists", "open_regular", "regular_descriptor", "regular_size"]

KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "named pipe",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
}
# Without blocking: the file that was looked at could be replaced by a pipe before it is opened.
FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


def exists(path: str | Path) -> bool:
    """Return whether there is a regular file; raise `DataError` where something else has its name."""
    try:
        regular_size(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def regular_size(path: str | Path) -> int:
    """Return the bytes of a regular file, or of the one that a link leads to, without opening it.

    Raises `DataError`, naming the path, for a directory, a named pipe, a device and a socket; `FileNotFoundError`
    where there is nothing.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "special file")
        raise DataError(f"{path}: this is a {kind}, expected a regular file: move it away or name another path")
    return status.st_size


def open_regular(path: str | Path) -> BinaryIO:
    """Return a regular file, open for reading bytes; raises as `regular_size` does."""
    regular_size(path)
    return os.fdopen(regular_descriptor(path), "rb")


def regular_descriptor(path: str | Path) -> int:
    """Return the descriptor of a file that `regular_size` has looked at; its reader closes it."""
    return os.open(path, FLAGS)
