"""A network as a scikit-learn estimator: it takes part in pipelines, searches and cross-validation.

    from functional_nn.interop.sklearn import NeuralNetClassifier

    classifier = NeuralNetClassifier(hidden=32).fit(x_train, y_train)
    classifier.score(x_test, y_test)

Both estimators pass every check of scikit-learn's own `parametrize_with_checks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from functional_nn import keys, losses, optim
from functional_nn.extras import needs_extra
from functional_nn.interop._estimator import NeuralNet
from functional_nn.interop._examples import Examples, Scale, kept, shown_batch
from functional_nn.loss import Loss

with needs_extra("sklearn", "functional_nn.interop.sklearn"):
    from sklearn.base import ClassifierMixin, RegressorMixin
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import column_or_1d

__all__ = ["NeuralNetClassifier", "NeuralNetRegressor"]


def _gives_probabilities(classifier: NeuralNetClassifier) -> bool:
    if classifier._loss().scores is None:
        raise AttributeError(f"{classifier.loss!r} gives no probabilities: use predict")
    return True


class NeuralNetClassifier(ClassifierMixin, NeuralNet):  # type: ignore[misc]
    """A classifier: a network under a loss of classes, the softmax cross-entropy where none is given.

    - `model`: a layer with one output a class, or a constructor that takes `classes=`, such as `models.lenet5`; None is
      a perceptron of `hidden` rectified units. X is (n, features), or (n, h, w, c) for a convolutional model.
    - `optimizer`: None is `optim.adam(learning_rate)`. `epochs`, `batch_size`, `seed`: as for `fnn.fit`. Ensembles set
      no `seed`, so their members begin with the same weights.
    - `standardize`: bring each feature, of images each channel, to zero mean and unit variance over the training data.
    - `validation`: the share of the examples that are held out, drawn by class; the parameters kept are those of the
      epoch with the lowest loss on them. `callbacks`: as for `fnn.fit`, such as `callbacks.early_stopping(10)`.
    - `class_weight`: a dict from classes to weights, or "balanced"; they multiply the weights of the examples.
    - `warm_start`: a further `fit` goes on, as if `epochs` had been the sum. The scale of X stays that of the first.

    X of float32 or bytes trains in float32, all else in float64. The loss is sum of s l over sum of s, s the weights.
    Every argument of a value can be set: `optimizer__learning_rate`, `model__activation`, `model__c1__filters`.

    After `fit`: `classes_`, `n_features_in_` (of images, as scikit-learn counts, the height), `feature_names_in_` where
    X has names, `input_shape_`, `model_`, `params_`, `n_iter_`, `loss_curve_`, and `validation_scores_`, accuracies.

    >>> from functional_nn.interop.sklearn import NeuralNetClassifier
    >>> x, y = np.array([[-2.0], [-1.0], [1.0], [2.0]]), np.array(["low", "low", "high", "high"])
    >>> classifier = NeuralNetClassifier(hidden=8, learning_rate=0.1, epochs=50).fit(x, y)
    >>> classifier.predict(np.array([[3.0], [-3.0]])).tolist()
    ['high', 'low']
    """

    classes_: np.ndarray

    def __init__(
        self,
        model: Any = None,
        *,
        hidden: int = 64,
        loss: Loss | None = None,
        optimizer: optim.Transform | None = None,
        learning_rate: float | optim.Schedule = 1e-3,
        epochs: int = 80,
        batch_size: int = 100,
        seed: keys.Key = 0,
        standardize: bool = True,
        validation: float = 0.0,
        callbacks: Sequence[Any] = (),
        class_weight: Mapping[Any, float] | str | None = None,
        warm_start: bool = False,
    ) -> None:
        super().__init__(
            model,
            hidden=hidden,
            loss=loss,
            optimizer=optimizer,
            learning_rate=learning_rate,
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            standardize=standardize,
            validation=validation,
            callbacks=callbacks,
            warm_start=warm_start,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on X (n, ...) and labels y (n,); `sample_weight` (n,): an example of weight 0 is left out."""
        goes_on = self._goes_on()
        examples = self._labelled(X, y, sample_weight, reset=not goes_on)
        if not goes_on:
            self._forget()
            self.classes_ = np.unique(examples.y)
        return self._learn(examples, epochs=self.epochs, goes_on=goes_on)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Pass over X and y once, and go on from what was learned before; the first call needs all `classes`.

        The scale of X is that of the first call. Raises `ValueError` with `validation` or "balanced" weights of
        classes, which need all examples, and for labels that are not among the classes.
        """
        goes_on = hasattr(self, "_result")
        if self.validation or self.class_weight == "balanced":
            what = "validation" if self.validation else "class_weight"
            given = f"{what} is {getattr(self, what)!r}, which needs all examples at once"
            raise ValueError(f"NeuralNetClassifier.partial_fit: {given}: use fit")
        if not goes_on and classes is None:
            raise ValueError("NeuralNetClassifier.partial_fit: the first call needs classes=, all that there will be")
        examples = self._labelled(X, y, sample_weight, reset=not goes_on)
        if not goes_on:
            self._forget()
            self.classes_ = np.unique(column_or_1d(classes))
        elif classes is not None and not np.array_equal(np.unique(column_or_1d(classes)), self.classes_):
            raise ValueError(f"NeuralNetClassifier.partial_fit: classes are {classes}, before {self.classes_}")
        return self._learn(examples, epochs=1, goes_on=goes_on)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each example (n,)."""
        outputs, scores = self._outputs(X), self._loss().scores
        return np.asarray(self.classes_[(outputs if scores is None else scores(outputs)).argmax(axis=1)])

    @available_if(_gives_probabilities)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probabilities (n, classes), in the order of `classes_`; missing where the loss gives none."""
        outputs, scores = self._outputs(X), self._loss().scores
        assert scores is not None
        return scores(outputs)

    def _labelled(self, X: Any, y: Any, sample_weight: Any, reset: bool) -> Examples:
        examples = self._examples(X, y, sample_weight, reset)
        check_classification_targets(examples.y)
        return examples._replace(y=column_or_1d(examples.y, warn=True))

    def _learn(self, examples: Examples, epochs: int, goes_on: bool) -> Self:
        known = np.isin(examples.y, self.classes_)
        if not known.all():
            first = examples.y[~known].tolist()[0]
            raise ValueError(f"NeuralNetClassifier: y holds {first!r}, which is not among the classes {self.classes_}")
        if self.class_weight is not None:
            examples = kept(examples._replace(weights=self._weights_of(examples)))
        return self._train(examples, len(self.classes_), epochs=epochs, goes_on=goes_on, stratify=True)

    def _weights_of(self, examples: Examples) -> np.ndarray:
        """Return the examples' weights times those of their classes."""
        weights = np.ones(len(examples.y)) if examples.weights is None else examples.weights
        labels = self._targets(examples.y)
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            totals = np.bincount(labels, weights, len(self.classes_))
            by_class = totals.sum() / ((totals > 0.0).sum() * np.where(totals > 0.0, totals, 1.0))
        else:
            by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=examples.y)
        if not np.isfinite(by_class).all() or (by_class < 0.0).any():
            given = f"class_weight is {self.class_weight!r}"
            raise ValueError(f"NeuralNetClassifier: {given}, expected finite numbers that are not negative")
        return np.asarray(weights * by_class[labels])

    def _default_loss(self) -> Loss:
        return losses.softmax_cross_entropy

    def _prepare_targets(self, examples: Examples) -> None:
        pass

    def _targets(self, y: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.classes_, y)

    def _validation_scores(self, history: list[dict[str, Any]], loss: Loss, targets: np.ndarray) -> list[float]:
        return [record["val_accuracy"] for record in history]


