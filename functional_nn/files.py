"""Read regular files only, and replace a file as a whole.

A named pipe or a device with the name of a data file would block its reader for ever. A writer that stops halfway
leaves the old file as it was.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from functional_nn.errors import DataError

try:
    import fcntl
except ImportError:  # Windows has none, and removes no file that is open
    fcntl = None  # type: ignore[assignment]

__all__ = ["exists", "locked", "open_regular", "regular_descriptor", "regular_size", "replaced", "text_lines"]

KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFIFO: "named pipe",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
}
# Without blocking: a pipe could take the place of a file between the check and the opening.
FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
ENDING = ".unfinished"
SHOWN_NAME = 40  # characters of a file's name in that of its unfinished copy: a name has at most 255 bytes


def exists(path: str | Path) -> bool:
    """Return whether a regular file exists. Raise `DataError` if the path is a directory or a special file."""
    try:
        regular_size(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def regular_size(path: str | Path) -> int:
    """Return the size in bytes of a regular file without opening it. Links are followed.

    Raises `DataError`, which names the path, for a directory, a named pipe, a device or a socket, and
    `FileNotFoundError` for a missing file.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "special file")
        raise DataError(f"{path}: this is a {kind}, expected a regular file: move it away or name another path")
    return status.st_size


def open_regular(path: str | Path) -> BinaryIO:
    """Open a regular file for reading bytes. Raises as `regular_size` does."""
    regular_size(path)
    return os.fdopen(regular_descriptor(path), "rb")


def regular_descriptor(path: str | Path) -> int:
    """Return a descriptor of a file that `regular_size` has checked. The caller closes it."""
    return os.open(path, FLAGS)


@contextmanager
def replaced(path: str | Path, *, trial: bool = False) -> Iterator[BinaryIO]:
    """Yield a stream; after the body, what was written to it takes the place of the file at `path`, or makes it.

    The stream is a hidden file in the same folder, brought to the disk before it gets the name of the old one, whose
    permissions it takes. If the body or the disk fails, the old file stays as it is and nothing is left beside it.
    A link stays, and the file that it leads to is replaced. Hidden files that killed writers left are removed, those
    of writers at work are not. A `trial` leaves the old file: it raises what writing would raise. Raises `DataError`
    for a directory or a special file, and `OSError`, which names `path`, if it cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = stat.S_IMODE(target.stat().st_mode) if exists(path) else None
        _remove_abandoned(target)
        with _unfinished(target) as unfinished:
            with unfinished.open("r+b") as stream:
                if mode is not None:
                    os.chmod(unfinished, mode)
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            if not trial:
                os.replace(unfinished, target)
    except OSError as error:
        message = f"{error.strerror or error} (nothing was written, an older file is unchanged)"
        raise OSError(error.errno or errno.EIO, message, os.fspath(path)) from error


@contextmanager
def locked(path: str | Path) -> Iterator[bool]:
    """Yield whether this process alone holds the lock file `path` while the body runs; it is removed at the end.

    The system releases the lock of a process that was killed. Without locks (Windows, some disks) it is always held.
    """
    if fcntl is None:
        yield True
        return
    while True:
        with open(path, "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            except OSError:  # a disk without locks
                pass
            if os.fstat(lock.fileno()).st_nlink == 0:
                continue  # its holder removed it before it was locked
            try:
                yield True
                return
            finally:
                with suppress(OSError):
                    os.unlink(path)


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """Yield a hidden file in the same folder that is this writer's alone, locked; remove it if it is still there."""
    while True:
        file = target.with_name(f"{_prefix(target)}{os.urandom(4).hex()}{ENDING}")
        with file.open("xb") as lock:
            if fcntl is None:
                lock.close()  # nor does it rename one
            else:
                with suppress(OSError):  # a disk without locks: nobody will take this for abandoned
                    fcntl.flock(lock, fcntl.LOCK_EX)
                if os.fstat(lock.fileno()).st_nlink == 0:
                    continue  # another writer removed it before it was locked
            try:
                yield file
                return
            finally:
                file.unlink(missing_ok=True)


def _remove_abandoned(target: Path) -> None:
    """Remove the hidden files whose writers were killed: the system has released their locks."""
    if fcntl is None:
        return
    hidden = re.compile(re.escape(_prefix(target)) + "[0-9a-f]{8}" + re.escape(ENDING))
    names: list[str] = []
    with suppress(OSError):  # a folder that this user cannot list may be written all the same
        names = os.listdir(target.parent)
    for name in filter(hidden.fullmatch, names):
        file = target.with_name(name)
        with suppress(OSError), open_regular(file) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises if its writer is at work
            file.unlink()


def _prefix(target: Path) -> str:
    return f".{target.name[:SHOWN_NAME]}."


def text_lines(file: Path) -> list[str]:
    """Return the lines of a text file without the empty ones at its end.

    Raises `DataError`, which names the line, for text that is not UTF-8.
    """
    with open_regular(file) as stream:
        data = stream.read()
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{file}:{number}: not UTF-8 ({error.reason}): save the file as UTF-8") from error
    # Only at "\n": str.splitlines also splits at characters that a file name may contain.
    lines = text.removeprefix("\ufeff").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
