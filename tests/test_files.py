"""Regular files: told from all that is not one, and replaced as a whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from functional_nn.data import DataError
from functional_nn.files import exists, open_regular, regular_size, replaced


def test_a_link_leads_to_its_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"four")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert exists(tmp_path / "link")
    assert regular_size(tmp_path / "link") == 4
    with open_regular(tmp_path / "link") as stream:
        assert stream.read() == b"four"


def test_what_is_not_there_is_told_from_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert not any(exists(tmp_path / name) for name in ("nothing", "file/below", "dangling"))
    with pytest.raises(DataError, match="this is a directory"):
        exists(tmp_path)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def write(path: Path, text: bytes, error: BaseException | None = None) -> None:
    with replaced(path) as stream:
        stream.write(text)
        if error is not None:
            raise error


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "file"
    for text in (b"first", b"second, longer"):
        with replaced(file) as stream:
            stream.write(text)
            assert not file.exists() or file.read_bytes() == b"first"
        assert file.read_bytes() == text
        assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), ValueError("bad"), KeyboardInterrupt()], ids=str)
def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(error: BaseException, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(type(error)):
        write(tmp_path / "file", b"half", error)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_an_error_of_the_disk_names_the_file_and_what_became_of_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file .*nothing was written.*no/file'$"):
        write(tmp_path / "no/file", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_disk_that_is_full_at_the_last_moment_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def full(descriptor: int) -> None:
        with open("/dev/full", "wb", buffering=0) as device:
            device.write(b"x")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*file'$"):
        write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_links_and_permissions_stay(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"old")
    file.chmod(0o600)
    (tmp_path / "link").symlink_to(file)
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_directory_and_a_pipe_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("folder", "directory"), ("pipe", "named pipe")):
        with pytest.raises(DataError, match=f"{name}: this is a {kind}, expected a regular file"):
            write(tmp_path / name, b"new")
    assert sorted(names(tmp_path)) == ["folder", "pipe"]


def test_the_longest_name_of_a_file_is_written(tmp_path: Path) -> None:
    name = "n" * 251 + ".npz"
    write(tmp_path / name, b"x")
    assert names(tmp_path) == [name]


HOLDING = """
import os, signal, sys
from functional_nn.files import replaced
with replaced(sys.argv[1]) as stream:
    stream.write(b"half")
    stream.flush()
    print("writing", flush=True)
    if sys.stdin.read() == "die":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def writer(file: Path) -> subprocess.Popen[str]:
    """A process that is writing the file until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such locks")
def test_what_a_killed_writer_left_is_removed_and_a_writer_at_work_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "file[1]"
    killed, at_work, other = writer(file), writer(file), writer(tmp_path / "other")
    killed.communicate("die")
    other.communicate("die")
    assert len(names(tmp_path)) == 3
    write(file, b"mine")
    assert file.read_bytes() == b"mine"
    assert len([name for name in names(tmp_path) if name.startswith(".file[1].")]) == 1
    at_work.communicate("end")
    assert at_work.returncode == 0
    assert file.read_bytes() == b"half"  # the last writer's, whole
    assert [name for name in names(tmp_path) if not name.startswith(".other.")] == ["file[1]"]


@pytest.mark.skipif(sys.platform == "win32", reason="this system has no such locks")
def test_a_file_that_is_removed_before_its_writer_holds_it_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed: list[str] = []

    def late(descriptor: object, operation: int) -> None:
        if not removed:
            removed.extend(names(tmp_path))
            (tmp_path / removed[0]).unlink()

    monkeypatch.setattr("fcntl.flock", late)
    write(tmp_path / "file", b"new")
    assert len(removed) == 1
    assert names(tmp_path) == ["file"]


def test_a_disk_without_locks_is_written_and_keeps_what_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(descriptor: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("functional_nn.files.fcntl.flock", unsupported)
    left = tmp_path / ".file.01234567.unfinished"
    left.touch()
    write(tmp_path / "file", b"new")
    assert sorted(names(tmp_path)) == [left.name, "file"]


def test_a_trial_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with replaced(tmp_path / "file", trial=True) as stream:
        stream.write(b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]
