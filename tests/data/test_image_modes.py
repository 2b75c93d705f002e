"""What becomes of each kind of image file; files that Pillow does not write are written here, byte by byte."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from functional_nn.data import DataError
from functional_nn.data.decoding import decode

SaveImage = Callable[..., Path]
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # of PNG, by channels


def read(path: Path, size: int = 8) -> np.ndarray:
    return decode([str(path)], size, lambda i: f"list:{i + 1}")[0]


def refuses(path: Path, message: str) -> None:
    with pytest.raises(DataError, match=rf"^list:1: .*{path.name} has {message}.*convert it to 8-bit RGB"):
        read(path)


def write_png(path: Path, pixels: np.ndarray, bits: int) -> Path:
    """Write (h, w, channels) of `bits` bits; below 8, a row is packed from its first pixel's highest bit on."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    shifts = np.arange(bits - 1, -1, -1)
    rows = np.packbits((pixels.reshape(height, -1, 1).astype(int) >> shifts & 1).reshape(height, -1), axis=1)
    header = struct.pack(">IIBBBBB", width, height, bits, COLOUR_TYPES[channels], 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return path


def write_tiff(
    path: Path, pixels: np.ndarray, *, planes: bool = False, deflated: bool = False, cmyk: bool = False
) -> Path:
    """Write (h, w, channels) of unsigned 8 or 16 bits as a little-endian TIFF of one strip, or of one a plane."""
    height, width, channels = pixels.shape
    strips = [pixels[..., c] for c in range(channels)] if planes else [pixels]
    data = [strip.astype(f"<u{pixels.itemsize}").tobytes() for strip in strips]
    data = [zlib.compress(strip) for strip in data] if deflated else data
    offsets = [8 + sum(map(len, data[:i])) for i in range(len(data))]
    tags = {
        256: [width], 257: [height], 258: [8 * pixels.itemsize] * channels, 259: [8 if deflated else 1],
        262: [5 if cmyk else 2], 273: offsets, 277: [channels], 278: [height],
        279: list(map(len, data)), 284: [2 if planes else 1],
    }  # fmt: skip
    if channels == 4 and not cmyk:
        tags[338] = [2]  # the last channel is transparency
    body = b"".join(data)
    entries, extra, after = b"", b"", 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}I", *values)
        if len(packed) > 4:
            packed, extra = struct.pack("<I", after + len(extra)), extra + packed
        entries += struct.pack("<HHI", tag, 4, len(values)) + packed
    path.write_bytes(
        b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + entries + bytes(4) + extra
    )
    return path


def write_pnm(path: Path, magic: str, pixels: np.ndarray, white: int) -> Path:
    head = f"{magic}\n{pixels.shape[1]} {pixels.shape[0]}\n{white}\n".encode()
    plain = magic in ("P2", "P3")
    body = (
        " ".join(map(str, pixels.ravel())).encode()
        if plain
        else pixels.astype(">u2" if white > 255 else "u1").tobytes()
    )
    path.write_bytes(head + body + b"\n" * plain)
    return path


def deep(channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**16, (8, 8, channels), dtype=np.uint16)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_b10_a_png_of_16_bits_is_refused(channels: int, tmp_path: Path) -> None:
    refuses(write_png(tmp_path / "deep.png", deep(channels), 16), "16 bits a channel, expected 8 bits")


@pytest.mark.parametrize("magic", ["P3", "P6"])
@pytest.mark.parametrize("white", [256, 1023, 65535])
def test_b10_a_ppm_of_more_than_8_bits_is_refused(magic: str, white: int, tmp_path: Path) -> None:
    refuses(write_pnm(tmp_path / "deep.ppm", magic, deep(3) % white, white), r"\d+ bits a channel, expected 8 bits")


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("planes", [False, True])
def test_b10_a_tiff_of_16_bits_is_refused(channels: int, deflated: bool, planes: bool, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "deep.tif", deep(channels), deflated=deflated, planes=planes)
    refuses(path, "16 bits a channel, expected 8 bits")


