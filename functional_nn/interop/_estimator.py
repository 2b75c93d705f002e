"""What the classifier and the regressor share: their arguments, checks, training and outputs."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from functional_nn import content, keys, layers, losses, models, optim, tree
from functional_nn.arguments import count, flag, fraction
from functional_nn.extras import needs_extra
from functional_nn.initializers import glorot_uniform
from functional_nn.interop._examples import Examples, Scale, checked_weights, kept, shown_batch
from functional_nn.interop._nested import changed, grouped, nested
from functional_nn.layer import Layer, Shape
from functional_nn.loss import Loss
from functional_nn.result import FitResult
from functional_nn.training import callbacks as stock
from functional_nn.training import fit, predict, statistics
from functional_nn.training.checks import as_callbacks

with needs_extra("sklearn", "functional_nn.interop.sklearn"):
    from sklearn.base import BaseEstimator
    from sklearn.model_selection import train_test_split
    from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["NeuralNet"]

TAKEN = (np.float64, np.float32, np.uint8)  # dtypes that stay; all others become the first


class NeuralNet(BaseEstimator):  # type: ignore[misc]
    """The base of `NeuralNetClassifier` and `NeuralNetRegressor`."""

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
        warm_start: bool = False,
    ) -> None:
        self.model = model
        self.hidden = hidden
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed
        self.standardize = standardize
        self.validation = validation
        self.callbacks = callbacks
        self.warm_start = warm_start

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; with `deep`, the arguments of values among them too, as `optimizer__b1`."""
        params = dict(super().get_params(deep=False))
        if deep:
            for name, value in list(params.items()):
                params |= {f"{name}__{key}": below for key, below in nested(value).items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; `optimizer__learning_rate=0.01` makes the optimizer anew with another argument."""
        own, below = grouped(params)
        known = self.get_params(deep=False)
        for name in below:
            if name not in known:
                raise ValueError(f"Invalid parameter {name} of {type(self).__name__}: it has {', '.join(known)}")
        own |= {name: changed(name, own.get(name, known[name]), changes) for name, changes in below.items()}
        super().set_params(**own)
        return self

    def _default_loss(self) -> Loss:
        raise NotImplementedError

    def _prepare_targets(self, examples: Examples) -> None:
        raise NotImplementedError

    def _targets(self, y: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _validation_scores(self, history: list[dict[str, Any]], loss: Loss, targets: np.ndarray) -> list[float]:
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "params_")

    def _goes_on(self) -> bool:
        """Return whether `fit` goes on from what was learned before."""
        return flag(type(self).__name__, "warm_start", self.warm_start) and hasattr(self, "_result")

    def _examples(self, X: Any, y: Any, sample_weight: Any, reset: bool, **checks: Any) -> Examples:
        """Return the examples that count; sets what scikit-learn keeps of the features where `reset`."""
        x, y = validate_data(self, X, y, reset=reset, dtype=TAKEN, allow_nd=True, **checks)
        if not reset:
            self._check_shape(x)
        return kept(Examples(x, y, None if sample_weight is None else checked_weights(sample_weight, len(x))))

    def _forget(self) -> None:
        """Drop what was learned before, so that a failure on the way leaves an estimator that is not fitted."""
        for old in ("params_", "_result"):
            self.__dict__.pop(old, None)

    def _check_shape(self, x: np.ndarray) -> None:
        if x.shape[1:] != self.input_shape_:
            expected = shown_batch(self.input_shape_)
            raise ValueError(f"{type(self).__name__}: X has shape {x.shape}, expected {expected}")

    def _train(self, examples: Examples, outputs: int, *, epochs: int, goes_on: bool, stratify: bool) -> Self:
        """Train on the examples; `goes_on` from the last result, or from weights drawn anew."""
        name = type(self).__name__
        self._check_used()
        share = fraction(name, "validation", self.validation)
        given, epochs = as_callbacks(self.callbacks), count(name, "epochs", epochs)
        train, held = self._split(examples, share, stratify)
        if goes_on:
            self._check_unchanged()
        else:
            self._prepare(train, outputs)
        data, validation = self._pair(train), None if held is None else self._pair(held)
        loss = self._loss() if examples.weights is None else losses.weighted(self._loss())
        best = self._keep_best(given, goes_on, held is not None)
        result = fit(
            self.model_,
            None if goes_on else self._initial(),
            data,
            loss=loss,
            optimizer=optim.adam(self.learning_rate) if self.optimizer is None else self.optimizer,
            epochs=epochs + (len(self._result.history) if goes_on else 0),
            batch_size=self.batch_size,
            seed=self.seed,
            validation=validation,
            transform=self._transform_of(train.x),
            progress=False,
            callback=[*given, *([] if best is None else [best])],
            resume=self._result if goes_on else None,
        )
        self._keep(result, None if best is None else best.result, data[0])
        scores = None if validation is None else self._validation_scores(result.history, loss, validation[1])
        self.validation_scores_ = scores
        return self

    def _check_used(self) -> None:
        """Raise `ValueError` for a parameter that another one makes useless: a search over it would compare nothing."""
        defaults = inspect.signature(type(self)).parameters
        for useless, given in (("learning_rate", "optimizer"), ("hidden", "model")):
            value = getattr(self, useless)
            if getattr(self, given) is not None and value != defaults[useless].default:
                remedy = f"set {given}__{useless} instead, or leave {given} None"
                raise ValueError(f"{type(self).__name__}: {useless} is {value!r}, but {given} is given: {remedy}")

    def _keep(self, result: FitResult, best: FitResult | None, x: np.ndarray) -> None:
        params, size = (result if best is None else best).params, min(self.batch_size, len(x))
        self.params_ = statistics(self.model_, params, x, batch_size=size, transform=self._transform_of(x))
        self._result, self._best = result, best
        self.loss_curve_ = [record["loss"] for record in result.history]
        self.n_iter_ = len(result.history)

    def _prepare(self, train: Examples, outputs: int) -> None:
        """Set all that stays as it is once training has begun: the model, the scale of the inputs, their shape."""
        self.input_shape_ = train.x.shape[1:]
        dtype = np.float32 if train.x.dtype == np.uint8 else train.x.dtype.type
        wanted = flag(type(self).__name__, "standardize", self.standardize)
        self._scale = Scale.of(train.x, train.weights, dtype, wanted)
        self._prepare_targets(train)
        self.model_ = self._network(outputs)
        self._asked = self._asked_for()

    def _asked_for(self) -> dict[str, Any]:
        """Return the parameters that cannot change while training goes on."""
        return {name: getattr(self, name) for name in ("model", "hidden", "standardize")}

    def _check_unchanged(self) -> None:
        for name, value in self._asked_for().items():
            if not content.same(value, self._asked[name]):
                given = f"{name} is {content.show(value)}, in the training before {content.show(self._asked[name])}"
                raise ValueError(f"{type(self).__name__}: {given}: fit anew with warm_start=False")

    def _initial(self) -> Any:
        params = self.model_.init(keys.generator(self.seed), self.input_shape_)
        return tree.cast(params, self._scale.dtype)

    def _loss(self) -> Loss:
        return self._default_loss() if self.loss is None else self.loss

    def _pair(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """Return what `fit` takes: inputs, and targets with their weights if there are any."""
        targets, weights = self._targets(examples.y), examples.weights
        x = examples.x if examples.x.dtype == np.uint8 else self._scale(examples.x)
        return x, targets if weights is None else losses.weighted_targets(targets, weights)

    def _transform_of(self, x: np.ndarray) -> Scale | None:
        """Return the transform of batches: bytes become floats batch by batch, so that a data set stays small."""
        return self._scale if x.dtype == np.uint8 else None

    def _split(self, examples: Examples, share: float, stratify: bool) -> tuple[Examples, Examples | None]:
        """Return the examples to train on and those held out, drawn from the seed and the labels alone."""
        if share == 0.0:
            return examples, None
        seed = int(keys.generator(keys.fold(self.seed, 0)).integers(2**31))  # training folds in 1 and more
        rows = np.arange(len(examples.x))
        labels = examples.y if stratify else None
        train, held = train_test_split(rows, test_size=share, stratify=labels, random_state=seed)
        return examples.at(train), examples.at(held)

    def _keep_best(self, given: Sequence[Any], goes_on: bool, validates: bool) -> stock.KeepBest | None:
        """Return the callback that keeps the best parameters, by a given one's figure or by the validation loss."""
        monitors = [callback.monitor for callback in given if isinstance(callback, stock.KeepBest)]
        if not monitors and not validates:
            return None
        best = stock.keep_best(monitors[0] if monitors else "val_loss")
        if goes_on and validates and any(record["val_loss"] is None for record in self._result.history):
            remedy = "fit anew with warm_start=False, or leave validation at 0"
            raise ValueError(f"{type(self).__name__}: the epochs before had no validation: {remedy}")
        if goes_on and self._best is not None:
            best(self._best)
        return best

    def _network(self, outputs: int) -> Layer:
        name, model = type(self).__name__, self.model
        if model is None:
            model = models.two_layer_perceptron(self.hidden, outputs, layers.relu, w_init=glorot_uniform)
        elif not isinstance(model, Layer):
            if not callable(model) or "classes" not in inspect.signature(model).parameters:
                raise TypeError(f"{name}: model is {model!r}, expected a layer, or a constructor that takes classes=")
            model = model(classes=outputs)
        shape: Shape = model.output_shape(self.input_shape_)
        if shape != (outputs,):
            remedy = f"end it in layers.dense({outputs}), or give a constructor that takes classes="
            given = f"the model's output has shape {shape}, but y needs ({outputs},)"
            raise ValueError(f"{name}: {given}: {remedy}, such as models.lenet5")
        return model

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the model's outputs (n, outputs)."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=TAKEN, allow_nd=True)
        self._check_shape(x)
        return predict(self.model_, self.params_, x, transform=self._scale)
