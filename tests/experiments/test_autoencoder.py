"""The denoising autoencoder: it learns more than the mean image, and its noise comes from its key."""

from __future__ import annotations

import re

import numpy as np
import pytest

import functional_nn as fnn
from experiments import autoencoder
from functional_nn import data


def test_it_learns_to_take_the_noise_away_and_keeps_the_network(tmp_path, capsys):
    autoencoder.main(["--epochs", "5", "--out", str(tmp_path)])
    before, after = map(float, re.findall(r"([.\d]+) (?:before training|after it)", capsys.readouterr().out))
    splits = data.digits(size=16)
    train, test = (images / 255.0 for images, _ in (splits.train, splits.test))
    error_of_the_mean_image = np.square(test - train.mean(axis=0)).mean()
    assert after < 0.5 * error_of_the_mean_image < before
    assert after < 0.5 * autoencoder.NOISE**2
    network = fnn.load(tmp_path / "networks" / "autoencoder.npz")
    images = splits.test[0]
    reconstructed = network.model.apply(network.params, autoencoder.noisy(images, key=1))
    assert np.square(reconstructed - test.reshape(len(test), -1)).mean() == pytest.approx(after, abs=5e-5)
    assert network.about["error"] == pytest.approx(after, abs=5e-5)
    clean = network.transform(images, None)
    np.testing.assert_array_equal(network.predict(images), network.model.apply(network.params, clean))


def test_its_tree_holds_one_matrix():
    params = autoencoder.AUTOENCODER.init(np.random.default_rng(0), (16, 16, 1))
    assert {name: set(entry) for name, entry in params.items()} == {"encoder": {"w", "b"}, "decoder": {"b"}}


def test_noise_is_drawn_from_the_key_alone():
    images = np.full((50, 16, 16, 1), 51, np.uint8)
    clean, one, again, other = (autoencoder.noisy(images, key) for key in (None, 1, 1, 2))
    np.testing.assert_array_max_ulp(clean, np.full(images.shape, 51 / 255, np.float32), maxulp=1)
    np.testing.assert_array_equal(one, again)
    assert one.dtype == np.float32
    assert not np.array_equal(one, other)
    # five standard errors of the standard deviation of so many normal draws
    assert abs((one - clean).std() / autoencoder.NOISE - 1.0) < 5.0 / np.sqrt(2 * images.size)
