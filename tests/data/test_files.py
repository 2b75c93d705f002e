from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from functional_nn.data import DataError, cached, cifar10, idx, image_folder, image_list
from functional_nn.data.decoding import decode

SaveImage = Callable[..., Path]
WriteIdx = Callable[..., Path]

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


def fails_at_once(pipe: Path, read: Callable[[], object], message: str) -> None:
    """Check that `read` raises `DataError` though nobody writes to the pipe."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            read()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(10)
    if thread.is_alive():
        os.close(os.open(pipe, os.O_WRONLY))  # a reader that waits meets the end of the file, so the tests go on
        thread.join()
        pytest.fail("the reader was blocked")
    assert len(errors) == 1
    with pytest.raises(DataError, match=message):
        raise errors[0]


def test_e4_a_pipe_named_like_an_image_does_not_block(tmp_path: Path, save_image: SaveImage) -> None:
    for name in ("cat", "dog"):
        for i in range(20):
            save_image(tmp_path / name / f"{i}.png", np.zeros((4, 4, 3), np.uint8))
    os.mkfifo(tmp_path / "dog/pipe.png")
    message = r"pipe\.png: this is a named pipe, expected a regular file"
    pipe = tmp_path / "dog/pipe.png"
    fails_at_once(pipe, lambda: decode([str(pipe)], 4, lambda i: "list:1"), rf"^list:1: .*{message}")
    fails_at_once(pipe, lambda: image_folder(tmp_path, 4), message)


def test_e4_a_device_is_not_opened() -> None:
    with pytest.raises(DataError, match=rf"{os.devnull}: this is a character device, expected a regular file"):
        decode([os.devnull], 4, lambda i: "list:1")


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte.gz"])
def test_e4_a_pipe_named_like_an_idx_file_is_named(name: str, tmp_path: Path, write_idx: WriteIdx) -> None:
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", np.ones((4, 4, 4), np.uint8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", np.ones(4, np.uint8))
    (tmp_path / name.removesuffix(".gz")).unlink()
    os.mkfifo(tmp_path / name)
    fails_at_once(tmp_path / name, lambda: idx(tmp_path, val=1), f"{name}: this is a named pipe")


@pytest.mark.parametrize("name", ["data_batch_1.bin", "test_batch.bin"])
def test_e4_a_pipe_named_like_a_file_of_cifar10_is_named(name: str, tmp_path: Path) -> None:
    for file in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        if file == name:
            os.mkfifo(tmp_path / file)
        else:
            (tmp_path / file).write_bytes(bytes(3073))
    fails_at_once(tmp_path / name, lambda: cifar10(tmp_path, val=1), f"{name}: this is a named pipe")


def test_e4_a_pipe_named_like_a_list_is_named(tmp_path: Path) -> None:
    for name in ("train.txt", "test.txt"):
        (tmp_path / name).write_text("a.png 0\n")
    os.mkfifo(tmp_path / "val.txt")
    fails_at_once(tmp_path / "val.txt", lambda: image_list(tmp_path), r"val\.txt: this is a named pipe")


def test_e4_a_pipe_in_place_of_a_cache_is_kept(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "c.npz")
    fails_at_once(tmp_path / "c.npz", lambda: cached(tmp_path / "c.npz", "here", dict), r"c\.npz: this is a named pipe")
    assert (tmp_path / "c.npz").is_fifo()
