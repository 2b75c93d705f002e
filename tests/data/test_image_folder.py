from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from functional_nn.data import DataError, MissingFileError, image_folder

SaveImage = Callable[..., Path]
Fill = Callable[..., None]


@pytest.fixture
def fill(save_image: SaveImage) -> Fill:
    """Write n images into each class's folder, all pixels of an image the same: 100 * label + its number."""

    def write(root: Path, n: int, classes: tuple[str, ...] = ("cat", "dog")) -> None:
        for label, name in enumerate(classes):
            for i in range(n):
                save_image(root / name / f"{i:02}.png", np.full((4, 4, 3), 100 * label + i, np.uint8))

    return write


def levels(split: tuple[np.ndarray, np.ndarray]) -> list[int]:
    return split[0][:, 0, 0, 0].tolist()


def test_folders_are_split_by_class_and_labelled_by_sorted_name(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 20)
    splits = image_folder(tmp_path, size=4, val=0.1, test=0.25)
    assert {part: np.bincount(labels).tolist() for part, (_, labels) in splits.items()} == {
        "train": [13, 13],
        "val": [2, 2],
        "test": [5, 5],
    }
    assert splits.classes == ("cat", "dog")
    assert splits.description == (
        f"image folders in {tmp_path}, with 26 training, 4 validation and 10 test images of 4x4x3 in 2 classes"
    )
    found = [level for _, split in splits.items() for level in levels(split)]
    assert sorted(found) == [*range(20), *range(100, 120)]
    for _, (images, labels) in splits.items():
        np.testing.assert_array_equal(images[:, 0, 0, 0] >= 100, labels == 1)
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        assert images.shape[1:] == (4, 4, 3)


def test_the_seed_draws_the_split(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 30)
    first, again, other = (levels(image_folder(tmp_path, 4, seed=seed).val) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_folders_of_parts_are_taken_as_they_are(tmp_path: Path, fill: Fill) -> None:
    for part, n in (("train", 5), ("val", 3), ("test", 2)):
        fill(tmp_path / part, n)
    splits = image_folder(tmp_path, 4)
    assert {part: levels(split) for part, split in splits.items()} == {
        part: [*range(n), *range(100, 100 + n)] for part, n in (("train", 5), ("val", 3), ("test", 2))
    }


@pytest.mark.parametrize("given", ["val", "test"])
def test_a_missing_part_is_split_off_train(given: str, tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "train", 20)
    fill(tmp_path / given, 3)
    splits = image_folder(tmp_path, 4, val=0.1, test=0.1)
    cut = "test" if given == "val" else "val"
    assert levels(getattr(splits, given)) == [0, 1, 2, 100, 101, 102]
    assert len(getattr(splits, cut)[1]) == 4
    assert sorted(levels(splits.train) + levels(getattr(splits, cut))) == [*range(20), *range(100, 120)]


def test_train_alone_gives_both_other_parts(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "train", 20)
    assert [len(labels) for _, (_, labels) in image_folder(tmp_path, 4).items()] == [32, 4, 4]


def test_a_class_may_be_called_train(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 20, ("bus", "train"))
    assert image_folder(tmp_path, 4).test[1].tolist() == [0, 0, 1, 1]


def test_other_files_are_passed_over_and_deeper_ones_found(tmp_path: Path, fill: Fill, save_image: SaveImage) -> None:
    fill(tmp_path, 20)
    (tmp_path / "README.txt").write_text("about")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "cat" / "boxes.txt").write_text("0 0 4 4")
    (tmp_path / "cat" / "._00.png").write_bytes(b"a resource fork")
    save_image(tmp_path / "dog/images/99.PNG", np.full((4, 4, 3), 199, np.uint8))
    found = [level for _, split in image_folder(tmp_path, 4).items() for level in levels(split)]
    assert sorted(found) == [*range(20), *range(100, 120), 199]


def fails(root: Path, message: str, error: type[DataError] = DataError, **given: float) -> None:
    with pytest.raises(error, match=message):
        image_folder(root, 4, **given)


def test_parts_with_other_classes_are_refused(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "train", 3)
    fill(tmp_path / "val", 3, ("cat", "cow"))
    fails(tmp_path, "val: its classes are not those of train: missing dog, unknown cow")


def test_a_class_without_images_is_refused(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 3)
    (tmp_path / "eel").mkdir()
    fails(tmp_path, r"eel: a class without images, expected files that end in \.jpg")


def test_one_class_alone_is_refused(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "images", 3)
    fails(tmp_path, "images is the only folder.*pass .*images")


def test_folders_beside_the_parts_are_refused(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "train", 3)
    fill(tmp_path / "extra", 3)
    fails(tmp_path, "extra beside train")


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("Train", "Val", "Test"),
        ("TRAINING", "VALID", "TESTING"),
        ("training", "valid", "testing"),
        ("Training", "Validation", "test"),
    ],
)
def test_b9_splits_are_known_by_their_usual_names_in_any_case(
    train: str, val: str, test: str, tmp_path: Path, fill: Fill
) -> None:
    for name, n in ((train, 5), (val, 3), (test, 2)):
        fill(tmp_path / name, n)
    splits = image_folder(tmp_path, 4)
    assert {part: levels(split) for part, split in splits.items()} == {
        part: [*range(n), *range(100, 100 + n)] for part, n in (("train", 5), ("val", 3), ("test", 2))
    }


def test_b9_two_folders_for_one_split_are_refused(tmp_path: Path, fill: Fill) -> None:
    for name in ("train", "valid", "validation"):
        fill(tmp_path / name, 3)
    fails(tmp_path, "valid and validation both name the val split: keep one, or merge them")


@pytest.mark.parametrize("names", [("seg_train", "seg_test"), ("train images", "Test-images")])
def test_b9_names_that_only_resemble_splits_are_refused(names: tuple[str, str], tmp_path: Path, fill: Fill) -> None:
    for name in names:
        fill(tmp_path / name, 3)
    fails(tmp_path, "look like splits, not classes.*call them train, val and test")


def test_b9_splits_without_folders_of_classes_are_refused(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 20, ("Test", "Train"))
    fails(tmp_path, "Test, Train look like splits, not classes")


def test_classes_whose_names_contain_those_of_splits_stay_classes(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 20, ("test_tube", "train"))
    assert image_folder(tmp_path, 4).test[1].tolist() == [0, 0, 1, 1]


def test_parts_without_train_are_refused(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path / "val", 3)
    fails(tmp_path, "there is val, but no train", MissingFileError)


def test_no_folder_and_no_directory_are_told(tmp_path: Path) -> None:
    fails(tmp_path, "there are no folders", MissingFileError)
    fails(tmp_path / "nowhere", "there is no such directory", MissingFileError)
    (tmp_path / "file").touch()
    fails(tmp_path / "file", "there is no such directory", MissingFileError)


def test_fractions_that_leave_a_part_empty_are_refused(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 3)
    fails(tmp_path, "val=0.1 is less than one example")
    fails(tmp_path, "class 0 has 3 examples", val=0.4, test=0.5)
    fails(tmp_path, "val=1.5", val=1.5)


def test_a_corrupt_image_is_named(tmp_path: Path, fill: Fill) -> None:
    fill(tmp_path, 20)
    (tmp_path / "dog" / "03.png").write_bytes(b"nothing")
    fails(tmp_path, r"dog/03\.png is no image")
