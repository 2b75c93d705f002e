from __future__ import annotations

from pathlib import Path

import pytest

from functional_nn.data import DataError
from functional_nn.data.class_names import class_names


def read(path: Path, text: str) -> tuple[str, ...]:
    (path / "classes.txt").write_bytes(text.encode())
    return class_names(path / "classes.txt")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("cat\ndog\n", ("cat", "dog")),
        ("\ufeffcat \r\n dog\r\n\r\n", ("cat", "dog")),
        ("tree frog\nthree o'clock\n", ("tree frog", "three o'clock")),
        ("7\n3\n", ("7", "3")),
        ("0\tcat\n1\tdog", ("cat", "dog")),
        ("1\tdog\n0\tcat\n", ("cat", "dog")),
        ("0\tn01\tcat, tomcat\n1\tn02\tdog\n", ("cat, tomcat", "dog")),
    ],
    ids=ascii,
)
def test_names_stand_alone_or_after_their_labels(text: str, names: tuple[str, ...], tmp_path: Path) -> None:
    assert read(tmp_path, text) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty, expected"),
        ("cat\n\ndog\n", r":2: '', expected `label`, tab, `name`"),
        ("cat\n1\tdog\n", r":2: '1\\tdog', expected"),
        ("0\tcat\ndog\n", ":2: 'dog', expected"),
        ("0 cat\n1 dog\n", ":1: '0 cat', expected `label`, tab, `name`"),
        ("cat\tx\n", ":1: label 'cat', expected an integer from 0 to 0"),
        ("0\tcat\n2\tdog\n", ":2: label '2', expected an integer from 0 to 1, since the file has 2 lines"),
        ("0\tcat\n-1\tdog\n", ":2: label '-1'"),
        ("0\tcat\n" + "9" * 5000 + "\tdog\n", ":2: label '999"),
        ("0\tcat\n0\tdog\n", ":2: label 0 a second time"),
        ("cat\ncat\n", ":2: name 'cat' a second time"),
    ],
    ids=range(11),
)
def test_a_bad_line_is_named(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"classes\.txt.*{message}"):
        read(tmp_path, text)


def test_a_file_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(b"cat\nb\xe4r\n")
    with pytest.raises(DataError, match=r"classes\.txt:2: not UTF-8"):
        class_names(tmp_path / "classes.txt")
