"""Decode one image file to RGB of 8 bits. Refuse other depths and huge images; limit the pixels in work at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["EXTENSIONS", "PIXELS_AT_ONCE", "PixelBudget", "UnusableError", "grey_levels", "resized", "rgb"]

# Formats that Pillow decodes in its own process; EPS, for one, would start another program.
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
BITS_PER_SAMPLE = 258  # a tag of TIFF
ORIENTATION = 274  # a tag of EXIF

LUMA = np.array([19595, 38470, 7471], np.uint32)  # 65536 times the weights of red, green and blue (ITU-R BT.601)
JPEG_START = b"\xff\xd8\xff"
PIXELS_AT_ONCE = 2**26  # Pillow needs 4 bytes a pixel, and as much again to convert
SMALL = 2**18  # images of so few pixels are not counted, because the lock would slow them down


class UnusableError(Exception):
    """Pillow could decode this image, but the sources do not take it. The message follows the path of the image."""


class PixelBudget:
    """Limits the pixels that threads decode at one time to `limit`. A larger image is decoded alone."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Wait until there is room for `pixels`, and give the room back after the body."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + pixels <= self._limit)
            self._taken += pixels
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()


def rgb(stream: BinaryIO, size: int, budget: PixelBudget) -> bytes:
    """Return the size * size * 3 bytes of the image in the file `stream`.

    Raises `UnusableError` for an image that the sources do not take, and nearly any error for a corrupt one.
    """
    image = _open(stream)
    _check(image)
    full = image.size
    image.draft("RGB", (size, size))  # a JPEG is decoded at 1/2, 1/4 or 1/8, never below size
    # libjpeg keeps the coefficients of a progressive JPEG at full size.
    width, height = full if "progressive" in image.info else image.size
    if width * height <= SMALL:
        return _scaled(image, size).tobytes()
    with budget.take(width * height):
        image = _scaled(image, size)  # under the same name: the large image is freed before another thread goes on
    return image.tobytes()


def resized(pixels: np.ndarray, size: int) -> np.ndarray:
    """Return pixels uint8 (h, w, 1) or (h, w, 3) as RGB (size, size, 3), as `rgb` scales a PNG file of them."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels))
    return np.asarray(_scaled(image, size))


def grey_levels(rgb: np.ndarray) -> np.ndarray:
    """Return the grey levels (..., 1) of images (..., 3) as Pillow rounds them; a grey pixel keeps its level."""
    return np.asarray(((rgb @ LUMA + 2**15) >> 16).astype(np.uint8)[..., np.newaxis])


def _scaled(image: Image.Image, size: int) -> Image.Image:
    from PIL import ImageOps
    from PIL.Image import Resampling

    if image.getexif().get(ORIENTATION, 1) != 1:  # a camera that was held upright says so here alone
        image = ImageOps.exif_transpose(image)
    if image.mode in ("P", "PA"):
        image = image.convert("RGBA")  # a palette with transparency has no direct way to RGB
    if image.mode != "RGB":
        image = image.convert("RGB")
    return image if image.size == (size, size) else image.resize((size, size), Resampling.BILINEAR)


def _open(stream: BinaryIO) -> Image.Image:
    """Return the image with its header read and its pixels not yet."""
    from PIL import Image, JpegImagePlugin, UnidentifiedImageError

    start = stream.read(len(JPEG_START))
    stream.seek(0)
    if start == JPEG_START:  # saves a small JPEG a tenth of its time
        return JpegImagePlugin.JpegImageFile(stream)
    # Above Pillow's limit, Image.open only warns; above twice the limit it raises. Threads cannot set a warning filter,
    # which is global, so `_check` compares with the limit. The warning is an error here if the user made it one.
    try:
        return Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError:
        raise UnusableError(f"is no image, or is cut off at its start; expected one of {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusableError(f"is larger than PIL.Image.MAX_IMAGE_PIXELS allows, scale it down: {error}") from None


def _check(image: Image.Image) -> None:
    """Raise `UnusableError` for too many pixels, for a mode that does not become RGB, and for more than 8 bits."""
    from PIL import Image

    width, height = image.size
    if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
        raise UnusableError(
            f"has {width}x{height} pixels, PIL.Image.MAX_IMAGE_PIXELS allows {Image.MAX_IMAGE_PIXELS}: scale it down"
        )
    if image.mode not in MODES:
        raise UnusableError(
            f"has Pillow's mode {image.mode!r}, expected 8 bits a channel of grey, RGB, CMYK or a palette: "
            "convert it to 8-bit RGB"
        )
    if (bits := _bits(image)) > 8:
        raise UnusableError(f"has {bits} bits a channel, expected 8 bits a channel: convert it to 8-bit RGB")


def _bits(image: Image.Image) -> int:
    """Return the bits of a channel in the file. Pillow's mode does not tell: it cuts 16 bits of RGB to 8."""
    if image.format == "TIFF":
        return max(image.tag_v2.get(BITS_PER_SAMPLE, (1,)))  # type: ignore[attr-defined]
    for codec, _, _, arguments in image.tile:  # type: ignore[attr-defined]
        if image.format == "PNG" and str(arguments).endswith(";16B"):
            return 16
        if codec in ("ppm", "ppm_plain") and isinstance(arguments, tuple):
            return int(arguments[-1]).bit_length()  # the last argument is the value of white
    return 8
