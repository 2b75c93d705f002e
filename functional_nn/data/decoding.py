"""Image files decoded to one uint8 array on a thread pool: what the sources that read image files share."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from functional_nn.data.errors import DataError, MissingFileError
from functional_nn.data.files import regular_descriptor, regular_size
from functional_nn.data.optional import needs_extra
from functional_nn.data.splits import check_size

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["EXTENSIONS", "decode"]

# Formats that Pillow decodes in its own process; EPS, for one, would start another program.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
BITS_PER_SAMPLE = 258  # a tag of TIFF

JPEG_START = b"\xff\xd8\xff"
FILES_A_TASK = 64


def decode(paths: Sequence[str], size: int, place: Callable[[int], str]) -> np.ndarray:
    """Return the images (n, size, size, 3), uint8 RGB, in the order of `paths`.

    An image is scaled to size x size whatever its proportions: a JPEG by 2, 4 or 8 in the domain of its cosine
    transform, as far as that goes, and bilinearly for the rest. Grey-scale, palette and CMYK images become RGB, and
    fewer than 8 bits a channel are spread over 0 .. 255. Transparency is dropped. Of several frames the first is
    taken. An orientation tag turns a TIFF, since Pillow does so while it decodes; elsewhere it is not applied.
    `place(i)` tells the reader of an error where the i-th path comes from, such as a list and its line.
    Raises `DataError` at the first file, in order, that is missing (then `MissingFileError`), no regular file,
    truncated, corrupt, of another format, of more than 8 bits a channel, or larger than
    `PIL.Image.MAX_IMAGE_PIXELS`; `ImportError` without Pillow.
    """
    check_size(size)
    with needs_extra("experiments", "decoding images"):
        import PIL.Image  # noqa: F401 (the threads import it, its absence is told here)
    images = np.empty((len(paths), size, size, 3), np.uint8)

    def run(start: int) -> None:
        _decode_some(paths[start : start + FILES_A_TASK], images[start : start + FILES_A_TASK], start, place)

    # One thread more than cores: at tens of microseconds an image, a core would else wait for the interpreter lock.
    pool = ThreadPoolExecutor(_cores() + 1, thread_name_prefix="decode")
    try:
        for task in [pool.submit(run, start) for start in range(0, len(paths), FILES_A_TASK)]:
            task.result()  # in order, so the first error of the list is the one that is raised
    finally:
        pool.shutdown(cancel_futures=True)
    return images


def _decode_some(paths: Sequence[str], images: np.ndarray, start: int, place: Callable[[int], str]) -> None:
    # All reads come first: each system call gives the interpreter lock away, and amid decoding that costs a wait.
    files = [_read(path) for path in paths]
    pixels = []
    for i, (path, data) in enumerate(zip(paths, files, strict=True), start):
        if isinstance(data, FileNotFoundError):
            raise MissingFileError(f"{place(i)}: there is no image {path}: add the file or remove it") from data
        if isinstance(data, DataError):
            raise DataError(f"{place(i)}: {data}") from data
        if isinstance(data, OSError):
            raise DataError(f"{place(i)}: {path} cannot be read: {data.strerror or data}") from data
        try:
            pixels.append(_rgb(data, len(images[0])))
        except _UnusableError as error:
            raise DataError(f"{place(i)}: {path} {error}") from None
        except Exception as error:  # a corrupt file makes Pillow's plugins raise nearly anything
            raise DataError(
                f"{place(i)}: {path} is truncated or corrupt ({type(error).__name__}: {error}): replace or remove it"
            ) from error
    images[:] = np.frombuffer(b"".join(pixels), np.uint8).reshape(images.shape)


def _read(path: str) -> bytes | OSError | DataError:
    """Return the whole file, or the error, which must wait for those of the files before it."""
    try:
        size = regular_size(path)
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


class _UnusableError(Exception):
    """What is wrong with an image that Pillow would take."""


def _rgb(data: bytes, size: int) -> bytes:
    """Return the size * size * 3 bytes of the image in the file `data`."""
    from PIL import Image

    image = _open(data)
    width, height = image.size
    if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
        raise _UnusableError(
            f"has {width}x{height} pixels, PIL.Image.MAX_IMAGE_PIXELS allows {Image.MAX_IMAGE_PIXELS}: scale it down"
        )
    if image.mode not in MODES:
        raise _UnusableError(
            f"has Pillow's mode {image.mode!r}, expected 8 bits a channel of grey, RGB, CMYK or a palette: "
            "convert it to 8-bit RGB"
        )
    if (bits := _bits(image)) > 8:
        raise _UnusableError(f"has {bits} bits a channel, expected 8 bits a channel: convert it to 8-bit RGB")
    image.draft("RGB", (size, size))  # decodes a JPEG at 1/2, 1/4 or 1/8, never below size; else does nothing
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # a palette with transparency has no direct way to RGB
    if image.mode != "RGB":
        image = image.convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return image.tobytes()


def _bits(image: Image.Image) -> int:
    """Return the bits of a channel in the file: Pillow opens images of 16 bits as RGB too, and cuts them to 8."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS_PER_SAMPLE, (1,)))  # type: ignore[attr-defined]
    for codec, _, _, arguments in image.tile:  # type: ignore[attr-defined]
        if image.format == "PNG" and str(arguments).endswith(";16B"):
            return 16
        if codec in ("ppm", "ppm_plain") and isinstance(arguments, tuple):
            return int(arguments[-1]).bit_length()  # the last argument is the value of white
    return 8


def _open(data: bytes) -> Image.Image:
    """Return the image with its header read and its pixels not yet."""
    from PIL import Image, JpegImagePlugin, UnidentifiedImageError

    if data.startswith(JPEG_START):  # a tenth of the time of a small JPEG is saved by not asking what it is
        return JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    # Image.open only warns of an image above Pillow's limit, and raises above twice the limit. A warning filter is
    # global, so threads cannot use one to tell: `_rgb` compares with the limit, and where the user has turned
    # warnings into errors, that ends here.
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise _UnusableError(f"is no image or cut off at its start, expected one of {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _UnusableError(f"is larger than PIL.Image.MAX_IMAGE_PIXELS allows, scale it down: {error}") from None


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
