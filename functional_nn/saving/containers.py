"""What keeps a document and its arrays in a file: .npz, by NumPy alone, and .safetensors, by the library of that name.

Other programs read both: `np.load(path)["params.c1.w"]`. A reader may raise any error at a damaged file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import numpy as np

from functional_nn import npz
from functional_nn.extras import needs_extra
from functional_nn.saving.document import RefusedError

__all__ = ["CONTAINERS", "Container"]

DOCUMENT = "functional_nn.json"  # an entry of .npz
METADATA = "functional_nn"  # a text in the header of .safetensors
LENGTH_BYTES = 8  # of that header's length


class Container(NamedTuple):
    """How to write a document and its arrays, which lie in row-major order, to a stream, and how to read them."""

    write: Callable[[BinaryIO, str, dict[str, np.ndarray]], None]
    read: Callable[[BinaryIO], tuple[str, dict[str, np.ndarray]]]


def _write_npz(stream: BinaryIO, document: str, arrays: dict[str, np.ndarray]) -> None:
    npz.write(stream, arrays, {DOCUMENT: document.encode("ascii")})


def _read_npz(stream: BinaryIO) -> tuple[str, dict[str, np.ndarray]]:
    archive = npz.Archive(stream)
    if DOCUMENT not in archive.names:
        raise RefusedError(f"not written by fnn.save, since it has no entry {DOCUMENT}: read it with np.load")
    names = [name.removesuffix(npz.ENDING) for name in archive.names if name != DOCUMENT]
    return archive.text(DOCUMENT).decode("ascii"), {name: archive.array(name) for name in names}


def _write_safetensors(stream: BinaryIO, document: str, arrays: dict[str, np.ndarray]) -> None:
    with needs_extra("safetensors", "saving to .safetensors"):
        import safetensors.numpy
    for name, array in arrays.items():
        if array.dtype.name == "complex128":
            raise TypeError(f"{name} is complex128, which .safetensors does not hold: save to .npz")
    stream.write(safetensors.numpy.save(arrays, {METADATA: document}))


def _read_safetensors(stream: BinaryIO) -> tuple[str, dict[str, np.ndarray]]:
    with needs_extra("safetensors", "loading from .safetensors"):
        import safetensors.numpy
    data = stream.read()
    arrays = safetensors.numpy.load(data)  # checks the header against the file
    header = json.loads(data[LENGTH_BYTES : LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")])
    document = header.get("__metadata__", {}).get(METADATA)
    if document is None:
        remedy = "read it with the library safetensors"
        raise RefusedError(f"not written by fnn.save, since its header has no {METADATA}: {remedy}")
    return document, arrays


CONTAINERS = {
    ".npz": Container(_write_npz, _read_npz),
    ".safetensors": Container(_write_safetensors, _read_safetensors),
}
