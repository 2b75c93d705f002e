"""How the estimators train: weights, parts, warm starts, and held-out examples."""

import pickle
from functools import partial

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score

import functional_nn as fnn
from functional_nn import layers, models
from functional_nn.interop.sklearn import NeuralNetClassifier, NeuralNetRegressor
from tests.interop.estimators import QUICK, RX, RY, X, Y, assert_same, params_of
from tests.refusals import refused


@pytest.mark.parametrize("make", [NeuralNetClassifier, NeuralNetRegressor])
@pytest.mark.parametrize("seed", range(5))
def test_whole_numbered_weights_do_what_as_many_copies_do(make, seed):
    weights = np.random.default_rng(seed).integers(0, 4, len(X))
    options = {"hidden": 8, "epochs": 20, "batch_size": 1000}
    weighed = make(**options).fit(X, Y, sample_weight=weights)
    copies = make(**options).fit(X.repeat(weights, axis=0), Y.repeat(weights))
    for one, other in zip(params_of(weighed), params_of(copies), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-10)
    np.testing.assert_array_equal(weighed.predict(X[:5]).shape, (5,))


def test_equal_weights_change_no_bit():
    assert_same(NeuralNetClassifier(**QUICK).fit(X, Y), NeuralNetClassifier(**QUICK).fit(X, Y, sample_weight=Y * 0 + 3))


def test_an_example_of_weight_zero_is_not_there():
    weights = (Y != 2).astype(float)
    net = NeuralNetClassifier(**QUICK).fit(X, Y, sample_weight=weights)
    assert net.classes_.tolist() == [0, 1]
    assert_same(net, NeuralNetClassifier(**QUICK).fit(X[Y != 2], Y[Y != 2]))


def test_weights_of_classes_are_those_of_their_examples():
    by_class = NeuralNetClassifier(**QUICK, class_weight={0: 2.0, 2: 0.5}).fit(X, Y)
    assert_same(by_class, NeuralNetClassifier(**QUICK).fit(X, Y, sample_weight=np.array([2.0, 1.0, 0.5])[Y]))
    rare = np.concatenate([np.flatnonzero(Y == 0)[:5], np.flatnonzero(Y != 0)])
    balanced = NeuralNetClassifier(**QUICK, class_weight="balanced").fit(X[rare], Y[rare])
    counts = np.bincount(Y[rare])
    weights = (len(rare) / (3 * counts))[Y[rare]]
    assert_same(balanced, NeuralNetClassifier(**QUICK).fit(X[rare], Y[rare], sample_weight=weights))


