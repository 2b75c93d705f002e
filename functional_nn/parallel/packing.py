"""Values as bytes for another process, and arrays in memory that both map.

The order of an array's axes in memory is kept: products and sums are rounded in the same order there as here.

Shared memory is a file without a name, whose descriptor the other process gets: it ends with the processes that hold
it, so that nothing is left behind, however they end.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import numpy as np

from functional_nn.parallel.flat import Layout, axes_of, layout_of
from functional_nn.value import Value, reduced

__all__ = ["LEAST_SHARED", "Memory", "Packed", "packed", "packed_task", "unpacked"]

ALIGNMENT = 64  # bytes, of a cache line
LEAST_SHARED = 1 << 16  # bytes of an array from which a mapping costs less than sending it
SHARED_FOLDER = Path("/dev/shm")
CONSTANT = Value | FunctionType | bool | None  # what cannot change; of functions, pickle says whether it sends a name


class Memory:
    """Arrays of one layout in memory that other processes map by its descriptor."""

    def __init__(self, layout: Layout, descriptor: int | None = None, *, copies: int = 1, own: bool = False) -> None:
        """Map the descriptor's memory, or make new one; `copies` times the arrays of the layout.

        Mapped arrays are read-only, or, with `own`, this process's own from where it writes to them.
        """
        self.layout = layout
        offsets, size = [], 0
        for shape, dtype, _ in layout * copies:
            offsets.append(size)
            size += (1 + math.prod(shape) * dtype.itemsize // ALIGNMENT) * ALIGNMENT
        self.descriptor = _nameless_file(size) if descriptor is None else descriptor
        access = mmap.ACCESS_WRITE if descriptor is None else mmap.ACCESS_COPY if own else mmap.ACCESS_READ
        mapping = mmap.mmap(self.descriptor, size, access=access)
        arrays = [_array(*entry, mapping, offset) for entry, offset in zip(layout * copies, offsets, strict=True)]
        self.copies = [arrays[i * len(layout) : (i + 1) * len(layout)] for i in range(copies)]

    def close(self) -> None:
        """Close the descriptor; the arrays stay."""
        os.close(self.descriptor)


def _array(
    shape: tuple[int, ...], dtype: np.dtype[Any], axes: tuple[int, ...] | None, memory: mmap.mmap, offset: int
) -> np.ndarray:
    if axes is None:
        return np.ndarray(shape, dtype, memory, offset)
    return np.ndarray([shape[axis] for axis in axes], dtype, memory, offset).transpose(np.argsort(axes))


def _nameless_file(size: int) -> int:
    """Return the descriptor of a file of so many bytes that has no name. Raises `OSError` where there is no room."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("functional_nn")
    else:
        folder = SHARED_FOLDER if SHARED_FOLDER.is_dir() else None
        with tempfile.TemporaryFile(dir=folder) as file:
            descriptor = os.dup(file.fileno())
    try:
        os.ftruncate(descriptor, size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)  # else a full disk would kill the process that writes
    except OSError as error:
        os.close(descriptor)
        raise OSError(error.errno, f"{size:,} bytes of shared memory are not to be had: {error.strerror}") from error
    return descriptor


class Packed(NamedTuple):
    """A value as bytes, and its large arrays in shared memory; `constant`: nothing that it refers to can change."""

    head: bytes
    layout: Layout
    memory: Memory | None
    constant: bool = False


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        return _reduced_array(obj)


def packed(value: Any, pickler: Callable[..., Any] = _Pickler, least_shared: float = LEAST_SHARED) -> Packed:
    """Pack a value, its arrays from `least_shared` bytes on apart. The sender closes the memory when it has sent it."""
    large: list[np.ndarray] = []

    def stays(buffer: pickle.PickleBuffer) -> bool:
        entries = np.frombuffer(buffer.raw(), np.uint8)
        if entries.size < least_shared:
            return True
        large.append(entries)
        return False

    stream = io.BytesIO()
    pickler(stream, protocol=5, buffer_callback=stays).dump(value)
    layout = layout_of(large)
    memory = Memory(layout) if large else None
    for target, source in zip(memory.copies[0] if memory else (), large, strict=True):
        target[...] = source
    return Packed(stream.getvalue(), layout, memory)


def packed_task(task: Any, least_shared: float = LEAST_SHARED) -> Packed:
    """Pack functions and their arguments: by value what no other process can import.

    So layers of a script or a notebook go along. A memory map goes as the name of its file.
    """
    from cloudpickle import CloudPickler

    constant = True

    class Pickler(CloudPickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            nonlocal constant
            if isinstance(obj, Value):
                constant &= obj.call is not None
                return reduced(obj)
            if type(obj) is CodeType:  # cloudpickle leaves its file out, and with it the lines of a traceback
                return _of_file, (obj.co_filename, *self.dispatch_table[CodeType](obj))
            known = _reduced_array(obj)
            known = super().reducer_override(obj) if known is NotImplemented else known
            # functions and classes that are sent by name are left to pickle, those sent by value are not
            constant &= known is NotImplemented and (isinstance(obj, FunctionType | type) or _is_frozen(obj))
            return known

    return packed(task, Pickler, least_shared)._replace(constant=constant)


def unpacked(head: bytes, layout: Layout, descriptors: list[int]) -> Any:
    """Return a packed value; what is written to its large arrays stays in this process."""
    if not layout:
        return pickle.loads(head)
    memory = Memory(layout, descriptors[0], own=True)
    memory.close()
    return pickle.loads(head, buffers=memory.copies[0])


def _is_frozen(obj: Any) -> bool:
    """Return whether this is a frozen dataclass, such as `value_and_grad` returns, with fields that cannot change."""
    if not is_dataclass(obj) or not getattr(obj, "__dataclass_params__").frozen:  # noqa: B009
        return False
    return all(isinstance(getattr(obj, field.name), CONSTANT) for field in fields(obj))


def _of_file(name: str, code: Callable[..., CodeType], parts: tuple[Any, ...]) -> CodeType:
    return code(*parts).replace(co_filename=name)


def _reduced_array(obj: Any) -> Any:
    """Return how to pickle a map of a file, or an array in another order than pickle keeps; else NotImplemented."""
    if type(obj) is np.memmap:
        return _reduced_map(obj)
    if type(obj) is not np.ndarray or obj.flags.forc or obj.dtype.hasobject:
        return NotImplemented
    axes = axes_of(obj)
    return _transposed, (np.ascontiguousarray(obj.transpose(axes)), tuple(np.argsort(axes).tolist()))


def _transposed(array: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return array.transpose(axes)


def _reduced_map(array: np.memmap[Any, Any]) -> Any:
    base: Any = array
    while type(base.base) is np.memmap:
        base = base.base
    # mode "c": what is written to the map is not in the file
    if array.filename is None or base.filename is None or base.mode == "c" or not array.flags.c_contiguous:
        return _transposed, (np.array(array, subok=False), tuple(range(array.ndim)))
    offset = base.offset + array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return np.memmap, (os.fspath(array.filename), array.dtype, "r", offset, array.shape)
