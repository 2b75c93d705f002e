"""The denoising autoencoder: it learns more than the mean image, and its noise comes from its key."""

from __future__ import annotations

import numpy as np

from experiments import autoencoder
from functional_nn import data


def test_it_learns_to_take_the_noise_away(capsys):
    before, after = autoencoder.main(epochs=5)
    splits = data.digits(size=16)
    train, test = (images / 255.0 for images, _ in (splits.train, splits.test))
    error_of_the_mean_image = np.square(test - train.mean(axis=0)).mean()
    assert after < 0.5 * error_of_the_mean_image < before
    assert after < 0.5 * autoencoder.NOISE**2
    assert f"{before:.4f} before training, {after:.4f} after it" in capsys.readouterr().out


def test_its_tree_holds_one_matrix():
    params = autoencoder.AUTOENCODER.init(np.random.default_rng(0), (16, 16, 1))
    assert {name: set(entry) for name, entry in params.items()} == {"encoder": {"w", "b"}, "decoder": {"b"}}


def test_noise_is_drawn_from_the_key_alone():
    images = np.full((50, 16, 16, 1), 51, np.uint8)
    clean, one, again, other = (autoencoder.noisy(images, key) for key in (None, 1, 1, 2))
    np.testing.assert_array_equal(clean, np.full(images.shape, 0.2, np.float32))
    np.testing.assert_array_equal(one, again)
    assert one.dtype == np.float32
    assert not np.array_equal(one, other)
    # five standard errors of the standard deviation of so many normal draws
    assert abs((one - clean).std() / autoencoder.NOISE - 1.0) < 5.0 / np.sqrt(2 * images.size)
