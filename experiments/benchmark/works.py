"""What is measured: a network, a training step or inference, and a batch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

import functional_nn as fnn
from functional_nn import layers, models
from functional_nn.training import available_cores

CLASSES = 50
EPOCH = 25_000
WIDE_EPOCH = 512  # of the wide network, whose step takes fifty times LeNet-5's
SHIFT = 2
RATE = 1e-6  # so small that thousands of steps on one batch lead to no denormal gradients, which are slow
LAYERS = {  # each on (16, 16, 32), after a convolution and alone
    "group_norm": layers.group_norm(8),
    "layer_norm": layers.layer_norm(),
    "batch_norm": layers.batch_norm(),
    "dropout": layers.dropout(0.5),
}
ALONE = tuple(f"{name} alone" for name in LAYERS)
SHAPES = {
    **dict.fromkeys(("lenet5", "improved", "wide"), (32, 32, 3)),
    "perceptron": (408,),
    **dict.fromkeys(LAYERS, (16, 16, 3)),
    **dict.fromkeys(ALONE, (16, 16, 32)),
}


@dataclass(frozen=True)
class Work:
    """A network, what is done with it, and the batch.

    `mode` is "train" (a step: forward, loss, backward, SGD with momentum), "adam" (a step with Adam), "infer", "epoch"
    (EPOCH examples in one call) or "fit" (an epoch of a training run; images are uint8, and each batch of them is
    standardized and shifted by up to SHIFT).
    """

    network: str
    mode: str
    batch: int

    def draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Return inputs, a batch or an epoch of them, float32 or, for "fit", uint8 images, and as many labels."""
        rng = np.random.default_rng(0)
        n = self.batch
        if self.mode in ("epoch", "fit"):
            n = WIDE_EPOCH if self.network == "wide" else EPOCH
        shape = (n, *SHAPES[self.network])
        if self.augments:
            return rng.integers(0, 256, shape, np.uint8), rng.integers(0, CLASSES, n)
        return rng.standard_normal(shape).astype(np.float32), rng.integers(0, CLASSES, n)

    @property
    def augments(self) -> bool:
        """Whether each batch is standardized and shifted."""
        return self.mode == "fit" and len(SHAPES[self.network]) == 3


def wide_network() -> fnn.Layer:
    """Return conv 3x3 3-64-64-pool-128-128-pool-dense, padded to keep the size, with ReLU."""
    conv = partial(layers.conv2d, kernel=3, padding=1)
    return fnn.serial(
        c1=conv(64), a1=layers.relu, c2=conv(64), a2=layers.relu, p2=layers.max_pool(2),
        c3=conv(128), a3=layers.relu, c4=conv(128), a4=layers.relu, p4=layers.max_pool(2),
        flat=layers.flatten(), output=layers.dense(CLASSES),
    )  # fmt: skip


def after_convolution(layer: fnn.Layer) -> fnn.Layer:
    """Return a convolution 3x3 of 32 channels, the layer, each image's mean and a dense layer."""
    return fnn.serial(conv=layers.conv2d(32, 3, padding=1), **dict(alone(layer).parts))


def alone(layer: fnn.Layer) -> fnn.Layer:
    """Return the layer, each image's mean and a dense layer: a first layer need not return its input's gradient."""
    return fnn.serial(layer=layer, mean=layers.global_avg_pool(), output=layers.dense(CLASSES))


NETWORKS = {
    "lenet5": partial(models.lenet5, CLASSES),
    "improved": partial(models.improved_lenet5, CLASSES),
    "perceptron": partial(models.two_layer_perceptron, 64, CLASSES),
    "wide": wide_network,
    **{name: partial(after_convolution, layer) for name, layer in LAYERS.items()},
    **{name: partial(alone, layer) for name, layer in zip(ALONE, LAYERS.values(), strict=True)},
}

# What is measured on several processes too, and the chunk there; None: the automatic one.
ON_PROCESSES: dict[Work, int | None] = {
    **{Work(network, "train", batch): chunk for network in ("lenet5", "improved")
       for batch, chunk in ((32, 16), (128, None), (256, None))},
    Work("perceptron", "train", 256): 128,
    **{Work(network, "fit", 128): None for network in ("lenet5", "improved")},
    Work("perceptron", "fit", 256): 128,
    Work("wide", "fit", 64): None,
}  # fmt: skip


def process_count() -> int:
    """Return the number of cores, lowered to a power of two."""
    return 1 << (available_cores().bit_length() - 1)
