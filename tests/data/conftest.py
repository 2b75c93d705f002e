"""Small image files for the tests of the sources."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SaveImage = Callable[..., Path]


@pytest.fixture
def colours() -> Callable[..., np.ndarray]:
    """Return a smooth image (height, width, 3), which JPEG keeps nearly as it is; other seeds, other images."""

    def make(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
        corners = np.random.default_rng(seed).integers(0, 256, (2, 2, 3), dtype=np.uint8)
        return np.asarray(Image.fromarray(corners).resize((width, height), Image.Resampling.BILINEAR))

    return make


@pytest.fixture
def save_image() -> SaveImage:
    """Write an array as an image file, in the format of its ending, in directories that are made; return its path."""

    def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(pixels)
        (image if mode is None else image.convert(mode)).save(path, **options)
        return path

    return save


@pytest.fixture
def write_idx() -> Callable[..., Path]:
    """Write an array of bytes as an IDX file."""

    def write(path: Path, array: np.ndarray, *, dtype_code: int = 8, shape: tuple[int, ...] | None = None) -> Path:
        shape = array.shape if shape is None else shape
        header = bytes((0, 0, dtype_code, len(shape))) + b"".join(length.to_bytes(4, "big") for length in shape)
        path.write_bytes(header + array.tobytes())
        return path

    return write
