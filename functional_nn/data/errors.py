"""The errors of data that cannot be used. They name the file and, in a list, the line."""

from __future__ import annotations

__all__ = ["DataError", "MissingFileError"]


class DataError(ValueError):
    """A file or its content cannot be used. The message begins with the place: `/data/train.txt:17: ...`."""


class MissingFileError(DataError, FileNotFoundError):
    """A file is missing that is needed or that a list names."""

    def __str__(self) -> str:
        return str(self.args[0])
