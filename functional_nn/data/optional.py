"""Dependencies that only some sources need: imported where they are used, and asked for by their extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs_extra"]


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn an `ImportError` of the body into one that says which extra of functional-nn to install for `purpose`."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {error.name or error}, which is not installed: pip install 'functional-nn[{extra}]'",
            name=error.name,
        ) from error
