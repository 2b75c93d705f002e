"""The report's networks: a two-layer perceptron, LeNet-5 and an improved LeNet-5. All return logits."""

from __future__ import annotations

from functional_nn import compose, layers
from functional_nn.arguments import count, initializer, optional
from functional_nn.initializers import glorot_uniform, he_normal
from functional_nn.layer import Init, Layer
from functional_nn.value import constructor

__all__ = ["improved_lenet5", "lenet5", "two_layer_perceptron"]

RECTIFIERS = (layers.relu, layers.silu)


@constructor(hidden=count, classes=count, w_init=optional(initializer))
def two_layer_perceptron(
    hidden: int = 64, classes: int = 50, activation: Layer = layers.sigmoid, w_init: Init | None = None
) -> Layer:
    """Return flatten -> hidden -> activation -> output, for vectors (n, d) or images (n, h, w, c).

    Parameters: hidden, output. `w_init` is He's for ReLU and SiLU, else Glorot's, where not given.

    >>> model = models.two_layer_perceptron(hidden=64, classes=10)
    >>> tree.size(model.init(np.random.default_rng(0), (8, 8, 1)))  # 64 * 64 + 64 + 64 * 10 + 10
    4810
    """
    w_init = w_init or _init_for(activation)
    parts = {
        "flat": layers.flatten(),
        "hidden": layers.dense(hidden, w_init=w_init),
        "a1": activation,
        "output": layers.dense(classes, w_init=w_init),
    }
    return compose.serial(**parts)


@constructor(classes=count, w_init=optional(initializer))
def lenet5(classes: int = 10, activation: Layer = layers.sigmoid, w_init: Init | None = None) -> Layer:
    """Return LeNet-5 for images (n, 32, 32, c), as the report draws it after LeCun et al. (1998).

    c1 5x5, 6 -> s2 max 2 -> c3 5x5, 16 -> s4 max 2 -> f5 120 -> f6 84 -> f7 classes; the activation stands after
    every convolution and dense layer but the last. Parameters: c1, c3, f5, f6, f7.

    >>> model = models.lenet5(classes=10, activation=layers.relu)
    >>> params = model.init(np.random.default_rng(0), (32, 32, 1))
    >>> tree.size(params), model.apply(params, np.zeros((5, 32, 32, 1), np.float32)).shape
    (61706, (5, 10))
    """
    w_init = w_init or _init_for(activation)
    parts = {
        "c1": layers.conv2d(6, 5, w_init=w_init),
        "a1": activation,
        "s2": layers.max_pool(2),
        "c3": layers.conv2d(16, 5, w_init=w_init),
        "a3": activation,
        "s4": layers.max_pool(2),
        "flat": layers.flatten(),
        "f5": layers.dense(120, w_init=w_init),
        "a5": activation,
        "f6": layers.dense(84, w_init=w_init),
        "a6": activation,
        "f7": layers.dense(classes, w_init=w_init),
    }
    return compose.serial(**parts)


@constructor(classes=count, w_init=optional(initializer))
def improved_lenet5(classes: int = 50, activation: Layer = layers.silu, w_init: Init | None = None) -> Layer:
    """Return the report's improved LeNet-5 for images (n, 32, 32, c) (its eq. 10).

    c1 3x3, 6 -> s2 max 2 -> c3 3x3, 16 -> pad -> s4 max 2 -> pad -> c5 3x3, 6 -> f6 120 -> f7 84 -> f8 classes;
    each pad adds one row below and one column to the right. Parameters: c1, c3, c5, f6, f7, f8.

    >>> model = models.improved_lenet5(classes=50)
    >>> tree.size(model.init(np.random.default_rng(0), (32, 32, 3)))
    42372
    """
    w_init = w_init or _init_for(activation)
    below_and_right = ((0, 1), (0, 1))
    parts = {
        "c1": layers.conv2d(6, 3, w_init=w_init),
        "a1": activation,
        "s2": layers.max_pool(2),
        "c3": layers.conv2d(16, 3, w_init=w_init),
        "a3": activation,
        "p3": layers.zero_pad(below_and_right),
        "s4": layers.max_pool(2),
        "p4": layers.zero_pad(below_and_right),
        "c5": layers.conv2d(6, 3, w_init=w_init),
        "a5": activation,
        "flat": layers.flatten(),
        "f6": layers.dense(120, w_init=w_init),
        "a6": activation,
        "f7": layers.dense(84, w_init=w_init),
        "a7": activation,
        "f8": layers.dense(classes, w_init=w_init),
    }
    return compose.serial(**parts)


def _init_for(activation: Layer) -> Init:
    return he_normal if activation in RECTIFIERS else glorot_uniform
