from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from functional_nn.data import DataError, MissingFileError, decoding
from functional_nn.data.decoding import FILES_A_TASK, LARGE, decode, decode_usable

Colours = Callable[..., np.ndarray]
SaveImage = Callable[..., Path]


def read(*paths: Path, size: int = 32) -> np.ndarray:
    return decode([str(path) for path in paths], size, lambda i: f"list:{i + 1}")


def test_images_keep_their_order_over_many_tasks(tmp_path: Path, save_image: SaveImage) -> None:
    greys = [save_image(tmp_path / f"{i}.png", np.full((4, 4, 3), i, np.uint8)) for i in range(200)]
    order = np.random.default_rng(0).integers(0, 200, 3 * FILES_A_TASK + 5)  # repeats among them
    images = read(*(greys[i] for i in order), size=4)
    assert images.shape == (len(order), 4, 4, 3)
    assert images.dtype == np.uint8
    assert images.flags.c_contiguous
    np.testing.assert_array_equal(images, np.broadcast_to(order[:, None, None, None], images.shape))


def test_a_lossless_image_of_the_size_asked_for_keeps_every_pixel(
    tmp_path: Path, save_image: SaveImage, colours: Colours
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    for ending in ("png", "bmp", "ppm", "tif"):
        np.testing.assert_array_equal(read(save_image(tmp_path / f"a.{ending}", pixels))[0], pixels)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 64), (65, 63), (100, 400), (300, 257), (20, 20)])
def test_a_jpeg_scaled_while_decoding_is_close_to_one_scaled_after(
    height: int, width: int, tmp_path: Path, save_image: SaveImage, colours: Colours
) -> None:
    pixels = colours(0, height, width)
    image = read(save_image(tmp_path / "a.jpg", pixels, quality=95))[0]
    reference = np.asarray(Image.fromarray(pixels).resize((32, 32), Image.Resampling.BILINEAR))
    assert np.abs(image.astype(int) - reference).max() <= 12
    assert np.abs(image.astype(int) - reference).mean() < 3


