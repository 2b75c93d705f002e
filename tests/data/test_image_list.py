from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from functional_nn.data import DataError, MissingFileError, image_list
from functional_nn.data import decoding as decoding_module

Colours = Callable[..., np.ndarray]
SaveImage = Callable[..., Path]


@pytest.fixture
def root(tmp_path: Path, save_image: SaveImage) -> Path:
    """A small set: images a.png, b.png, c.png of grey levels 10, 20, 30."""
    for level, name in ((10, "a"), (20, "b"), (30, "c")):
        save_image(tmp_path / f"images/{name}.png", np.full((4, 4, 3), level, np.uint8))
    (tmp_path / "train.txt").write_text("images/a.png 0\nimages/b.png 1\nimages/a.png 2\n")
    (tmp_path / "val.txt").write_text("images/b.png 1\n")
    (tmp_path / "test.txt").write_text("images/c.png 2\n")
    return tmp_path


def levels(images: np.ndarray) -> list[int]:
    return images[:, 0, 0, 0].tolist()


def fails(root: Path, message: str, error: type[DataError] = DataError) -> None:
    with pytest.raises(error, match=message):
        image_list(root, size=4)


def test_the_lists_give_images_and_labels_in_order_with_duplicates(root: Path) -> None:
    splits = image_list(str(root), size=4)
    found = {part: (levels(images), labels.tolist()) for part, (images, labels) in splits.items()}
    assert found == {"train": ([10, 20, 10], [0, 1, 2]), "val": ([20], [1]), "test": ([30], [2])}
    for _, (images, labels) in splits.items():
        assert images.dtype == np.uint8
        assert images.shape == (len(labels), 4, 4, 3)
        assert labels.dtype == np.int64


def test_labels_number_the_classes_that_nothing_names(root: Path) -> None:
    splits = image_list(root, size=4)
    assert splits.classes == ("0", "1", "2")
    assert splits.description == (
        f"image lists in {root}, with 3 training, 1 validation and 1 test images of 4x4x3 in 3 classes"
    )


def test_a_file_names_the_classes(root: Path) -> None:
    (root / "classes.txt").write_text("2\tn3\tbird, fowl\r\n0\tn1\tcat\n1\tn2\tdog\n3\tn4\tno image\n\n")
    assert image_list(root, size=4).classes == ("cat", "dog", "bird, fowl", "no image")


def test_a_label_without_a_name_is_named_with_its_line(root: Path) -> None:
    (root / "classes.txt").write_text("cat\ndog\n")
    fails(root, r"train\.txt:3: label 2, but .*classes\.txt names the classes 0 \.\. 1: add a line")


def test_images_are_scaled_to_32_by_default(root: Path) -> None:
    assert image_list(root).train[0].shape == (3, 32, 32, 3)


@pytest.mark.parametrize(
    "text", ["images/b c  d.png 1", "images/b c  d.png \t 1  \r\n\r\n \n", "\ufeffimages/b c  d.png 1\n"], ids=repr
)
def test_a_path_may_contain_spaces_and_lines_end_in_any_way(text: str, root: Path) -> None:
    (root / "images/b.png").rename(root / "images/b c  d.png")
    (root / "train.txt").write_bytes(text.encode())
    (root / "val.txt").write_text("images/a.png 1")
    splits = image_list(root, size=4)
    assert (levels(splits.train[0]), splits.train[1].tolist()) == ([20], [1])


def test_a_name_may_contain_what_unicode_calls_a_line_separator(root: Path) -> None:
    (root / "images/b.png").rename(root / "images/b\u2028\x85.png")
    (root / "val.txt").write_text("images/b\u2028\x85.png 1\n", encoding="utf-8")
    (root / "train.txt").write_text("images/a.png 1\n")
    assert levels(image_list(root, size=4).val[0]) == [20]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("images/a.png", r"'images/a\.png' alone, expected `relative/path\.jpg label`"),
        ("7", "'7' alone"),
        ("", "an empty line, expected"),
        ("  ", "an empty line, expected"),
        ("images/a.png cat", "label 'cat', expected an integer from 0 to 999999 after the path"),
        ("images/a.png 1.0", "label '1.0'"),
        ("images/a.png -1", "label '-1'"),
        ("images/a.png 1000000", "label '1000000'"),
        ("images/a.png 1_0", "label '1_0'"),
        ("images/a.png ²", "label '²'"),
        ("images/a.png ١", "label '١'"),
        ("images/a.png " + "9" * 5000, "label '999"),
        ("../a.png 1", r"path '\.\./a\.png' leads out of"),
        ("images/../../a.png 1", "path .* leads out of"),
        ("images/.. 1", "path .* leads out of"),
        ("..\\a.png 1", "path .* leads out of"),
        ("/images/a.png 1", "path '/images/a.png' leads out of"),
        ("images/a\0.png 1", "path .* leads out of"),
    ],
)
def test_a_bad_line_is_named_with_its_list_and_number(line: str, message: str, root: Path) -> None:
    (root / "val.txt").write_text(f"images/b.png 1\n{line}\nimages/b.png 1\n", encoding="utf-8")
    fails(root, rf"val\.txt:2: {message}")