def test_balanced_classes_weigh_the_same_under_weights_of_examples():
    weights = np.where(Y == 0, 3.0, 1.0)
    balanced = NeuralNetClassifier(**QUICK, class_weight="balanced").fit(X, Y, sample_weight=weights)
    plain = NeuralNetClassifier(**QUICK).fit(X, Y)  # 30 of each class, so their totals are equal again
    for one, other in zip(params_of(balanced), params_of(plain), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(3), r"sample_weight has shape \(3,\), expected \(90,\), one weight an example"),
        (np.ones((90, 1)), r"sample_weight has shape \(90, 1\), expected \(90,\)"),
        (np.r_[-1.0, np.ones(89)], r"sample_weight holds -1.0, expected numbers that are not negative"),
        (np.r_[np.nan, np.ones(89)], "sample_weight contains NaN"),
        (np.zeros(90), "all weights are zero: no example is left to learn from"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        NeuralNetClassifier(**QUICK).fit(X, Y, sample_weight=weights)


@pytest.mark.parametrize("class_weight", [{0: -1.0}, {0: np.inf}])
def test_weights_of_classes_that_are_negative_or_infinite_are_refused(class_weight):
    with pytest.raises(ValueError, match="expected finite numbers that are not negative"):
        NeuralNetClassifier(**QUICK, class_weight=class_weight).fit(X, Y)


def test_parts_learn_what_the_epochs_of_fit_do():
    net = NeuralNetClassifier(**QUICK)
    weights = np.arange(1.0, 91.0)
    for _ in range(6):
        net.partial_fit(X, Y, classes=[0, 1, 2], sample_weight=weights)
    assert_same(net, NeuralNetClassifier(**QUICK).fit(X, Y, sample_weight=weights))
    assert net.n_iter_ == len(net.loss_curve_) == 6
    regressor = NeuralNetRegressor(**QUICK)
    for _ in range(6):
        regressor.partial_fit(RX, RY)
    assert_same(regressor, NeuralNetRegressor(**QUICK).fit(RX, RY))


def test_parts_need_not_hold_every_class_but_no_other():
    net = NeuralNetClassifier(**QUICK).partial_fit(X[Y != 2], Y[Y != 2], classes=[2, 1, 0])
    assert net.predict_proba(X).shape == (90, 3)
    net.partial_fit(X[Y == 2], Y[Y == 2])
    with refused(ValueError, "NeuralNetClassifier: y holds 3, which is not among the classes [0 1 2]"):
        net.partial_fit(X, Y + 1)
    with refused(ValueError, "NeuralNetClassifier.partial_fit: classes are [0, 1], before [0 1 2]"):
        net.partial_fit(X, Y, classes=[0, 1])


def test_what_parts_cannot_do_is_refused():
    with refused(ValueError, "NeuralNetClassifier.partial_fit: the first call needs classes=, all that there will be"):
        NeuralNetClassifier().partial_fit(X, Y)
    for options, what in (({"validation": 0.1}, "validation is 0.1"), ({"class_weight": "balanced"}, "is 'balanced'")):
        with pytest.raises(ValueError, match=f"{what}, which needs all examples at once: use fit"):
            NeuralNetClassifier(**options).partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"validation is 0\.1, which needs all examples at once: use fit"):
        NeuralNetRegressor(validation=0.1).partial_fit(RX, RY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden": 9}, "hidden is 9, in the training before 64"),
        ({"standardize": False}, "standardize is False, in the training before True"),
        ({"model": layers.dense(3)}, "model is dense(3), in the training before None"),
    ],
)
def test_what_cannot_change_while_training_goes_on_is_refused(changes, message):
    net = NeuralNetClassifier(**QUICK, warm_start=True).fit(X, Y).set_params(**changes)
    for go_on in (net.fit, net.partial_fit):
        with refused(ValueError, f"NeuralNetClassifier: {message}: fit anew with warm_start=False"):
            go_on(X, Y)
    net.set_params(warm_start=False).fit(X, Y)


def test_a_pickled_constructor_of_bound_arguments_goes_on():
    net = NeuralNetClassifier(partial(models.two_layer_perceptron, hidden=5), **QUICK, warm_start=True).fit(X, Y)
    assert_same(pickle.loads(pickle.dumps(net)).fit(X, Y), net.fit(X, Y))


@pytest.mark.parametrize("validation", [0.0, 0.2])
@pytest.mark.parametrize("make", [NeuralNetClassifier, NeuralNetRegressor])
def test_a_warm_start_goes_on_as_if_it_had_never_stopped(make, validation):
    options = {**QUICK, "validation": validation, "learning_rate": 0.05}
    warm = make(**options, warm_start=True).fit(X, Y).fit(X, Y)
    whole = make(**{**options, "epochs": 12}).fit(X, Y)
    assert_same(warm, whole)
    assert warm.loss_curve_ == whole.loss_curve_
    assert warm.validation_scores_ == whole.validation_scores_


def test_a_cold_start_forgets():
    net = NeuralNetClassifier(**QUICK).fit(X * 3.0, (Y + 1) % 3)
    assert_same(net.fit(X, Y), NeuralNetClassifier(**QUICK).fit(X, Y))


def test_a_warm_start_on_other_data_is_refused():
    net = NeuralNetClassifier(**QUICK, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="X has 3 features, but NeuralNetClassifier is expecting 4"):
        net.fit(X[:, :3], Y)
    with refused(ValueError, "NeuralNetClassifier: y holds 3, which is not among the classes [0 1 2]"):
        net.fit(X, Y + 1)
    with refused(
        ValueError,
        "NeuralNetClassifier: the epochs before had no validation: fit anew with warm_start=False, "
        "or leave validation at 0",
    ):
        net.set_params(validation=0.2).fit(X, Y)
    regressor = NeuralNetRegressor(**QUICK, warm_start=True).fit(RX, RY)
    with refused(ValueError, "NeuralNetRegressor: y has shape (90, 1), before (n,)"):
        regressor.fit(RX, RY[:, np.newaxis])


