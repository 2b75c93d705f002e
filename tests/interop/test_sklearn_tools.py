"""The estimators in scikit-learn's tools: clones, nested parameters, searches, cross-validation."""

from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

import functional_nn as fnn
from functional_nn import layers, losses, models, optim
from functional_nn.interop.sklearn import NeuralNetClassifier, NeuralNetRegressor
from tests.interop.estimators import QUICK, X, Y, convolutional
from tests.refusals import refused


def test_a_clone_has_the_parameters_and_nothing_learned():
    callbacks = (fnn.callbacks.keep_best("loss"),)
    original = NeuralNetClassifier(models.lenet5, optimizer=optim.sgd(0.1), callbacks=callbacks)
    copy = clone(original)
    assert copy.get_params() == original.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(X)


def test_nested_parameters_are_arguments_of_the_values():
    net = NeuralNetClassifier(convolutional(3), optimizer=optim.adam(1e-3), loss=losses.cross_entropy(0.1))
    listed = net.get_params()
    assert listed["optimizer__learning_rate"] == 1e-3
    assert listed["model__c1__filters"] == 6
    assert listed["loss__label_smoothing"] == 0.1
    net.set_params(optimizer__learning_rate=0.5, model__c1__filters=2, model__d=layers.dense(7), model__d__units=4)
    assert net.optimizer == optim.adam(0.5)
    assert net.model == fnn.serial(
        c1=layers.conv2d(2, 3), a1=layers.relu, s2=layers.max_pool(2), flat=layers.flatten(), d=layers.dense(4)
    )
    net.set_params(optimizer=optim.sgd(0.1), optimizer__momentum=0.9)
    assert net.optimizer == optim.sgd(0.1, momentum=0.9)


def test_arguments_of_a_constructor_can_be_set_too():
    net = NeuralNetClassifier(models.two_layer_perceptron, **QUICK)
    assert net.get_params()["model__hidden"] == 64
    assert "model__classes" not in net.get_params()
    net.set_params(model__hidden=5).fit(X, Y)
    assert net.model_ == models.two_layer_perceptron(5, 3)
    assert clone(net).fit(X, Y).model_ == net.model_
    assert NeuralNetClassifier(partial(convolutional, filters=2)).get_params()["model__filters"] == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"optimizer__b1": 0.5}, "Invalid parameter optimizer__b1: None has no arguments: set optimizer to what has"),
        ({"loss__rate": 1}, "Invalid parameter loss__rate: it has delta"),
        ({"loss__delta__x": 1}, "Invalid parameter loss__delta__x: 1.0 has no arguments: set loss__delta to what has"),
    ],
)
def test_nested_parameters_that_are_not_there_are_refused_and_nothing_is_set(changes, message):
    net = NeuralNetRegressor(loss=losses.huber())
    with refused(ValueError, message):
        net.set_params(hidden=3, **changes)
    assert net.hidden == 64
    with pytest.raises(ValueError, match="Invalid parameter opt of NeuralNetRegressor: it has batch_size, callbacks"):
        net.set_params(opt__b1=1)


def test_a_search_over_a_pipeline_sets_nested_parameters():
    net = NeuralNetClassifier(**QUICK, optimizer=optim.adam(1e-9))
    pipeline = make_pipeline(MinMaxScaler(), net)
    grid = {"neuralnetclassifier__optimizer__learning_rate": [1e-9, 0.05], "neuralnetclassifier__hidden": [4, 16]}
    search = GridSearchCV(pipeline, grid, cv=3).fit(X, Y)
    assert search.best_params_["neuralnetclassifier__optimizer__learning_rate"] == 0.05
    assert net.optimizer == optim.adam(1e-9)
    by_value = GridSearchCV(net, {"optimizer": [optim.adam(1e-9), optim.sgd(0.5, momentum=0.9)]}, cv=3).fit(X, Y)
    assert by_value.best_params_["optimizer"] == optim.sgd(0.5, momentum=0.9)


def test_cross_validation_side_by_side_gives_the_same_scores():
    net = NeuralNetClassifier(hidden=8, epochs=60, batch_size=32, learning_rate=0.01)
    scores = cross_val_score(net, *load_wine(return_X_y=True), cv=3)
    assert scores.min() > 0.9
    with parallel_config("threading"):
        np.testing.assert_array_equal(cross_val_score(net, *load_wine(return_X_y=True), cv=3, n_jobs=2), scores)
