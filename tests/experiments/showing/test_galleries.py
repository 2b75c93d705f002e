"""Pictures of a trained network."""

from __future__ import annotations

import numpy as np

from experiments.showing.galleries import class_names, confident_mistakes, confusions, draw_filters, draw_mistakes


def test_mistakes_are_the_wrong_ones_the_most_confident_first():
    outputs = np.array([[5.0, 0.0], [0.0, 1.0], [0.0, 9.0], [3.0, 0.0]])
    assert [i for i, _, _ in confident_mistakes(np.array([0, 0, 0, 1]), outputs, 12)] == [2, 3, 1]
    images = np.zeros((4, 32, 32, 3), np.uint8)
    assert draw_mistakes(images, outputs.argmax(axis=1), outputs, ["a", "b"]) is None


def test_confusions_are_the_most_frequent_wrong_pairs():
    labels = np.array([0, 0, 0, 1, 1, 2])
    outputs = np.eye(3)[[1, 1, 0, 0, 1, 2]]
    assert confusions(labels, outputs, 2) == [(0, 1, 2), (1, 0, 1)]
    assert confusions(labels, np.eye(3)[labels], 2) == []


def test_filters_of_any_first_layer_are_drawn():
    rng = np.random.default_rng(0)
    for weights in (rng.random((5, 5, 3, 6)), rng.random((5, 5, 1, 6)), rng.random((3072, 9))):
        assert len(draw_filters(weights, (32, 32, 3)).axes) >= weights.shape[-1]
    assert len(draw_filters(rng.random((3072, 64)), (32, 32, 3), most=12).axes) == 12


def test_classes_are_named_where_the_data_names_them(tmp_path):
    assert class_names(tmp_path, 2) == ["0", "1"]
    (tmp_path / "classes.txt").write_text("0\tn01\tgoldfish, Carassius\n1\tn02\tblack widow\n", encoding="utf-8")
    assert class_names(tmp_path, 2) == ["goldfish", "black widow"]
