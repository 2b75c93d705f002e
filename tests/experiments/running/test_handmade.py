"""The report's hand-made features."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

pytest.importorskip("skimage", reason="scikit-image is an extra: pip install -e '.[handmade]'")

from experiments.reproduce import __main__ as reproduce
from experiments.running.handmade import COUNT, features
from experiments.running.inputs import load_handmade
from experiments.running.store import Store


def image(seed=0, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (256, 256, channels), dtype=np.uint8)


def test_there_are_408_finite_features():
    found = features(image())
    assert found.shape == (COUNT,)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_the_first_192_are_a_histogram_of_each_colour():
    picture = image()
    picture[..., 0] = 255
    histogram = features(picture)[:192].reshape(3, 64)
    np.testing.assert_allclose(histogram.sum(axis=1), 1, rtol=1e-5)
    assert histogram[0, 63] == 1


def test_a_grey_image_is_one_of_three_equal_colours():
    grey = image(channels=1)
    np.testing.assert_array_equal(features(grey), features(np.repeat(grey, 3, axis=-1)))


def test_a_plain_image_has_no_gradients_and_finite_texture():
    found = features(np.full((256, 256, 3), 100, np.uint8))
    assert not found[192:336].any()
    assert np.isfinite(found).all()


def test_features_are_made_once(image_lists, tmp_path, monkeypatch):
    store = Store(tmp_path / "features")
    options = argparse.Namespace(data=str(image_lists), cache=None, workers=1)
    first = load_handmade(options, store)
    assert first["train"][0].shape == (12, COUNT)
    monkeypatch.setattr("experiments.running.handmade._of_all", lambda *a: pytest.fail("made again"))
    again = load_handmade(options, store)
    for part in ("train", "val", "test"):
        for array, made in zip(again[part], first[part], strict=True):
            np.testing.assert_array_equal(array, made)


def test_the_perceptrons_take_features_where_these_are_asked_for(image_lists, tmp_path, capsys):
    arguments = ["--data", str(image_lists), "--out", str(tmp_path / "out"), "--features", "handmade"]
    reproduce.main([*arguments, "--epochs", "1", "--seeds", "1", "--workers", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert any(
        line.startswith("perceptron_sigmoid") and line.endswith(f"{(408 + 1) * 64 + 65 * 3:,} parameters")
        for line in lines
    )
    assert any(line.startswith("lenet5_grad") and "61," in line for line in lines)
