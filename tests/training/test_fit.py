"""Training: it learns, it repeats bit for bit, and it stops with an error that says where."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import data, layers, losses, models, optim, tree
from tests.refusals import refused

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 4)).astype(np.float32)
LABELS = (X[:, 0] > 0).astype(np.int64)
MODEL = models.two_layer_perceptron(8, 2, layers.tanh)
PARAMS = MODEL.init(np.random.default_rng(1), (4,))
LOSS = "softmax_cross_entropy"
HISTORY = {"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"}


def fit(params=PARAMS, *, model=MODEL, train=(X, LABELS), optimizer=None, epochs=3, seed=0, **options):
    return fnn.fit(
        model,
        params,
        train,
        loss=options.pop("loss", losses.softmax_cross_entropy),
        optimizer=optimizer or optim.sgd(0.1, momentum=0.9),
        epochs=epochs,
        batch_size=options.pop("batch_size", 16),
        seed=seed,
        progress=options.pop("progress", False),
        **options,
    )


def same_bits(a, b):
    return all(np.array_equal(x, y) for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True))


def test_lenet5_learns_the_digits_and_repeats_bit_for_bit_whatever_the_workers():
    pytest.importorskip("sklearn")
    digits = data.digits()
    model = models.lenet5(10, activation=layers.tanh)
    params = model.init(np.random.default_rng(0), (32, 32, 1))
    runs = [
        fit(params, model=model, train=digits.train, optimizer=optim.adam(2e-3), epochs=5, batch_size=64,
            transform=data.chain(data.random_shift(1), data.standardize(digits.train[0])), workers=workers)
        for workers in (1, 3)
    ]  # fmt: skip
    assert same_bits(runs[0].params, runs[1].params)
    assert [record["loss"] for record in runs[0].history] == [record["loss"] for record in runs[1].history]
    scores = fnn.evaluate(
        model,
        runs[0].params,
        *digits.test,
        loss=losses.softmax_cross_entropy,
        transform=data.standardize(digits.train[0]),
    )
    assert scores["accuracy"] > 0.95


def test_same_seed_same_numbers_and_another_seed_others():
    first, again, other = fit(), fit(), fit(seed=1)
    assert same_bits(first.params, again.params)
    assert not same_bits(first.params, other.params)


def test_nothing_that_is_given_is_written():
    frozen = tree.map(lambda p: p.copy(), PARAMS)
    for leaf in tree.leaves(frozen):
        leaf.flags.writeable = False
    x, labels = X.copy(), LABELS.copy()
    x.flags.writeable = labels.flags.writeable = False
    fit(frozen, train=(x, labels))
    assert same_bits(frozen, PARAMS)


def test_history_has_a_record_an_epoch_with_the_figures_of_evaluate():
    result = fit(validation=(X[:20], LABELS[:20]))
    assert [record["epoch"] for record in result.history] == [1, 2, 3]
    assert all(record.keys() == HISTORY for record in result.history)
    scores = fnn.evaluate(MODEL, result.params, X[:20], LABELS[:20], loss=losses.softmax_cross_entropy)
    assert result.history[-1]["val_loss"] == scores["loss"]
    assert result.history[-1]["val_accuracy"] == scores["accuracy"]
    assert result.history[-1]["loss"] < result.history[0]["loss"]
    assert fit().history[0]["val_loss"] is None


def test_training_figures_are_the_means_over_the_epochs_own_passes():
    result = fit(epochs=1, batch_size=60)  # one step: the figures of the start
    scores = fnn.evaluate(MODEL, PARAMS, X, LABELS, loss=losses.softmax_cross_entropy)
    assert result.history[0]["loss"] == pytest.approx(scores["loss"], rel=1e-6)
    assert result.history[0]["accuracy"] == scores["accuracy"]


def test_accuracy_is_nan_under_a_loss_that_has_none():
    result = fit(loss=losses.mean_squared_error, train=(X, data.one_hot(LABELS, 2)))
    assert np.isnan(result.history[0]["accuracy"])


def test_divergence_names_epoch_step_and_parameter_and_keeps_what_was_learned():
    sgd, given = optim.sgd(lambda step: 0.1 if step < 6 else np.inf), []

    def update(grads, state, params):
        given.append(params)
        return sgd.update(grads, state, params)

    where = r"^epoch 2, step 4: the loss is nan; parameter hidden\.b is not finite"  # four steps an epoch
    with pytest.raises(fnn.DivergenceError, match=where) as caught:
        fit(optimizer=optim.Transform(sgd.init, update))
    assert len(given) == 7
    assert len(caught.value.result.history) == 1
    assert same_bits(caught.value.result.params, given[-1])  # the last that gave a finite loss


def test_divergence_leaves_the_process_that_it_was_raised_in():
    result = fnn.FitResult({"w": np.ones(2)}, (), [])
    error = pickle.loads(pickle.dumps(fnn.DivergenceError("epoch 1: the loss is nan", result)))
    assert str(error) == "epoch 1: the loss is nan"
    assert error.result.params["w"].tolist() == [1.0, 1.0]


def test_divergence_in_the_last_step_is_found_too():
    with pytest.raises(fnn.DivergenceError, match="epoch 1, after its last step; parameter"):
        fit(optimizer=optim.chain(optim.scale_by_learning_rate(3e38), optim.scale_by_learning_rate(3e38)), epochs=1,
            batch_size=60)  # fmt: skip


def test_callback_sees_every_epoch_and_can_end_training():
    seen = []
    result = fit(callback=lambda so_far: seen.append(len(so_far.history)) or len(seen) == 2)
    assert seen == [1, 2]
    assert len(result.history) == 2


def test_transform_draws_in_training_and_is_deterministic_in_validation():
    seen = []

    def transform(x, key):
        seen.append(key)
        return x

    fit(transform=transform, validation=(X[:5], LABELS[:5]), epochs=1, batch_size=60)
    assert sum(key is not None for key in seen) == 1  # the step; checks, shapes and the validation draw nothing
    assert seen[-1] is None  # the validation


def test_uint8_images_need_a_transform_and_the_error_says_which():
    images = RNG.integers(0, 255, (8, 4), dtype=np.uint8)
    with pytest.raises(TypeError, match=r"two_layer_perceptron\.flat: x is uint8.*data\.standardize"):
        fit(train=(images, LABELS[:8]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "fit: epochs is 0, expected an int of at least 1"),
        ({"batch_size": 0}, "fit: batch_size is 0, expected an int of at least 1"),
        (
            {"train": (X, LABELS[1:])},
            "fit: data has inputs of shape (60, 4) and targets of shape (59,), expected as many examples, at least one",
        ),
        ({"train": (X, LABELS + 1)}, f"{LOSS}: label 2 at index {LABELS.argmax()} is outside 0 .. 1"),
        ({"validation": (X, LABELS - 1)}, f"{LOSS}: label -1 at index {LABELS.argmin()} is outside 0 .. 1"),
        (
            {"train": (X[:, :3], LABELS)},
            "two_layer_perceptron.hidden: x has 3 features, w has shape (4, 8), expected (3, 8)",
        ),
        ({"workers": 0}, "fit: workers is 0, expected an int of at least 1"),
    ],
)
def test_bad_input_is_refused_before_any_training(options, message):
    steps = []
    optimizer = optim.Transform(lambda params: steps.append("init"), lambda *_: steps.append("update"))
    with refused(ValueError, message):
        fit(optimizer=optimizer, **options)
    assert "update" not in steps


def test_a_line_an_epoch_stands_in_for_the_bar_where_tqdm_is_missing(monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    fit(progress=True, epochs=2, validation=(X, LABELS))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("epoch 1/2: loss 0.")
    assert " | val 0." in lines[0]


def test_predict_is_apply_chunk_by_chunk_for_every_number_of_workers():
    model = models.lenet5(10)
    params = model.init(RNG, (32, 32, 1))
    x = RNG.standard_normal((150, 32, 32, 1)).astype(np.float32)
    outputs = [fnn.predict(model, params, x, workers=workers) for workers in (1, 2, 8)]
    np.testing.assert_allclose(outputs[0], model.apply(params, x), atol=1e-5)
    assert all(np.array_equal(outputs[0], other) for other in outputs[1:])