class NeuralNetRegressor(RegressorMixin, NeuralNet):  # type: ignore[misc]
    """A regressor: a network under a loss of numbers, the mean squared error where none is given.

    y is (n,) or (n, outputs). With `standardize`, y is brought to zero mean and unit variance as X is, and the
    predictions are brought back, so the loss counts in standard deviations of y. A constructor as `model` gets the
    number of outputs as `classes=`. The other arguments are those of `NeuralNetClassifier`.

    After `fit`: as for the classifier, without classes. `validation_scores_` are 1 - loss / (loss of predicting the
    mean of the validation's y): under the mean squared error of one output that is R².

    >>> from functional_nn.interop.sklearn import NeuralNetRegressor
    >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> regressor = NeuralNetRegressor(hidden=8, learning_rate=0.1, epochs=200).fit(x, 3.0 * x[:, 0])
    >>> regressor.predict(np.array([[1.0]])).round(1)
    array([3.])
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train on X (n, ...) and numbers y (n,) or (n, outputs); `sample_weight` (n,): weight 0 leaves out."""
        goes_on = self._goes_on()
        return self._learn(X, y, sample_weight, epochs=self.epochs, goes_on=goes_on)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Pass over X and y once, and go on from what was learned before; the scales are those of the first call.

        Raises `ValueError` with `validation`, which needs all examples.
        """
        if self.validation:
            given = f"validation is {self.validation!r}, which needs all examples at once"
            raise ValueError(f"NeuralNetRegressor.partial_fit: {given}: use fit")
        return self._learn(X, y, sample_weight, epochs=1, goes_on=hasattr(self, "_result"))

    def predict(self, X: Any) -> np.ndarray:
        """Return the predictions, float64, of the shape of the y that was learned."""
        outputs = self._outputs(X)
        rows = self._target_scale.undone(outputs)
        return rows.reshape(len(rows), *self._target_shape)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _learn(self, X: Any, y: Any, sample_weight: Any, epochs: int, goes_on: bool) -> Self:
        examples = self._examples(X, y, sample_weight, not goes_on, multi_output=True, y_numeric=True)
        if not goes_on:
            self._forget()
            self._target_shape = examples.y.shape[1:]
        elif examples.y.shape[1:] != self._target_shape:
            shapes = f"y has shape {examples.y.shape}, before {shown_batch(self._target_shape)}"
            raise ValueError(f"NeuralNetRegressor: {shapes}")
        rows = examples.y.reshape(len(examples.y), -1)
        return self._train(examples._replace(y=rows), rows.shape[1], epochs=epochs, goes_on=goes_on, stratify=False)

    def _default_loss(self) -> Loss:
        return losses.mean_squared_error

    def _prepare_targets(self, examples: Examples) -> None:
        self._target_scale = Scale.of(examples.y, examples.weights, self._scale.dtype, self.standardize)

    def _targets(self, y: np.ndarray) -> np.ndarray:
        return self._target_scale(y)

    def _validation_scores(self, history: list[dict[str, Any]], loss: Loss, targets: np.ndarray) -> list[float]:
        weighed = targets.dtype.names is not None
        rows, weights = (targets["target"], targets["weight"]) if weighed else (targets, None)
        mean = np.average(rows, axis=0, weights=weights).astype(rows.dtype)
        baseline = loss.apply(np.ascontiguousarray(np.broadcast_to(mean, rows.shape)), targets)
        return [1.0 - record["val_loss"] / baseline if baseline else float("nan") for record in history]
