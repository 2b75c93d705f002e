"""A record: a frozen dataclass of the library whose values files store by their fields, such as `Trained`.

`saving` knows records by this class alone, so it imports none of them: a module above derives one from it.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Self

__all__ = ["Record", "records"]


class Record:
    """What stands in a file under its public name, `functional_nn.Trained`, with its fields."""

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the names of the fields that a file holds."""
        return tuple(field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]

    @classmethod
    def restored(cls, **fields: Any) -> Self:
        """Return the record that a file holds; raises what making one raises."""
        return cls(**fields)


def records() -> dict[str, type[Record]]:
    """Return the library's records by their public names; a file cannot name a user's subclass."""
    library = __name__.partition(".")[0]
    kinds = (kind for kind in Record.__subclasses__() if kind.__module__.partition(".")[0] == library)
    return {f"{library}.{kind.__name__}": kind for kind in kinds}
