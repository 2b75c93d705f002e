"""The options and the data of an interrupted run, kept as JSON beside its checkpoint to compare a command with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from functional_nn.cli.settings import Settings
from functional_nn.data import Splits
from functional_nn.files import open_regular, replaced

__all__ = ["RunRecord"]

FREE = ("patience",)  # a run may go on with another one


@dataclass(frozen=True)
class RunRecord:
    """The settings by name, the size of the pictures, the description of the data, and the digest of all of them."""

    settings: dict[str, Any]
    size: int
    data: str
    digest: str

    @classmethod
    def of(cls, settings: Settings, size: int, splits: Splits) -> Self:
        """Return the record of a run."""
        return cls(asdict(settings), size, splits.description, _digest(splits))

    @classmethod
    def read(cls, file: Path) -> Self | None:
        """Return the record in a file, None where it holds none: `fit` then compares the run itself."""
        try:
            with open_regular(file) as stream:
                return cls(**json.load(stream))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def write(self, file: Path) -> None:
        """Keep the record in a file."""
        with replaced(file) as stream:
            stream.write(json.dumps(asdict(self), indent=1).encode("ascii"))

    def differences(self, kept: RunRecord) -> Iterator[str]:
        """Yield an indented line for each option of a command that is another one in the run that was kept."""
        if self.size != kept.size:
            yield _difference("--size", self.size, kept.size)
        elif self.data != kept.data:
            yield _difference("DATA", self.data, kept.data)
        elif self.digest != kept.digest:
            yield f"  DATA: the pictures are others than before: {self.data}"
        for name, value in self.settings.items():
            before = kept.settings.get(name)
            if value != before and name not in FREE:
                yield _difference(f"--{name.replace('_', '-')}", _shown(value), _shown(before))


def _difference(name: str, given: Any, kept: Any) -> str:
    return f"  {name}: {given} given, {kept} in the file"


def _shown(value: Any) -> Any:
    return {True: "yes", False: "no", None: "none"}[value] if value is None or isinstance(value, bool) else value


def _digest(splits: Splits) -> str:
    digest = hashlib.blake2b(ascii(splits.classes).encode(), digest_size=16)
    for _, part in splits.items():
        for array in part:
            digest.update(f"{array.dtype}{array.shape}".encode())
            for row in array:
                digest.update(row.tobytes())
    return digest.hexdigest()