def test_dots_within_a_name_leave_nothing(root: Path) -> None:
    (root / "images/b.png").rename(root / "images/b..png")
    (root / "train.txt").write_text("images/b..png 0\n./images/a.png 1\n")
    (root / "val.txt").write_text("images/a.png 1\n")
    assert levels(image_list(root, size=4).train[0]) == [20, 10]


def test_links_out_of_the_root_are_followed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (root / "images").rename(elsewhere / "images")
    (root / "images").symlink_to(elsewhere / "images")
    assert levels(image_list(root, size=4).test[0]) == [30]


def test_a_list_that_is_not_utf8_names_the_line(root: Path) -> None:
    (root / "test.txt").write_bytes(b"images/c.png 2\nimages/caf\xe9.png 2\n")
    fails(root, r"test\.txt:2: not UTF-8")


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", " \n\n"])
def test_an_empty_list_is_an_error(text: str, root: Path) -> None:
    (root / "val.txt").write_text(text, encoding="utf-8")
    fails(root, r"val\.txt: the list is empty")


def test_missing_lists_are_named(root: Path) -> None:
    (root / "train.txt").unlink()
    fails(root, r"there is no train\.txt; expected train\.txt, val\.txt and test\.txt", MissingFileError)
    (root / "test.txt").unlink()
    fails(root, r"there is no train\.txt and no test\.txt", MissingFileError)
    fails(root / "nowhere", "nowhere: there is no train.txt", MissingFileError)


def test_a_missing_image_names_file_and_line(root: Path) -> None:
    (root / "train.txt").write_text("images/a.png 0\nimages/gone.png 1\n")
    fails(root, r"train\.txt:2: there is no image .*images/gone\.png", MissingFileError)


def test_truncated_jpeg_names_file_and_line(root: Path, save_image: SaveImage, colours: Colours) -> None:
    data = save_image(root / "images/whole.jpg", colours(0)).read_bytes()
    (root / "images/cut.jpg").write_bytes(data[: len(data) // 2])
    (root / "val.txt").write_text("images/whole.jpg 0\nimages/whole.jpg 0\nimages/cut.jpg 1\n")
    fails(root, r"val\.txt:3: .*images/cut\.jpg is truncated or corrupt")


def test_line_numbers_hold_beyond_the_first_task(root: Path) -> None:
    (root / "train.txt").write_text("images/a.png 0\n" * 500 + "images/gone.png 1\n" + "images/a.png 0\n" * 500)
    fails(root, r"train\.txt:501: ")


def test_all_lines_are_checked_before_any_image_is_decoded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[int] = []
    monkeypatch.setattr(decoding_module, "_decode_some", lambda *given: decoded.append(1))
    (root / "test.txt").write_text("images/c.png two\n")
    fails(root, r"test\.txt:1: label 'two'")
    assert decoded == []


def test_the_first_list_with_a_bad_image_is_named(root: Path) -> None:
    for part in ("train", "val", "test"):
        (root / f"{part}.txt").write_text(f"images/no-{part}.png 0\n")
    fails(root, r"train\.txt:1: ")


def test_the_reports_images(real_data: Callable[[str], Path]) -> None:
    splits = image_list(real_data("tiny-imagenet-50"))
    assert {part: images.shape for part, (images, _) in splits.items()} == {
        "train": (24_100, 32, 32, 3),
        "val": (450, 32, 32, 3),
        "test": (450, 32, 32, 3),
    }
    assert len(splits.classes) == 50
    assert splits.classes[:2] == ("goldfish, Carassius auratus", "American alligator, Alligator mississipiensis")
    for _, (images, labels) in splits.items():
        assert set(labels.tolist()) == set(range(50))
        some = images[::20].astype(np.int16)
        assert 20 < some.std(axis=(1, 2, 3)).mean() < 90  # pictures, neither blank
        assert np.abs(np.diff(some, axis=2)).mean() < 25  # nor noise
    grey = (splits.train[0] == splits.train[0][..., :1]).all(axis=(1, 2, 3))
    assert 100 < grey.sum() < 1000
