"""`functional-nn classify`: a table or JSON, and files that are no images named at the end."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import functional_nn as fnn
from tests.cli.conftest import Run


def test_a_table_names_the_class_of_each_file(net: Path, run: Run) -> None:
    ran = run("classify", net, "pets/cat/3.png", "pets/dog/4.png")
    assert (ran.code, ran.err) == (0, "")
    head, rule, *rows = ran.out.splitlines()
    assert head.split() == ["file", "class", "probability"]
    assert set(rule) == {"-"}
    assert [row.split()[:2] for row in rows] == [["pets/cat/3.png", "cat"], ["pets/dog/4.png", "dog"]]
    answers = fnn.load(net).classify(["pets/cat/3.png", "pets/dog/4.png"])
    assert [row.split()[2] for row in rows] == [f"{answer[0][1]:.3f}" for answer in answers]


def test_the_most_probable_classes_come_below_each_other(net: Path, run: Run) -> None:
    rows = run("classify", net, "pets/dog/4.png", "--top", "2").out.splitlines()[2:]
    assert [row.split()[:-1] for row in rows] == [["pets/dog/4.png", "dog"], ["cat"]]


def test_json_holds_the_same(net: Path, run: Run) -> None:
    ran = run("classify", net, "pets/cat/3.png", "missing.png", "--top", "2", "--json")
    assert ran.code == 1
    good, bad = json.loads(ran.out)
    ((first, second),) = fnn.load(net).classify(["pets/cat/3.png"], top=2)
    assert good == {
        "file": "pets/cat/3.png",
        "classes": [{"class": name, "probability": p} for name, p in (first, second)],
    }
    assert bad.keys() == {"file", "error"}
    assert "there is no image missing.png" in bad["error"]


def test_files_that_are_no_images_are_named_at_the_end_and_the_others_classified(net: Path, run: Run) -> None:
    Path("notes.txt").write_text("no image")
    ran = run("classify", net, "notes.txt", "pets/cat/3.png", "missing.png")
    assert ran.code == 1
    assert [row.split()[:2] for row in ran.out.splitlines()[2:]] == [["pets/cat/3.png", "cat"]]
    first, second, last = ran.err.splitlines()
    assert "notes.txt is no image" in first
    assert "there is no image missing.png" in second
    assert last == "functional-nn: 2 of 3 files cannot be used"


def test_a_folder_stands_for_its_images(net: Path, run: Run) -> None:
    shutil.copy("pets/cat/1.png", "pets/cat/.hidden.png")
    Path("pets/cat/notes.txt").write_text("no image")
    ran = run("classify", net, "pets/cat")
    assert ran.code == 0
    files = [row.split()[0] for row in ran.out.splitlines()[2:]]
    assert files == sorted(f"pets/cat/{i}.png" for i in range(20))


def test_a_folder_without_images_is_told(net: Path, run: Run) -> None:
    Path("empty").mkdir()
    ran = run("classify", net, "empty")
    assert ran.code == 2
    assert ran.err.startswith("functional-nn: error: empty: no images in this folder")


def test_names_are_printed_in_one_line_each(net: Path, run: Run) -> None:
    shutil.copy("pets/cat/1.png", "two\nlines.png")
    ran = run("classify", net, "two\nlines.png", "not\nthere.png")
    assert r"two\nlines.png" in ran.out
    assert len(ran.out.splitlines()) == 3
    assert r"not\nthere.png" in ran.err


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "net.npz"),
        (b"nonsense", "net.npz: truncated, altered, or not written by fnn.save"),
        ({"w": 1.0}, "net.npz: holds a dict, expected a trained network, as functional-nn train writes it"),
    ],
)
def test_a_file_that_holds_no_network_is_told(content: object, message: str, pets: Path, run: Run) -> None:
    if isinstance(content, bytes):
        Path("net.npz").write_bytes(content)
    elif content is not None:
        fnn.save("net.npz", content)
    ran = run("classify", "net.npz", "pets/cat/1.png")
    assert ran.code == 2
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_more_classes_than_there_are_is_told(net: Path, run: Run) -> None:
    ran = run("classify", net, "pets/cat/1.png", "--top", "3")
    assert (ran.code, ran.err) == (
        2,
        "functional-nn: error: classify: top is 3, but there are 2 classes\n",
    )
