"""scikit-learn's MLPClassifier: `partial_fit` of a batch or of an epoch, with the perceptron's layers and batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier

from experiments.benchmark.works import CLASSES, RATE, Work


def prepare(work: Work) -> Callable[[], None]:
    """Return the function that takes one step."""
    x, labels = work.draw()
    model = MLPClassifier((64,), activation="logistic", solver="sgd", learning_rate_init=RATE, batch_size=work.batch)
    classes = np.arange(CLASSES)
    return lambda: model.partial_fit(x, labels, classes=classes)
