"""The settings that a user does not choose follow from the data."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from functional_nn import data, optim
from functional_nn.cli.networks import NETWORKS
from functional_nn.cli.settings import Settings, chosen_settings

NAMES = ("model", "epochs", "batch_size", "chunk", "learning_rate", "weight_decay", "shift", "flip", "patience")
NOTHING = dict.fromkeys(NAMES)


def settings(n: int, size: int = 32, channels: int = 3, **chosen: object) -> Settings:
    blue = np.array([0, 0, 9], np.uint8)[-channels:]
    images = np.broadcast_to(blue, (n, size, size, channels)), np.zeros(n, np.int64)
    few = np.zeros((1, size, size, channels), np.uint8), np.zeros(1, np.int64)
    splits = data.Splits(tuple(map(np.asarray, images)), few, few, ("a", "b"), "")
    return chosen_settings(argparse.Namespace(**(NOTHING | {"seed": 0} | chosen)), splits)


def test_grey_images_are_not_mirrored_and_get_lenet5_those_in_colour_are_and_get_a_residual_network() -> None:
    grey, colour = settings(1000, channels=1), settings(1000)
    assert (grey.model, grey.flip, colour.model, colour.flip) == ("lenet5", False, "small_resnet", True)
    assert settings(1000, size=30).model == "lenet5"  # 4 does not divide 30
    assert (settings(10, flip=False).flip, settings(10, channels=1, flip=True).flip) == (False, True)


def test_grey_files_are_not_mirrored_though_they_are_decoded_to_three_channels() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), np.uint8).repeat(3, axis=-1)
    splits = data.Splits(*[(images, np.zeros(20, np.int64))] * 3, ("a", "b"), "")
    assert not chosen_settings(argparse.Namespace(**NOTHING, seed=0), splits).flip
    images[-1, 0, 0] = 1, 2, 3
    assert chosen_settings(argparse.Namespace(**NOTHING, seed=0), splits).flip


@pytest.mark.parametrize(("size", "shift"), [(32, 2), (64, 4), (8, 1), (16, 1)])
def test_a_shift_is_a_sixteenth_of_the_side(size: int, shift: int) -> None:
    assert settings(100, size=size).shift == shift


@pytest.mark.parametrize("n", [1, 30, 300, 1259, 24_100, 55_000, 500_000])
def test_batches_and_epochs_follow_the_number_of_images(n: int) -> None:
    chosen = settings(n)
    assert chosen.batch_size <= n
    assert chosen.epochs in range(10, 61)
    if n >= 256:
        assert chosen.batch_size in (8, 16, 32, 64)
        assert n / chosen.batch_size >= 32
    fewer, more = settings(n), settings(2 * n)
    assert fewer.batch_size <= more.batch_size
    assert fewer.epochs >= more.epochs


def test_what_is_chosen_stays() -> None:
    chosen = {
        "model": "improved",
        "epochs": 3,
        "batch_size": 5,
        "chunk": 3,
        "learning_rate": 0.5,
        "weight_decay": 0.0,
        "shift": 0,
        "flip": False,
        "patience": 0,
        "seed": 7,
    }
    assert settings(100, **chosen) == Settings(**chosen)


def test_a_chunk_is_chosen_by_the_library_unless_it_is_given_and_then_it_is_told() -> None:
    assert settings(100).chunk is None
    assert "batches of 8, " in str(settings(100))
    assert "batches of 8 in chunks of 2, " in str(settings(100, chunk=2))
    assert settings(100, chunk=8).chunk == 8  # a whole batch
    with pytest.raises(ValueError, match="--chunk 9: a batch has 8 images: give 8 at most"):
        settings(100, chunk=9)


def test_training_images_are_mirrored_then_shifted_then_standardized() -> None:
    standardize = data.standardize_by((1.0,), (2.0,))
    assert settings(100).augmented(standardize) == data.chain(data.random_flip(), data.random_shift(2), standardize)
    assert settings(100, shift=0, flip=False).augmented(standardize) == data.chain(standardize)


def test_the_rate_rises_for_a_twentieth_and_falls_to_zero_at_the_last_step() -> None:
    chosen = settings(100, epochs=10, batch_size=10, learning_rate=0.5, weight_decay=0.1)
    assert chosen.optimizer(100) == optim.adam(optim.cosine(0.5, 100, warmup=5), weight_decay=0.1)
    assert settings(1, epochs=1).optimizer(1) is not None  # a single step


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_runs_on_the_images_it_is_for(name: str) -> None:
    shape = (32, 32, 1) if name == "lenet5_1998" else (32, 32, 3)
    NETWORKS[name].check(name, 10, shape)
    assert NETWORKS[name].made(10).output_shape(shape) == (10,)
