"""The errors of data that cannot be used: they name the file and, for a list, the line."""

from __future__ import annotations

__all__ = ["DataError", "MissingFileError"]


class DataError(ValueError):
    """A file, or what is in it, cannot be used; the message begins with its place: `/data/train.txt:17: ...`."""


class MissingFileError(DataError, FileNotFoundError):
    """A file that is needed, or that a list names, is not there."""

    def __str__(self) -> str:
        return str(self.args[0])
