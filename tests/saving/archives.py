"""Archives changed behind the back of `fnn.save`."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np


def entries(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(file: Path, changes: dict[str, bytes | None], compression: int = zipfile.ZIP_STORED) -> None:
    members = {**entries(file), **changes}
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            if data is not None:
                archive.writestr(name, data)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
