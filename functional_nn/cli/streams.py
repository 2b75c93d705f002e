"""Standard streams for work that goes on where nobody reads what it says, as in `... | head -1`."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO, Any

__all__ = ["say", "silenced", "unheeded"]


class _Unheeded:
    """A stream of text that falls silent, and raises nothing, where its reader has gone."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            silenced(self._stream)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            silenced(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def say(line: str) -> None:
    """Print a line of a run's progress, at once."""
    print(line, flush=True)


def silenced(stream: IO[str]) -> None:
    """Let a stream lead nowhere, so that what it still holds raises nothing at the end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


@contextlib.contextmanager
def unheeded() -> Iterator[None]:
    """Let the standard streams fall silent in the body where their readers have gone."""
    out, err = (None if stream is None else _Unheeded(stream) for stream in (sys.stdout, sys.stderr))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
