"""Files that appear whole or not at all, however a command ends and whatever else writes to the same directory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_whole(file: Path, content: bytes) -> None:
    """Write `content` to `file` under another name, then put it in its place.

    Raises `OSError`, naming `file`, where that fails, as it does on a full disk.
    """
    unfinished = file.with_name(f".{file.name}.{os.urandom(8).hex()}.unfinished")
    try:
        try:
            with unfinished.open("xb") as stream:
                stream.write(content)
            os.replace(unfinished, file)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; this file was not written", str(file)) from error


def write_json(file: Path, value: Any) -> None:
    """Write `value` as JSON, which knows no NaN and no infinity; raises as `write_whole` does."""
    write_whole(file, json.dumps(value, indent=1, allow_nan=False).encode())
