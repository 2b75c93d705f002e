"""Decode image files on several threads to one uint8 array. The sources of image files share this module."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from functional_nn.data.image_file import PIXELS_AT_ONCE, PixelBudget, UnusableError, rgb
from functional_nn.data.splits import check_size
from functional_nn.errors import DataError, MissingFileError
from functional_nn.extras import needs_extra
from functional_nn.files import open_regular, regular_descriptor, regular_size

__all__ = ["decode", "decode_parts", "decode_usable"]

File = bytes | OSError | DataError | None

FILES_A_TASK = 64
MOST_SHOWN = 100  # files that an error lists; the images after them are not decoded
LARGE = 2**18  # bytes; a larger file is not read into memory before its turn to be decoded


def decode(paths: Sequence[str], size: int, place: Callable[[int], str]) -> np.ndarray:
    """Return the images (n, size, size, 3), uint8 RGB, in the order of `paths`.

    Every image is scaled to size x size; its proportions are not kept. The JPEG decoder itself scales by 2, 4 or 8
    where that suffices, and the rest is bilinear. Grey, palette and CMYK images become RGB. Levels of fewer than 8
    bits are scaled to 0 .. 255. Transparency is dropped. The first of several frames is taken. A camera's
    orientation tag is applied, so that a picture stands as it was seen.
    `place(i)` says in an error where the i-th path comes from, for example a list and a line.
    Raises `DataError`, which lists the files that are missing (`MissingFileError` where it is one alone), no regular
    file, truncated, corrupt, of another format, of more than 8 bits a channel, or larger than
    `PIL.Image.MAX_IMAGE_PIXELS`; `ImportError` without Pillow.
    """
    images, errors = _decode(paths, size, place, MOST_SHOWN)
    if len(errors) == 1:
        raise next(iter(errors.values()))
    if errors:
        shown = "".join(f"\n  {errors[i]}" for i in sorted(errors)[:MOST_SHOWN])
        least = "at least " if len(errors) >= MOST_SHOWN else ""
        raise DataError(f"{least}{len(errors)} of {len(paths)} images cannot be used:{shown}")
    return images


def decode_parts(parts: Sequence[Sequence[str]], size: int, place: Callable[[int, int], str]) -> list[np.ndarray]:
    """Return what `decode` returns for each part, views of one array; one error lists the bad files of all parts.

    `place(part, i)` says where the i-th path of a part comes from.
    """
    ends = np.cumsum([len(part) for part in parts])

    def placed(i: int) -> str:
        part = int(np.searchsorted(ends, i, side="right"))
        return place(part, i - int(ends[part]) + len(parts[part]))

    return np.split(decode([path for part in parts for path in part], size, placed), ends[:-1])


def decode_usable(
    paths: Sequence[str], size: int, place: Callable[[int], str]
) -> tuple[np.ndarray, dict[int, DataError]]:
    """Return what `decode` returns, and by index the errors of the files that cannot be used: their images are black.

    Raises `ImportError` without Pillow.
    """
    return _decode(paths, size, place, len(paths) + 1)


def _decode(
    paths: Sequence[str], size: int, place: Callable[[int], str], most: int
) -> tuple[np.ndarray, dict[int, DataError]]:
    """Decode until there are `most` errors."""
    check_size(size)
    with needs_extra("experiments", "decoding images"):
        import PIL.Image
    # The threads import nothing: Ctrl-C during an import can leave the import lock taken, and they would wait for ever.
    PIL.Image.init()
    images = np.empty((len(paths), size, size, 3), np.uint8)
    errors: dict[int, DataError] = {}
    budget = PixelBudget(PIXELS_AT_ONCE)

    def run(start: int) -> None:
        chosen = slice(start, start + FILES_A_TASK)
        _decode_some(paths[chosen], images[chosen], start, place, budget, errors)

    # One thread more than cores: small images take tens of microseconds, and a thread waits for the interpreter lock.
    pool = ThreadPoolExecutor(_cores() + 1, thread_name_prefix="decode")
    try:
        for task in [pool.submit(run, start) for start in range(0, len(paths), FILES_A_TASK)]:
            task.result()
            if len(errors) >= most:
                break
    finally:
        pool.shutdown(cancel_futures=True)
    return images, errors


def _decode_some(
    paths: Sequence[str],
    images: np.ndarray,
    start: int,
    place: Callable[[int], str],
    budget: PixelBudget,
    errors: dict[int, DataError],
) -> None:
    # All small files are read first: every system call gives up the interpreter lock, and would then wait for it.
    files = [_read(path) for path in paths]
    pixels = []
    for i, (path, data) in enumerate(zip(paths, files, strict=True), start):
        try:
            pixels.append(_pixels(path, data, len(images[0]), budget, partial(place, i)))
        except DataError as error:
            errors[i] = error
            pixels.append(bytes(images[0].size))
    images[:] = np.frombuffer(b"".join(pixels), np.uint8).reshape(images.shape)


def _pixels(path: str, data: File, size: int, budget: PixelBudget, place: Callable[[], str]) -> bytes:
    if isinstance(data, FileNotFoundError):
        raise MissingFileError(f"{place()}: there is no image {path}: add the file or remove it") from data
    if isinstance(data, DataError):
        raise DataError(f"{place()}: {data}") from data
    if isinstance(data, OSError):
        raise DataError(f"{place()}: {path} cannot be read: {data.strerror or data}") from data
    try:
        with open_regular(path) if data is None else io.BytesIO(data) as stream:
            return rgb(stream, size, budget)
    except UnusableError as error:
        raise DataError(f"{place()}: {path} {error}") from None
    except Exception as error:  # a corrupt file makes Pillow's plugins raise nearly anything
        raise DataError(
            f"{place()}: {path} is truncated or corrupt ({type(error).__name__}: {error}): replace or remove it"
        ) from error


def _read(path: str) -> File:
    """Return the bytes of a file, None for a large one, or the error, which is raised when its turn comes."""
    try:
        size = regular_size(path)
        if size > LARGE:
            return None
        descriptor = regular_descriptor(path)
        try:
            pieces = [os.read(descriptor, size)]
            while (left := size - sum(map(len, pieces))) and pieces[-1]:
                pieces.append(os.read(descriptor, left))
            return b"".join(pieces)
        finally:
            os.close(descriptor)
    except (OSError, DataError) as error:
        return error


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
