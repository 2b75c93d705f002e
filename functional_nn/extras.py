"""Optional dependencies: imported where they are used. If one is missing, the error names the extra to install."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["needs_extra"]


@contextmanager
def needs_extra(extra: str, purpose: str) -> Iterator[None]:
    """Turn an `ImportError` of the body into one that names the extra of functional-nn that `purpose` needs."""
    try:
        yield
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {error.name or error}, which is not installed: "
            f"run pip install -e '.[{extra}]' in a clone of functional_nn",
            name=error.name,
        ) from error
