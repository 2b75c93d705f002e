"""What the estimators compute, what they take, and what they refuse."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import functional_nn as fnn
from functional_nn import layers, losses, models, optim
from functional_nn.interop.sklearn import NeuralNetClassifier, NeuralNetRegressor
from tests.interop.estimators import IMAGES, LABELS, QUICK, RX, RY, X, Y, assert_same, convolutional, params_of
from tests.refusals import refused


def test_fitting_is_fit_on_standardized_inputs():
    estimator = NeuralNetClassifier(**QUICK, seed=3).fit(X, Y)
    model = models.two_layer_perceptron(64, 3, layers.relu, w_init=fnn.initializers.glorot_uniform)
    params = fnn.tree.cast(model.init(fnn.keys.generator(3), (4,)), np.float64)
    x = StandardScaler().fit_transform(X)
    options = {"loss": losses.softmax_cross_entropy, "optimizer": optim.adam(1e-3), "progress": False}
    result = fnn.fit(model, params, (x, Y), epochs=6, batch_size=32, seed=3, **options)
    for mine, theirs in zip(params_of(estimator), fnn.tree.leaves(result.params), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12, strict=True)
    assert estimator.loss_curve_ == pytest.approx([record["loss"] for record in result.history], rel=1e-9)
    np.testing.assert_allclose(estimator.predict_proba(X), losses.softmax(model.apply(result.params, x)), rtol=1e-8)
    assert estimator.n_iter_ == 6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_training_is_in_the_dtype_of_x(dtype):
    estimator = NeuralNetClassifier(**QUICK).fit(X.astype(dtype), Y)
    assert {leaf.dtype for leaf in params_of(estimator)} == {np.dtype(dtype)}
    assert estimator.predict_proba(X.astype(dtype)).dtype == dtype


def test_whole_numbers_train_in_float64_and_bytes_in_float32():
    assert params_of(NeuralNetClassifier(**QUICK).fit(X.astype(np.int64), Y))[0].dtype == np.float64
    assert params_of(NeuralNetClassifier(**QUICK).fit(np.abs(X).astype(np.uint8), Y))[0].dtype == np.float32


@pytest.mark.parametrize("make", [NeuralNetClassifier, NeuralNetRegressor])
def test_the_threads_of_blas_change_no_bit(make):
    estimators = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            estimators.append(make(hidden=200, epochs=2).fit(X, Y, sample_weight=np.arange(1, 91)))
    assert_same(*estimators)


def test_a_pickled_estimator_predicts_the_same_bits_and_goes_on_alike():
    estimator = NeuralNetClassifier(**QUICK, warm_start=True).fit(X, Y)
    again = pickle.loads(pickle.dumps(estimator))
    np.testing.assert_array_equal(again.predict_proba(X), estimator.predict_proba(X))
    assert_same(again.fit(X, Y), estimator.fit(X, Y))


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_a_regressor_learns_whatever_the_scale_and_offset_of_y(scale):
    y = scale * (RY + 1e4)
    net = NeuralNetRegressor(epochs=100, batch_size=16, learning_rate=0.005).fit(RX.astype(np.float32), y)
    assert net.score(RX.astype(np.float32), y) > 0.98
    assert net.predict(RX).dtype == np.float64


def test_several_outputs_keep_their_shape():
    y = np.stack([RY, -2.0 * RY + 3.0], axis=1)
    assert NeuralNetRegressor(epochs=100, batch_size=16, learning_rate=0.005).fit(RX, y).score(RX, y) > 0.95
    assert NeuralNetRegressor(**QUICK).fit(RX, y).predict(RX[:7]).shape == (7, 2)
    assert NeuralNetRegressor(**QUICK).fit(RX, y[:, :1]).predict(RX[:7]).shape == (7, 1)
    assert NeuralNetRegressor(**QUICK).fit(RX, RY).predict(RX[:7]).shape == (7,)


def test_without_standardization_the_numbers_are_taken_as_they_are():
    net = NeuralNetRegressor(**QUICK, standardize=False, optimizer=optim.sgd(0.0)).fit(RX, RY)
    np.testing.assert_array_equal(net.predict(RX), net.model_.apply(net.params_, RX)[:, 0])
    assert net.loss_curve_[0] == pytest.approx(np.square(net.predict(RX) - RY).mean())


def test_another_loss_counts():
    net = NeuralNetRegressor(**QUICK, loss=losses.huber(0.5)).fit(RX, RY, sample_weight=np.arange(1, 91))
    assert np.isfinite(net.predict(RX)).all()
    hinge = NeuralNetClassifier(hidden=16, epochs=40, learning_rate=0.01, loss=losses.hinge()).fit(X, Y)
    assert hinge.score(X, Y) > 0.8
    assert not hasattr(hinge, "predict_proba")
    with pytest.raises(AttributeError, match="predict_proba"):
        hinge.predict_proba(X)


def test_labels_may_be_strings():
    names = np.array(["c", "a", "b"])
    net = NeuralNetClassifier(**QUICK).fit(X, names[Y])
    assert net.classes_.tolist() == ["a", "b", "c"]
    assert set(net.predict(X)) <= set(names)
    assert np.array_equal(net.classes_[net.predict_proba(X).argmax(axis=1)], net.predict(X))


@pytest.mark.parametrize("images", [IMAGES, IMAGES.astype(np.float64)], ids=["bytes", "floats"])
def test_images_train_a_convolutional_network(images):
    net = NeuralNetClassifier(convolutional, epochs=15, learning_rate=0.01, batch_size=32).fit(
        images[:200], LABELS[:200]
    )
    assert net.score(images[200:], LABELS[200:]) > 0.9
    assert net.input_shape_ == (8, 8, 1)
    assert net._scale.mean.shape == (1,), "one mean a channel"
    with refused(ValueError, "NeuralNetClassifier: X has shape (2, 8, 6, 1), expected (n, 8, 8, 1)"):
        net.predict(images[:2, :, :6])


def test_images_in_lenet5_and_in_cross_validation():
    large = np.kron(IMAGES[:60], np.ones((1, 4, 4, 1), np.uint8))
    net = (
        NeuralNetClassifier(models.lenet5, model=models.lenet5)
        if False
        else NeuralNetClassifier(models.lenet5, epochs=2)
    )
    assert net.fit(large, LABELS[:60]).model_ == models.lenet5(10)
    small = NeuralNetClassifier(convolutional, epochs=8, learning_rate=0.01, batch_size=32)
    assert cross_val_score(small, IMAGES, LABELS, cv=2).min() > 0.7


def test_a_memory_map_that_nobody_may_write_to_is_read(tmp_path):
    for name, array in (("x", IMAGES), ("y", LABELS), ("w", np.arange(1.0, 301.0))):
        np.save(tmp_path / f"{name}.npy", array)
    x, y, weights = (np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in "xyw")
    options = {"epochs": 2, "validation": 0.2}
    mapped = NeuralNetClassifier(convolutional, **options).fit(x, y, sample_weight=weights)
    assert_same(
        mapped, NeuralNetClassifier(convolutional, **options).fit(IMAGES, LABELS, sample_weight=np.array(weights))
    )
    assert mapped.predict(x).shape == (300,)


def test_batch_norm_predicts_under_the_statistics_of_the_training_data():
    model = fnn.serial(d=layers.dense(8), n=layers.batch_norm(), a=layers.relu, out=layers.dense(3))
    net = NeuralNetClassifier(model, epochs=20, learning_rate=0.01, validation=0.2).fit(X, Y)
    assert "mean" in net.params_["n"]
    assert net.score(X, Y) > 0.8


def test_names_of_features_are_kept_and_checked():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    net = NeuralNetClassifier(**QUICK).fit(frame, Y)
    assert net.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert net.n_features_in_ == 4
    with pytest.raises(ValueError, match="feature names"):
        net.predict(frame[["b", "a", "c", "d"]])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model": layers.dense(5)}, ValueError, r"the model's output has shape \(5,\), but y needs \(3,\): end it in"),
        ({"model": layers.dense}, TypeError, "expected a layer, or a constructor that takes classes="),
        ({"model": 3}, TypeError, "model is 3, expected a layer, or a constructor"),
        ({"hidden": 0}, ValueError, "two_layer_perceptron: hidden is 0, expected an int of at least 1"),
        ({"epochs": 0}, ValueError, "NeuralNetClassifier: epochs is 0, expected an int of at least 1"),
        ({"epochs": 2.5}, ValueError, "NeuralNetClassifier: epochs is 2.5"),
        ({"batch_size": 0}, ValueError, "batch_size is 0, expected an int of at least 1"),
        ({"validation": 1.0}, ValueError, "validation is 1.0, expected a number from 0 up to but without 1"),
        ({"standardize": 1}, ValueError, "standardize is 1, expected True or False"),
        ({"warm_start": "yes"}, ValueError, "warm_start is 'yes', expected True or False"),
        ({"seed": -1}, ValueError, "a key is a non-negative int"),
        ({"loss": "log"}, TypeError, "loss is 'log', expected a Loss"),
        ({"optimizer": "adam"}, TypeError, "optimizer is 'adam', expected a transformation"),
        (
            {"optimizer": optim.sgd(0.1), "learning_rate": 0.5},
            ValueError,
            "learning_rate is 0.5, but optimizer is given",
        ),
        ({"model": layers.dense(3), "hidden": 8}, ValueError, "hidden is 8, but model is given: set model__hidden"),
        ({"callbacks": (3,)}, TypeError, "callback is 3, expected a function of a FitResult"),
        ({"callbacks": [fnn.callbacks.early_stopping(3)]}, ValueError, "the history has no val_loss"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_by_fit(options, error, message):
    net = NeuralNetClassifier(**{**QUICK, **options})
    with pytest.raises(error, match=message):
        net.fit(X, Y)
    with pytest.raises(NotFittedError):
        net.predict(X)


def test_a_failure_in_a_second_fit_leaves_no_mixture():
    net = NeuralNetClassifier(**QUICK).fit(X, Y)
    with pytest.raises(ValueError, match="the model's output"):
        net.set_params(model=layers.dense(5)).fit(X * 2.0, Y)
    with pytest.raises(NotFittedError):
        net.predict(X)
