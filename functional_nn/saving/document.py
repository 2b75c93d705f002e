"""The JSON document of a file: what made it, its entries, the value, and the checksum of it all.

    {"format": 1, "functional_nn": "0.1.0", "numpy": "2.4.6",
     "entries": {"params.c1.w": {"dtype": "<f4", "shape": [5, 5, 1, 6], "sha256": "..."}, ...},
     "value": ..., "extra": null, "sha256": "..."}

Each entry's checksum is of its bytes, little-endian in row-major order. The last one is of the document before it, so
it covers all entries with their names, dtypes and shapes. It tells damage and mistakes; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, NamedTuple

import numpy as np

from functional_nn.saving.encode import Node

__all__ = ["FORMAT", "Document", "RefusedError", "checked", "digest", "written"]

FORMAT = 1
BLOCK_BYTES = 2**24
SEAL = ', "sha256": "{}"}}'
SEALED = re.compile(r', "sha256": "([0-9a-f]{64})"\}\Z')
SEAL_LENGTH = len(SEAL.format("0" * 64))


class RefusedError(ValueError):
    """A file that is whole, but none that this version reads. The message says what to do."""


class Document(NamedTuple):
    """What a document says: the value, and what was stored beside it."""

    value: Node
    extra: Node


def written(document: Document, entries: dict[str, np.ndarray]) -> str:
    """Return the text of a document with these entries."""
    import functional_nn

    versions = {"functional_nn": functional_nn.__version__, "numpy": np.__version__}
    table = {name: _described(array) for name, array in entries.items()}
    content = {"format": FORMAT, **versions, "entries": table, "value": document.value, "extra": document.extra}
    text = json.dumps(content, allow_nan=False)
    return text[:-1] + SEAL.format(_sha256(text.encode("ascii")))


def checked(text: str, entries: dict[str, np.ndarray]) -> Document:
    """Return what a document says. Raises `RefusedError` for a newer format, `ValueError` for what was altered."""
    content = json.loads(text)
    if not isinstance(content, dict) or type(content.get("format")) is not int:
        raise ValueError("its document has no number of a format")
    if content["format"] > FORMAT:
        made_by = f"format {content['format']}, by functional_nn {content.get('functional_nn')}"
        raise RefusedError(f"written in {made_by}; this version reads format {FORMAT}: update functional_nn")
    seal = SEALED.search(text[-SEAL_LENGTH:])
    unsealed = text[:-SEAL_LENGTH] + "}"
    if seal is None or _sha256(unsealed.encode("utf-8", "surrogatepass")) != seal[1]:
        raise ValueError("its document was altered: the checksum differs")
    if content["entries"].keys() != entries.keys():
        missing = sorted(content["entries"].keys() - entries.keys())
        unknown = sorted(entries.keys() - content["entries"].keys())
        what = f"{missing[0]} is missing" if missing else f"{unknown[0]} does not belong to it"
        raise ValueError(f"its entries were altered: {what}")
    for name, expected in content["entries"].items():
        actual = _described(entries[name])
        for fact in ("dtype", "shape", "sha256"):
            if actual[fact] != expected[fact]:
                what = "its bytes differ" if fact == "sha256" else f"{fact} {actual[fact]}, was {expected[fact]}"
                raise ValueError(f"the entry {name} was altered: {what}")
    return Document(content["value"], content["extra"])


def _described(array: np.ndarray) -> dict[str, Any]:
    dtype = array.dtype.newbyteorder("<")
    return {"dtype": dtype.str, "shape": list(array.shape), "sha256": digest(array)}


def digest(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's bytes, little-endian in row-major order; block by block, for memory maps."""
    little, summed = array.dtype.newbyteorder("<"), hashlib.sha256()
    rows = np.atleast_1d(array)
    step = max(1, BLOCK_BYTES * len(rows) // max(1, rows.nbytes))
    for start in range(0, len(rows), step):
        block = np.asarray(rows[start : start + step], little, order="C")
        summed.update(block.reshape(-1).view(np.uint8).data)
    return summed.hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
