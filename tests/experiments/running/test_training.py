"""One run of a row: what it trains, what it reads, what it gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import functional_nn as fnn
from experiments.report.rows import REPORTED, ROWS, TUNED, heavy_ball, rows_as
from experiments.running import training
from functional_nn import data, optim

BY_NAME = {row.name: row for row in rows_as("tuned", epochs=2)}


@pytest.mark.parametrize(("name", "trained"), [("lenet5", {"f5", "f6", "f7"}), ("improved", {"f6", "f7", "f8"})])
def test_bound_convolutions_keep_their_random_start_bit_for_bit(name, trained, splits):
    row = BY_NAME[name]
    start = row.network(classes=3).init(np.random.default_rng(7), (32, 32, 3))
    result = training.train(row, splits, seed=7)
    model, params = result.network.model, result.network.params
    assert set(params) == trained
    assert not np.array_equal(params["f6"]["w"], start["f6"]["w"])
    x = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    whole = row.network(classes=3).apply(start | params, x)
    assert model.apply(params, x).tobytes() == whole.tobytes()


@pytest.mark.parametrize("name", ["lenet5_grad", "improved_grad", "lenet5_relu"])
def test_convolutions_of_the_other_rows_are_trained(name, splits):
    row = BY_NAME[name]
    start = row.network(classes=3).init(np.random.default_rng(7), (32, 32, 3))
    trained = training.train(row, splits, seed=7).network.params
    assert trained.keys() == start.keys()
    assert all(not np.array_equal(trained[part]["w"], start[part]["w"]) for part in start)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_run_is_the_same_for_every_number_of_threads(name, splits):
    one, two = (training.run_row(BY_NAME[name], splits, seed=0, threads=threads) for threads in (1, 2))
    for record in (one.record, two.record):
        record.pop("epoch_seconds")
        for entry in record["history"]:
            entry.pop("seconds")
    assert one.record == two.record
    assert one.arrays["test_outputs"].tobytes() == two.arrays["test_outputs"].tobytes()


def test_training_never_reads_the_test_images(splits):
    train = {part: split for part, split in splits.items() if part != "test"}
    assert training.train(BY_NAME["lenet5_grad"], train, seed=0).history


def test_class_count_and_channels_come_from_the_data(splits):
    grey = {part: (images[..., :1], labels) for part, (images, labels) in splits.items()}
    outcome = training.run_row(BY_NAME["improved_grad"], grey, seed=0)
    assert outcome.arrays["test_outputs"].shape == (6, 3)
    assert outcome.network.params["c1"]["w"].shape == (3, 3, 1, 6)


def test_perceptrons_train_on_vectors_of_features(splits):
    rng = np.random.default_rng(0)
    features = {part: (rng.random((len(y), 408), np.float32), y) for part, (_, y) in splits.items()}
    for row in ROWS:
        if row.on_features:
            outcome = training.run_row(BY_NAME[row.name], features, seed=0)
            assert outcome.arrays["test_outputs"].shape == (6, 3)


def test_every_network_has_settings_in_both_tables():
    networks = {row.name for row in ROWS if row.network}
    assert set(TUNED) == networks
    assert set(REPORTED) == networks


def test_the_reports_optimizer_is_its_equation():
    rng = np.random.default_rng(0)
    grads = [{"w": rng.standard_normal(5)} for _ in range(3)]
    params = start = {"w": rng.standard_normal(5)}
    optimizer = heavy_ball(0.001, weight_decay=3e-5)
    state = optimizer.init(params)
    for grad in grads:
        updates, state = optimizer.update(grad, state, params)
        params = optim.apply_updates(params, updates)
    v, p = np.zeros(5), start["w"]
    for grad in grads:
        v = 0.8 * v + 0.2 * (128 * grad["w"])
        p = p - 0.001 * v - 3e-5 * p
    np.testing.assert_allclose(params["w"], p, rtol=1e-12)


def test_report_settings_only_centre_the_lenets_inputs(splits):
    images = splits["train"][0]
    x = training.standardized(images, REPORTED["lenet5"])(images)
    np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(np.ptp(x[..., 0]), np.ptp(images[..., 0]) / 255, rtol=1e-5)
    assert training.standardized(images, TUNED["lenet5"]) == fnn.data.standardize(images)


def test_few_training_images_get_smaller_tuned_batches():
    few, many = (rows_as("tuned", training_images=n)[0].settings for n in (1_000, 50_000))
    assert few == replace(many, batch_size=many.batch_size // 4)
    assert rows_as("report", training_images=1_000)[0].settings == REPORTED["perceptron_sigmoid"]


def test_a_row_may_keep_the_average_of_its_parameters(splits):
    """An epoch of one step: the average of the start and the parameters after it, by the decay."""
    row = BY_NAME["lenet5_relu"]
    last, averaged = (
        training.train(
            replace(row, settings=replace(row.settings, epochs=1, batch_size=12, average=average)), splits, seed=0
        ).network.params
        for average in (0.0, 0.75)
    )
    start = row.network(classes=3).init(np.random.default_rng(0), (32, 32, 3))
    expected = fnn.tree.map(lambda first, after: 0.75 * first + 0.25 * after, start, last)
    assert fnn.tree.allclose(averaged, expected)


def test_rotation_and_scale_take_the_place_of_the_shift_alone():
    images = np.zeros((4, 32, 32, 3), np.uint8)
    settings = replace(BY_NAME["lenet5_relu"].settings, shift=2, flip=True)
    assert training._augmentation(images, settings) == [data.random_flip(), data.random_shift(2)]
    turned = replace(settings, rotation=10, scale=0.1, flip=False)
    assert training._augmentation(images, turned) == [data.random_affine(10, scale=0.1, pixels=2)]
    assert training._augmentation(images.reshape(4, -1), turned) == []
