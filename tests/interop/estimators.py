"""Small data, settings that train quickly, a convolutional network, and comparisons of estimators."""

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

from sklearn.datasets import load_digits, make_blobs, make_regression

import functional_nn as fnn
from functional_nn import layers

X, Y = make_blobs(n_samples=90, centers=3, n_features=4, cluster_std=3.0, random_state=0)
RX, RY = make_regression(n_samples=90, n_features=4, noise=5.0, random_state=0)
QUICK = {"epochs": 6, "batch_size": 32}
IMAGES = load_digits().images.astype(np.uint8)[:300, :, :, np.newaxis]
LABELS = load_digits().target[:300]


def convolutional(classes, filters=6):
    return fnn.serial(
        c1=layers.conv2d(filters, 3),
        a1=layers.relu,
        s2=layers.max_pool(2),
        flat=layers.flatten(),
        d=layers.dense(classes),
    )


def params_of(estimator):
    return fnn.tree.leaves(estimator.params_)


def assert_same(a, b):
    for one, other in zip(params_of(a), params_of(b), strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
