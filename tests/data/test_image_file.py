from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin, PngImagePlugin

from functional_nn.data import DataError, decoding
from functional_nn.data.decoding import LARGE, decode
from functional_nn.data.image_file import SMALL, PixelBudget

SaveImage = Callable[..., Path]


class UnderWay:
    """Counts the pixels of images that are loaded at the same time."""

    def __init__(self) -> None:
        self.lock, self.now, self.most, self.images = threading.Lock(), 0, 0, 0

    def watch(self, monkeypatch: pytest.MonkeyPatch, kind: type[Any]) -> None:
        load = kind.load

        def watched(image: Any) -> object:
            if not image.tile:  # loaded before
                return load(image)
            pixels = image.size[0] * image.size[1]
            with self.lock:
                self.now, self.images = self.now + pixels, self.images + 1
                self.most = max(self.most, self.now)
            time.sleep(0.01)
            try:
                return load(image)
            finally:
                with self.lock:
                    self.now -= pixels

        monkeypatch.setattr(kind, "load", watched)


@pytest.fixture
def under_way(monkeypatch: pytest.MonkeyPatch) -> UnderWay:
    counter = UnderWay()
    counter.watch(monkeypatch, PngImagePlugin.PngImageFile)
    counter.watch(monkeypatch, JpegImagePlugin.JpegImageFile)
    monkeypatch.setattr(decoding, "FILES_A_TASK", 1)
    monkeypatch.setattr(decoding, "_cores", lambda: 4)
    return counter


def read(paths: list[Path], size: int = 8) -> np.ndarray:
    return decode([str(path) for path in paths], size, lambda i: f"list:{i + 1}")


@pytest.mark.parametrize("images", [1, 2, 3])
def test_e2_the_pixels_under_way_are_bounded_over_all_threads(
    images: int, under_way: UnderWay, tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = 600
    paths = [save_image(tmp_path / f"{i}.png", np.full((side, side, 3), i, np.uint8)) for i in range(10)]
    monkeypatch.setattr(decoding, "PIXELS_AT_ONCE", images * side**2 + 1, raising=False)
    np.testing.assert_array_equal(read(paths)[:, 0, 0, 0], np.arange(10))
    assert under_way.images == 10
    assert under_way.most <= images * side**2
    assert under_way.most > (images - 1) * side**2 or images == 3  # threads do share the budget


def test_e2_an_image_above_the_bound_is_decoded_alone(
    under_way: UnderWay, tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [save_image(tmp_path / f"{i}.png", np.full((600, 600, 3), i, np.uint8)) for i in range(6)]
    monkeypatch.setattr(decoding, "PIXELS_AT_ONCE", 1000, raising=False)
    np.testing.assert_array_equal(read(paths)[:, 0, 0, 0], np.arange(6))
    assert under_way.most == 600**2


def test_e2_a_corrupt_image_gives_its_pixels_back(
    tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = save_image(tmp_path / "good.png", np.zeros((600, 600, 3), np.uint8))
    bad = tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:200])
    monkeypatch.setattr(decoding, "PIXELS_AT_ONCE", 600**2, raising=False)
    monkeypatch.setattr(decoding, "FILES_A_TASK", 1)
    with pytest.raises(DataError, match=r"^list:3: "):
        read([good, good, bad, *[good] * 10])


def test_the_budget_keeps_its_limit_and_gives_all_back() -> None:
    budget, lock, now, most = PixelBudget(10), threading.Lock(), [], []

    def work(pixels: int) -> None:
        for _ in range(50):
            with budget.take(pixels):
                with lock:
                    now.append(pixels)
                    most.append(tuple(now))
                time.sleep(0.0001)
                with lock:
                    now.remove(pixels)

    threads = [threading.Thread(target=work, args=(pixels,), daemon=True) for pixels in (3, 4, 5, 9, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert all(sum(held) <= 10 or held == (25,) for held in most)
    assert max(map(len, most)) > 1


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "gif", "ppm", "tif", "webp"])
def test_a_large_file_is_decoded_like_a_small_one(ending: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    options = {"tif": {"compression": "tiff_adobe_deflate"}, "webp": {"lossless": True}}.get(ending, {})
    path = tmp_path / f"a.{ending}"
    Image.fromarray(pixels).save(path, **options)
    assert path.stat().st_size > LARGE
    assert pixels[..., 0].size > SMALL
    with Image.open(path) as image:
        expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read([path, path], 800), [expected, expected])


def test_files_wait_on_the_disk_where_they_are_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for i in range(3):
        paths.append(tmp_path / f"{i}.bmp")
        Image.new("RGB", (400, 300), (i, 0, 0)).save(paths[-1])
    assert paths[0].stat().st_size > LARGE
    kept: list[object] = []
    read_file = decoding._read
    monkeypatch.setattr(decoding, "_read", lambda path: kept.append(read_file(path)) or kept[-1])
    np.testing.assert_array_equal(read(paths)[:, 0, 0, 0], np.arange(3))
    assert kept == [None] * 3
