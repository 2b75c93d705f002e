"""`functional-nn evaluate`: the figures by hand, the names of classes, and what does not fit."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn.cli.scores import scores_of
from tests.cli.conftest import Run, save_pictures


def fixed(classes: tuple[str, ...], loss: fnn.losses.Loss) -> fnn.Trained:
    """Return a network that returns its inputs."""
    n = len(classes)
    return fnn.Trained(fnn.serial(), {}, (n,), None, classes, loss)


def test_scores_count_by_class_and_by_confusion() -> None:
    network = fixed(("a", "b", "c", "unseen"), fnn.losses.softmax_cross_entropy)
    labels, predicted = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 1, 0])
    scores = scores_of(network, labels, np.eye(4, dtype=np.float32)[predicted])
    assert (scores.right, scores.n) == (3, 6)
    assert scores.recalls == (("b", 2, 2), ("a", 1, 3), ("c", 0, 1))
    assert scores.confusions == (("a", "b", 2), ("c", "a", 1))
    assert (scores.low, scores.high) == pytest.approx((0.1876, 0.8124), abs=1e-4)  # statsmodels' proportion_confint


def test_penalties_count_by_the_smallest() -> None:
    network = fixed(("a", "b"), fnn.models.penalty_loss())
    scores = scores_of(network, np.array([0, 1]), np.array([[0.1, 5.0], [0.1, 5.0]], np.float32))
    assert scores.recalls == (("a", 1, 1), ("b", 0, 1))


def test_the_figures_are_printed(net: Path, run: Run) -> None:
    ran = run("evaluate", net, "pets", "--split", "train")
    assert (ran.code, ran.err) == (0, "")
    assert "pets.npz on the train images of image folders in pets" in ran.out
    splits = fnn.data.load("pets", 8)
    right = int((fnn.load(net).predict(splits.train[0]).argmax(1) == splits.train[1]).sum())
    assert f"{right} of 32 images are right: {right / 32:.1%} (95 % interval" in ran.out
    assert "class  recall  right  images" in ran.out


def test_json_holds_the_same_and_the_test_images_are_the_default(net: Path, run: Run) -> None:
    figures = json.loads(run("evaluate", net, "pets", "--json").out)
    about = fnn.load(net).about["test"]
    assert figures == {"net": "pets.npz", "data": "pets", "split": "test", "seen_in_training": 0} | about


def test_test_images_that_were_trained_on_are_counted(net: Path, run: Run) -> None:
    before = fnn.data.load("pets", 8)
    save_pictures(Path("pets/cat/new"), 20, 60, seed=1)  # the draw of the splits is another one now
    splits = fnn.data.load("pets", 8)
    held = {image.tobytes() for image in before.test[0]}
    old = {image.tobytes() for _, (images, _) in before.items() for image in images}
    seen = sum(image.tobytes() in old - held for image in splits.test[0])
    assert seen > 0
    ran = run("evaluate", net, "pets", "--json")
    assert json.loads(ran.out)["seen_in_training"] == seen
    assert ran.err == (
        f"functional-nn: warning: {seen} of these 6 images were training or validation images of pets.npz: "
        "it is worse on new ones\n"
    )
    network = fnn.load(net)
    fnn.save("old.npz", replace(network, about={}))
    assert "old.npz does not keep which images it was trained on" in run("evaluate", "old.npz", "pets").err


def test_all_images_of_a_new_folder_are_evaluated(net: Path, run: Run) -> None:
    save_pictures(Path("new/dog"), 3, 190, seed=2)
    for cache in ((), ("--cache", "new.npz"), ("--cache", "new.npz")):
        ran = run("evaluate", net, "new", "--split", "all", "--json", *cache)
        assert (ran.code, ran.err) == (0, "")
        figures = json.loads(ran.out)
        assert (figures["right"], figures["images"], figures["seen_in_training"]) == (3, 3, 0)
        assert figures["recalls"] == [{"name": "dog", "right": 3, "n": 3}]
    assert (
        "pets.npz on all images of image folders in new, with 3 " in run("evaluate", net, "new", "--split", "all").out
    )
    seen = json.loads(run("evaluate", net, "pets", "--split", "all", "--json").out)
    assert (seen["images"], seen["seen_in_training"]) == (40, 36)
    save_pictures(Path("new/fox"), 1, 100)
    ran = run("evaluate", net, "new", "--split", "all")
    assert ran.code == 2
    assert "missing none; unknown fox" in ran.err


@pytest.mark.parametrize("classes", [("dog",), ("cat", "dog")])
def test_a_folder_too_small_for_a_test_split_is_answered_with_split_all(
    classes: tuple[str, ...], net: Path, run: Run
) -> None:
    for name in classes:
        save_pictures(Path("new") / name, 3, 190, seed=2)
    ran = run("evaluate", net, "new")
    assert ran.code == 2
    assert ran.err.endswith(": to evaluate all of its images give --split all\n")


def test_classes_of_other_names_are_refused(net: Path, run: Run) -> None:
    os.rename("pets/dog", "pets/fox")
    ran = run("evaluate", net, "pets")
    assert ran.code == 2
    assert "pets: its classes are not those of pets.npz: missing dog; unknown fox" in ran.err


def test_classes_in_another_order_are_told_apart_by_their_names(net: Path, run: Run) -> None:
    lines = {"train": "pets/cat/1.png 1", "val": "pets/cat/2.png 1", "test": "pets/cat/3.png 1\npets/dog/3.png 0"}
    for name, text in lines.items():
        Path(f"{name}.txt").write_text(text)
    Path("classes.txt").write_text("dog\ncat\n")
    figures = json.loads(run("evaluate", net, ".", "--json").out)
    assert figures["right"] == 2


def test_images_of_another_kind_are_refused(net: Path, run: Run) -> None:
    grey = np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1])
    fnn.data.cached("grey.npz", "grey", lambda: fnn.data.Splits(grey, grey, grey, ("cat", "dog"), "grey"))
    ran = run("evaluate", net, "grey.npz")
    assert ran.code == 2
    assert "grey.npz has images of shape (8, 8, 1), pets.npz takes (8, 8, 3)" in ran.err


def test_names_too_long_for_a_table_are_cut(pets: Path, run: Run) -> None:
    save_pictures(pets / ("x" * 60), 20, 120)
    assert run("train", pets, "--out", "p.npz", "--model", "perceptron", "--size", 8, "--epochs", 1).code == 0
    assert f"{'x' * 31}…" in run("evaluate", "p.npz", pets).out