def test_b10_a_cmyk_tiff_of_16_bits_is_refused(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "deep.tif", deep(4), cmyk=True)
    refuses(path, "16 bits a channel, expected 8 bits")


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("planes", [False, True])
def test_the_same_files_of_8_bits_are_taken(deflated: bool, planes: bool, tmp_path: Path) -> None:
    pixels = (deep(3) >> 8).astype(np.uint8)
    np.testing.assert_array_equal(
        read(write_tiff(tmp_path / "a.tif", pixels, deflated=deflated, planes=planes)), pixels
    )
    np.testing.assert_array_equal(read(write_png(tmp_path / "a.png", pixels, 8)), pixels)
    for magic in ("P3", "P6"):
        np.testing.assert_array_equal(read(write_pnm(tmp_path / "a.ppm", magic, pixels, 255)), pixels)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_grey_images_of_16_bits_are_refused(name: str, tmp_path: Path) -> None:
    Image.fromarray(deep(1)[..., 0]).save(tmp_path / name)
    refuses(tmp_path / name, "Pillow's mode 'I.*', expected 8 bits")


@pytest.mark.parametrize(("mode", "name"), [("I", "a.tif"), ("F", "a.tif"), ("F", "a.ppm"), ("LAB", "a.tif")])
def test_modes_of_whole_and_real_numbers_and_of_lab_are_refused(mode: str, name: str, tmp_path: Path) -> None:
    Image.new(mode, (8, 8)).save(tmp_path / name)
    refuses(tmp_path / name, f"Pillow's mode '{mode}', expected 8 bits")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_fewer_bits_are_spread_over_all_levels(bits: int, tmp_path: Path) -> None:
    white = 2**bits - 1
    pixels = np.random.default_rng(0).integers(0, white + 1, (8, 8, 1))
    expected = np.repeat(pixels * (255 // white), 3, axis=2)
    np.testing.assert_array_equal(read(write_png(tmp_path / "a.png", pixels, bits)), expected)
    np.testing.assert_array_equal(read(write_pnm(tmp_path / "a.pgm", "P5", pixels, white)), expected)


def test_a_palette_gives_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) % 3).convert("P")
    image.putpalette([200, 0, 1, 2, 100, 3, 4, 5, 50])
    for name in ("a.png", "a.gif", "a.bmp", "a.tif"):
        image.save(tmp_path / name)
        np.testing.assert_array_equal(read(tmp_path / name)[0, :3], [[200, 0, 1], [2, 100, 3], [4, 5, 50]])


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_dropped(mode: str, tmp_path: Path) -> None:
    pixels = np.full((8, 8, len(mode)), 90, np.uint8)
    pixels[..., -1] = 0
    for name in ("a.png", "a.tif"):
        Image.fromarray(pixels).save(tmp_path / name)
        np.testing.assert_array_equal(read(tmp_path / name), np.full((8, 8, 3), 90))


def test_cmyk_becomes_the_rgb_that_its_inks_leave(tmp_path: Path) -> None:
    inks = np.array([[[0, 255, 255, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 0, 0, 0]]], np.uint8)
    Image.fromarray(np.tile(inks, (8, 2, 1)), "CMYK").save(tmp_path / "a.tif")
    colours = [[255, 0, 0], [0, 255, 255], [0, 0, 0], [255, 255, 255]]
    np.testing.assert_array_equal(read(tmp_path / "a.tif"), np.tile(colours, (8, 2, 1)))


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_of_several_frames_the_first_is_taken(ending: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (200, 100, 0)]
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], **options)
    with Image.open(tmp_path / f"a.{ending}") as image:
        assert image.n_frames == 3
    np.testing.assert_array_equal(read(tmp_path / f"a.{ending}"), np.broadcast_to([200, 0, 0], (8, 8, 3)))


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_an_orientation_tag_is_applied(ending: str, orientation: int, tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[274] = orientation  # 3: by 180 degrees; 6: by 90, clockwise
    Image.fromarray(pixels).save(
        tmp_path / f"a.{ending}", exif=exif, **({"lossless": True} if ending == "webp" else {})
    )
    pixels = np.rot90(pixels, {1: 0, 3: 2, 6: -1}[orientation])
    assert np.abs(read(tmp_path / f"a.{ending}").astype(int) - pixels).max() <= 2
