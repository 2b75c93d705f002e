"""A handful of images in the report's form, and the handful of rows that a test trains on them."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

MISSING = [
    name for name in ("sklearn", "PIL", "matplotlib", "tqdm", "joblib", "jinja2") if not importlib.util.find_spec(name)
]
collect_ignore_glob = ["*/*", "test_autoencoder.py", "test_mnist.py", "test_resnet.py"] if MISSING else []


def three_classes():
    """Return 12, 6 and 6 random colour images of three classes."""
    rng = np.random.default_rng(0)
    return {
        part: (rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), np.arange(n) % 3)
        for part, n in (("train", 12), ("val", 6), ("test", 6))
    }


def write_image_lists(root, splits):
    """Make the directory `root` with the images and the three lists, and return it."""
    from PIL import Image

    root.mkdir()
    for part, (images, labels) in splits.items():
        lines = []
        for i, (image, label) in enumerate(zip(images, labels, strict=True)):
            Image.fromarray(image).save(root / f"{part}{i}.png")
            lines.append(f"{part}{i}.png {label}")
        (root / f"{part}.txt").write_text("\n".join(lines), encoding="utf-8")
    return root


@pytest.fixture
def splits():
    """Return `three_classes`."""
    return three_classes()


@pytest.fixture
def image_lists(tmp_path, splits):
    """Return a directory with those images and the three lists."""
    return write_image_lists(tmp_path / "images", splits)