def test_the_parameters_kept_are_those_of_the_best_epoch():
    options = {"hidden": 30, "batch_size": 16, "learning_rate": 0.05, "validation": 0.3}
    net = NeuralNetClassifier(**options, epochs=30).fit(X, Y)
    figures = [record["val_loss"] for record in net._result.history]
    best = figures.index(min(figures)) + 1
    assert best < 30, "this data should be overfitted"
    assert_same(net, NeuralNetClassifier(**options, epochs=best).fit(X, Y))
    assert len(net.validation_scores_) == len(net.loss_curve_) == 30
    stopped = NeuralNetClassifier(**options, epochs=30, callbacks=[fnn.callbacks.early_stopping(3)]).fit(X, Y)
    assert stopped.loss_curve_ == net.loss_curve_[: stopped.n_iter_]
    end = next(e for e in range(4, 31) if min(figures[e - 3 : e]) >= min(figures[: e - 3]))
    assert stopped.n_iter_ == end
    best = figures.index(min(figures[:end])) + 1
    assert_same(stopped, NeuralNetClassifier(**options, epochs=best).fit(X, Y))


def test_a_warm_start_that_learns_nothing_better_keeps_the_best_of_before():
    options = {"hidden": 30, "batch_size": 16, "learning_rate": 0.05, "validation": 0.3}
    first = NeuralNetClassifier(**options, epochs=15, warm_start=True).fit(X, Y)
    kept = params_of(first)
    first.fit(X, Y)
    figures = [record["val_loss"] for record in first._result.history]
    assert figures.index(min(figures)) < 15, "this data should be overfitted"
    for one, other in zip(params_of(first), kept, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_callback_that_keeps_the_best_says_by_which_figure():
    options = {"hidden": 30, "batch_size": 16, "learning_rate": 0.05, "validation": 0.3}
    net = NeuralNetClassifier(**options, epochs=20, callbacks=[fnn.callbacks.keep_best("val_accuracy")]).fit(X, Y)
    best = net.validation_scores_.index(max(net.validation_scores_)) + 1
    assert_same(net, NeuralNetClassifier(**options, epochs=best).fit(X, Y) if best > 1 else net)
    _, held = net._split(net._examples(X, Y, None, reset=True), 0.3, stratify=True)
    assert net.score(held.x, held.y) == max(net.validation_scores_)


def test_validation_scores_of_a_regressor_are_r2():
    net = NeuralNetRegressor(**QUICK, validation=0.3, learning_rate=0.02)
    for weights in (None, np.arange(1.0, 91.0)):
        net.fit(RX, RY, sample_weight=weights)
        _, held = net._split(net._examples(RX, RY, weights, reset=True), 0.3, stratify=False)
        expected = r2_score(held.y, net.predict(held.x), sample_weight=held.weights)
        assert max(net.validation_scores_) == pytest.approx(expected, rel=1e-9)


def test_held_out_examples_are_drawn_by_class_and_not_by_weight():
    net = NeuralNetClassifier(seed=5)
    plain = net._split(net._examples(X, Y, None, reset=True), 0.2, stratify=True)[1]
    weighed = net._split(net._examples(X, Y, np.arange(1.0, 91.0), reset=True), 0.2, stratify=True)[1]
    np.testing.assert_array_equal(plain.x, weighed.x)
    assert np.bincount(plain.y).tolist() == [6, 6, 6]
    assert not NeuralNetClassifier(**QUICK).fit(X, Y).validation_scores_


def test_a_fit_that_fails_leaves_no_old_network_under_new_classes():
    net = NeuralNetClassifier(**QUICK, validation=0.2).fit(X, Y)
    with pytest.raises(ValueError, match="least populated"):
        net.fit(X, np.array(["once"] + ["often"] * (len(X) - 1)))
    with pytest.raises(NotFittedError):
        net.predict(X)
