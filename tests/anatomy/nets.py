"""Networks that pass through every combinator and every kind of layer, with inputs that fit."""

from __future__ import annotations

import numpy as np

import functional_nn as fnn
from functional_nn import layers, models


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


def twice(part: fnn.Layer) -> fnn.Layer:
    """A user's combinator, which applies its part two times and has no inference of its own."""

    def vjp(params, x, *, key=None, wrt_x=True):
        own = params.get("part", {})
        y, first = part.vjp(own, x, key=key)
        z, second = part.vjp(own, y, key=key)

        def pullback(dz):
            dsecond, dy = second(dz)
            dfirst, dx = first(dy)
            return {"part": fnn.tree.map(np.add, dfirst, dsecond)} if own else {}, dx

        return z, pullback

    return fnn.Layer(
        "twice",
        init=lambda rng, shape: {"part": part.init(rng, shape)},
        vjp=vjp,
        parts=(("part", part),),
        combine=lambda part: twice(part),
    )


FAN = fnn.branch(
    a=fnn.residual(layers.conv2d(3, 3, padding=1)),
    b=fnn.serial(c=layers.conv2d(2, 1), n=layers.batch_norm(), a=layers.relu),
)
IMAGES = fnn.serial(fan=FAN, drop=layers.dropout(0.25), flat=layers.flatten(), out=layers.dense(4))
PATHS = ["fan.a.body", "fan.b.c", "fan.b.n", "fan.b.a", "drop", "flat", "out"]
WORDS = fnn.serial(words=layers.embedding(7, 3), flat=layers.flatten(), out=layers.dense(4))

NETS = {
    "images": (IMAGES, normal(6, 5, 5, 3)),
    "words": (WORDS, np.arange(30).reshape(6, 5) % 7),
    "resnet": (models.small_resnet(4, width=8), normal(6, 8, 8, 3)),
    "lenet5": (models.lenet5(4), normal(6, 32, 32, 1)),
    "leaf": (layers.dense(4), normal(6, 3)),
    "repeated": (fnn.serial(pair=twice(layers.dense(3)), out=layers.dense(4)), normal(6, 3)),
}
LABELS = np.array([0, 1, 2, 3, 0, 1])


def ready(name: str) -> tuple[fnn.Layer, fnn.layer.Params, np.ndarray]:
    """Return the network of this name, its parameters and its input."""
    model, x = NETS[name]
    return model, model.init(np.random.default_rng(0), x.shape[1:]), x