def test_a_jpeg_is_scaled_in_the_cosine_domain(
    tmp_path: Path, save_image: SaveImage, colours: Colours, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [save_image(tmp_path / f"{side}.jpg", colours(0, side, side)) for side in (64, 300)]
    resized = []
    resize = Image.Image.resize
    monkeypatch.setattr(
        Image.Image, "resize", lambda image, *given: resized.append(image.size) or resize(image, *given)
    )
    read(*paths)
    assert resized == [(38, 38)]  # 64 comes out of the decoder as 32, 300 as an eighth


@pytest.mark.parametrize(("ending", "mode"), [("jpg", "L"), ("png", "L"), ("png", "LA"), ("png", "1"), ("gif", "L")])
def test_grey_images_become_three_equal_channels(ending: str, mode: str, tmp_path: Path, save_image: SaveImage) -> None:
    pixels = np.repeat(np.repeat(np.array([[0, 255], [255, 0]], np.uint8), 32, axis=0), 32, axis=1)
    image = read(save_image(tmp_path / f"a.{ending}", pixels, mode))[0]
    assert (image == image[..., :1]).all()
    assert image[4, 4, 0] < 10
    assert image[4, 28, 0] > 245


@pytest.mark.parametrize(
    ("ending", "mode"), [("png", "P"), ("gif", "P"), ("png", "RGBA"), ("jpg", "CMYK"), ("webp", "RGB")]
)
def test_colours_of_other_modes_become_rgb(ending: str, mode: str, tmp_path: Path, save_image: SaveImage) -> None:
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = 255
    image = read(save_image(tmp_path / f"a.{ending}", red, mode))[0]
    assert np.abs(image.astype(int) - [255, 0, 0]).max() <= 4


def test_a_palette_with_transparency_loses_it_without_a_warning(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(tmp_path / "a.png", transparency=bytes([0, 128]))
    np.testing.assert_array_equal(read(tmp_path / "a.png", size=8)[0, 0, 0], [10, 20, 30])


def test_sixteen_bits_a_channel_are_refused(tmp_path: Path, save_image: SaveImage) -> None:
    path = save_image(tmp_path / "deep.png", np.full((8, 8), 1000, np.uint16))
    with pytest.raises(DataError, match=r"^list:1: .*deep.png has Pillow's mode 'I;16', expected 8 bits"):
        read(path)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_anywhere_is_an_error(
    progressive: bool, tmp_path: Path, save_image: SaveImage, colours: Colours
) -> None:
    data = save_image(tmp_path / "whole.jpg", colours(0, 40, 40), quality=50, progressive=progressive).read_bytes()
    path = tmp_path / "cut.jpg"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(DataError, match=r"^list:1: .*cut\.jpg is "):
            read(path, size=20)
    path.write_bytes(data)
    read(path, size=20)


@pytest.mark.parametrize("ending", ["png", "gif", "bmp", "ppm", "webp"])
def test_other_formats_cut_in_the_middle_are_an_error(
    ending: str, tmp_path: Path, save_image: SaveImage, colours: Colours
) -> None:
    path = save_image(tmp_path / f"a.{ending}", colours(0))
    data = path.read_bytes()
    for part in (0.1, 0.5, 0.9):
        path.write_bytes(data[: int(part * len(data))])
        with pytest.raises(DataError, match=r"^list:1: "):
            read(path)


def test_damaged_bytes_are_told_from_nothing_but_an_image(
    tmp_path: Path, save_image: SaveImage, colours: Colours
) -> None:
    jpeg = save_image(tmp_path / "a.jpg", colours(0)).read_bytes()
    png = save_image(tmp_path / "a.png", colours(0)).read_bytes()
    html, header, pixels = tmp_path / "html.jpg", tmp_path / "header.jpg", tmp_path / "pixels.png"
    html.write_bytes(b"<html>404 Not Found</html>")
    header.write_bytes(jpeg[:20] + b"\0" * 200 + jpeg[220:])
    pixels.write_bytes(png[:200] + bytes([png[200] ^ 255]) + png[201:])  # its checksum tells
    for path, message in ((html, "is no image"), (header, "corrupt"), (pixels, "corrupt")):
        with pytest.raises(DataError, match=rf"^list:1: .*{path.name} .*{message}"):
            read(path)


def test_postscript_is_refused_though_pillow_would_run_an_interpreter(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.eps")
    with pytest.raises(DataError, match="is no image"):
        read(tmp_path / "a.eps")


@pytest.mark.parametrize("ending", ["jpg", "png"])
@pytest.mark.parametrize(
    "limit", [100 * 100 - 1, 100 * 100 // 2 - 1]
)  # Pillow warns of the first, raises at the second
@pytest.mark.filterwarnings("ignore:Image size")
def test_an_image_above_pillows_limit_is_an_error(
    ending: str, limit: int, tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_image(tmp_path / f"large.{ending}", np.zeros((100, 100, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(DataError, match=r"^list:1: .*large.* .*MAX_IMAGE_PIXELS"):
        read(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    read(path)


def test_an_image_above_the_limit_is_an_error_where_warnings_are(
    tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_image(tmp_path / "large.png", np.zeros((100, 100, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100 * 100 - 1)
    with pytest.raises(DataError, match="MAX_IMAGE_PIXELS"):
        read(path)


def test_an_image_at_pillows_limit_is_taken(
    tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_image(tmp_path / "a.jpg", np.zeros((100, 100, 3), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100 * 100)
    assert read(path).shape == (1, 32, 32, 3)


def test_a_missing_image_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"^list:1: there is no image .*gone\.jpg") as missing:
        read(tmp_path / "gone.jpg")
    assert isinstance(missing.value, FileNotFoundError)
    (tmp_path / "folder.jpg").mkdir()
    with pytest.raises(DataError, match=r"^list:1: .*folder\.jpg: this is a directory, expected a regular file"):
        read(tmp_path / "folder.jpg")


@pytest.mark.parametrize("first", ["missing", "corrupt"])
@pytest.mark.parametrize("distance", [1, FILES_A_TASK + 3])
def test_several_bad_files_are_listed_in_their_order(
    first: str, distance: int, tmp_path: Path, save_image: SaveImage
) -> None:
    good = save_image(tmp_path / "good.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "corrupt").write_bytes(b"\xff\xd8\xff nothing more")
    last = "corrupt" if first == "missing" else "missing"
    paths = [good] * 10 + [tmp_path / first] + [good] * (distance - 1) + [tmp_path / last] + [good] * 300
    for _ in range(5):
        listed = rf"^2 of {len(paths)} images cannot be used:\n  list:11: .*{first}.*\n  list:{11 + distance}: .*{last}"
        with pytest.raises(DataError, match=listed):
            read(*paths, size=4)


def test_tasks_still_waiting_are_dropped_where_very_many_files_are_bad(
    tmp_path: Path, save_image: SaveImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = save_image(tmp_path / "good.png", np.zeros((4, 4, 3), np.uint8))
    decode_some, started = decoding._decode_some, []

    def watched(*given: Any) -> None:
        started.append(given[2])
        decode_some(*given)

    monkeypatch.setattr(decoding, "_decode_some", watched)
    with pytest.raises(DataError, match=r"^at least 1\d\d of 32100 images cannot be used:(\n  .*){100}$"):
        read(*[tmp_path / "gone.png"] * 100, *[good] * (500 * FILES_A_TASK), size=4)
    assert len(started) < 100


def test_files_are_closed_again(tmp_path: Path, save_image: SaveImage, colours: Colours) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("counts open files in /proc")
    small = save_image(tmp_path / "a.jpg", colours(0))
    large = save_image(tmp_path / "a.bmp", colours(0, 400, 400))
    assert large.stat().st_size > LARGE
    cut = tmp_path / "cut.bmp"
    cut.write_bytes(large.read_bytes()[:-100])
    read(small, large)
    before = len(os.listdir("/proc/self/fd"))
    read(*[small, large] * 50)
    for bad in (tmp_path / "gone.jpg", cut):
        with pytest.raises(DataError):
            read(*[small] * 10, bad)
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_image_at_all_gives_an_empty_array() -> None:
    assert read().shape == (0, 32, 32, 3)
    with pytest.raises(ValueError, match="size=0"):
        read(size=0)


def test_bad_files_are_collected_and_their_images_are_black(tmp_path: Path, save_image: SaveImage) -> None:
    good = [str(save_image(tmp_path / f"{i}.png", np.full((4, 4, 3), i, np.uint8))) for i in range(1, 100)]
    (tmp_path / "text.png").write_text("no image")
    paths = [str(tmp_path / "no.png"), *good, str(tmp_path / "text.png"), good[0]]
    images, errors = decode_usable(paths, 4, lambda i: f"file {i}")
    assert sorted(errors) == [0, 100]
    assert isinstance(errors[0], MissingFileError)
    assert str(errors[100]).startswith(f"file 100: {tmp_path / 'text.png'} is no image")
    np.testing.assert_array_equal(images[:, 0, 0, 0], [0, *range(1, 100), 0, 1])
    np.testing.assert_array_equal(images[1:100], read(*map(Path, good), size=4))


def test_no_thread_waits_for_the_import_lock_that_an_interrupt_left_taken(
    tmp_path: Path, save_image: SaveImage, colours: Colours
) -> None:
    paths = [str(save_image(tmp_path / f"a.{ending}", colours(0, 9, 9))) for ending in ("png", "bmp", "tif", "webp")]
    program = f"""
import _imp, sys
_imp.acquire_lock()
from functional_nn.data.decoding import decode
print(len(decode({paths!r}, 8, str)))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (ran.stdout, ran.stderr) == ("4\n", "")
