"""What must come back from a file: a row for every public constructor, and what else `fnn.save` takes."""

import math
import struct
from functools import cache, partial
from typing import Any, NamedTuple

import numpy as np

import functional_nn as fnn
from functional_nn import data, initializers, layers, losses, models, optim
from functional_nn.value import Value, is_constant, is_constructor

PUBLIC = {"": fnn.compose, "data.": data, "layers.": layers, "losses.": losses, "models.": models, "optim.": optim}
RNG = np.random.default_rng(0)


def public(fits: Any) -> dict[str, Any]:
    """Return what the library exports and `fits`, by its name in `fnn`."""
    found = {f"{prefix}{name}": getattr(module, name) for prefix, module in PUBLIC.items() for name in module.__all__}
    return {name: thing for name, thing in found.items() if fits(thing)}


CONSTANTS = public(is_constant)
CONSTRUCTORS = public(is_constructor)

DENSE = layers.dense(3, w_init=initializers.he_normal, b_init=initializers.standard_normal)
BODY = fnn.serial(d=DENSE, a=layers.tanh, n=layers.layer_norm())
FIXED = {"d": DENSE.init(RNG, (2,)), "n": {"w": np.asfortranarray(np.full(3, -0.0, np.float32))}}

ROWS: dict[str, tuple[Value, ...]] = {
    "serial": (BODY, fnn.serial()),
    "residual": (fnn.residual(BODY), fnn.residual(BODY, shortcut=DENSE)),
    "branch": (fnn.branch(b=DENSE, a=BODY),),
    "bind": (fnn.bind(BODY, FIXED), fnn.bind(models.lenet5(3), {})),
    "tie": (fnn.tie(fnn.serial(a=layers.dense(3), b=layers.dense(3)), {"b.w": "a.w.T"}),),
    "data.chain": (data.chain(data.random_flip(), data.random_shift(2)), data.chain()),
    "data.random_affine": (data.random_affine(0), data.random_affine(10.5, scale=0.1, pixels=2)),
    "data.random_flip": (data.random_flip(),),
    "data.random_shift": (data.random_shift(0), data.random_shift(4)),
    "data.standardize_by": (data.standardize_by((0.1, 1e-300, -3.0), (1 / 3, 2.0, 0.0)),),
    "layers.avg_pool": (layers.avg_pool(2), layers.avg_pool((3, 2), stride=(1, 2))),
    "layers.batch_norm": (layers.batch_norm(), layers.batch_norm(epsilon=0.1)),
    "layers.conv2d": (
        layers.conv2d(6, 5),
        layers.conv2d(4, (3, 2), stride=(2, 1), padding=((0, 1), (2, 0)), groups=2, dilation=(1, 2)),
    ),
    "layers.dense": (
        DENSE,
        layers.dense(2, w_init=partial(initializers.glorot_uniform)),
    ),
    "layers.dropout": (layers.dropout(0.1),),
    "layers.embedding": (layers.embedding(7, 3),),
    "layers.flatten": (layers.flatten(),),
    "layers.global_avg_pool": (layers.global_avg_pool(),),
    "layers.group_norm": (layers.group_norm(2, epsilon=0.5),),
    "layers.layer_norm": (layers.layer_norm(),),
    "layers.leaky_relu": (layers.leaky_relu(-0.0), layers.leaky_relu(0.01)),
    "layers.max_pool": (layers.max_pool(2), layers.max_pool((3, 2), stride=1)),
    "layers.reshape": (layers.reshape((4, 2)), layers.reshape(())),
    "layers.conv2d_transpose": (layers.conv2d_transpose(2, (3, 2), stride=2), layers.conv2d_transpose(1, 3, padding=1)),
    "layers.upsample": (layers.upsample(2), layers.upsample((2, 3))),
    "layers.zero_pad": (layers.zero_pad(1), layers.zero_pad(((0, 1), (2, 3)))),
    "losses.cross_entropy": (losses.cross_entropy(), losses.cross_entropy(0.1, (1.0, 1 / 3))),
    "losses.hinge": (losses.hinge(0.7),),
    "losses.huber": (losses.huber(),),
    "losses.weighted": (losses.weighted(losses.huber(2.0)),),
    "models.improved_lenet5": (models.improved_lenet5(), models.improved_lenet5(3, activation=layers.leaky_relu(0.1))),
    "models.lenet5": (models.lenet5(), models.lenet5(3, activation=layers.relu, w_init=initializers.lecun_normal)),
    "models.lenet5_1998": (models.lenet5_1998(),),
    "models.penalty_loss": (models.penalty_loss(0.3),),
    "models.small_resnet": (models.small_resnet(classes=3, width=8),),
    "models.two_layer_perceptron": (models.two_layer_perceptron(5, 2, layers.tanh),),
    "optim.accumulate": (optim.accumulate(optim.adam(1e-3), 3),),
    "optim.adagrad": (optim.adagrad(0.1, weight_decay=1e-4),),
    "optim.adam": (optim.adam(1e-3), optim.adam(optim.cosine(0.1, 9), b1=0.8, b2=0.9, eps=1e-7, weight_decay=0.01)),
    "optim.add_decayed_weights": (optim.add_decayed_weights(0.1),),
    "optim.chain": (optim.chain(optim.trace(0.5), optim.scale_by_learning_rate(0.1)), optim.chain()),
    "optim.clip_by_global_norm": (optim.clip_by_global_norm(1.0),),
    "optim.cosine": (optim.cosine(0.1, 9, warmup=2, final=1e-5),),
    "optim.exponential": (optim.exponential(0.1, 0.5, every=3),),
    "optim.masked": (optim.masked(optim.trace(0.5), ("w*", "b")),),
    "optim.one_cycle": (optim.one_cycle(0.1, 9),),
    "optim.parameter_average": (optim.parameter_average(0.9),),
    "optim.piecewise": (optim.piecewise((0.1, 0.2, 0.3), (3, 5)), optim.piecewise((0.1,), ())),
    "optim.rmsprop": (optim.rmsprop(optim.step_decay(0.1, 4), momentum=0.9),),
    "optim.scale_by_adagrad": (optim.scale_by_adagrad(),),
    "optim.scale_by_adam": (optim.scale_by_adam(),),
    "optim.scale_by_learning_rate": (optim.scale_by_learning_rate(optim.exponential(0.1, 0.5)),),
    "optim.scale_by_rms": (optim.scale_by_rms(),),
    "optim.sgd": (optim.sgd(0.1), optim.sgd(0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)),
    "optim.step_decay": (optim.step_decay(0.1, 4),),
    "optim.trace": (optim.trace(0.5, nesterov=True),),
}


class Pair(NamedTuple):
    """A user's own state of an optimizer."""

    left: Any
    right: Any


NAN_PAYLOAD = np.array([0x7FC00001, 0xFFC12345, 0x7F800001, 0x80000000], np.uint32).view(np.float32)
TREES = {
    "nothing": None,
    "numbers": [True, 0, -(10**30), 1.5, -0.0, 5e-324, float("nan"), float("inf"), float("-inf")],
    "strings": ["", "é😀", "\ud800 alone", 'quoted "', "a\0b"],
    "nodes": {"list": [1, [2, []]], "tuple": (1, (), (2,)), "dict": {}, "none": (None, [None])},
    "keys": {"z": 1, "a.b": {"c": 2}, "a": {"b.c": 3}, "": 4, "../x": 5, "é/": 6},
    "other keys": [{1: "int", -2: "minus"}, {(1, "a"): "tuple"}, {1.5: "float"}, {True: "bool", None: "none"}],
    "scalars": [np.float32(0.1), np.float64(-0.0), np.int8(-3), np.uint64(2**64 - 1), np.bool_(True), np.float16(2)],
    "nan scalar": NAN_PAYLOAD[1],
    "nan numbers": [-math.nan, struct.unpack("d", struct.pack("Q", 0x7FF8000000000BAD))[0], math.nan],
    "dtypes": {
        dtype: np.arange(-3, 3).astype(dtype)
        for dtype in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8")
    },
    "payloads": [NAN_PAYLOAD, np.array([-0.0, np.inf]), np.array([0x7FF8000000000BAD], np.uint64).view(np.float64)],
    "no axes": [np.array(3.0), np.array(True), np.float32([[[7]]])[0, 0, 0:1].reshape(())],
    "empty": [np.zeros(0), np.zeros((3, 0, 2), np.int8), np.zeros((0,), np.complex64)],
    "orders": [
        np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.arange(10)[::-3],
        np.broadcast_to(np.float32(2.0), (3, 2)),
        np.lib.stride_tricks.sliding_window_view(np.arange(5.0), 3),
    ],
    "same names": {
        "a": {"b": np.zeros(1)},
        "a.b": np.ones(2),
        "a b": np.ones(3),
        "a_b": np.ones(4),
        "value": np.ones(5),
    },
    "an array alone": np.arange(3),
    "values in a tree": {"model": BODY, "more": [losses.huber(), optim.sgd(0.1)]},
    "functions": [getattr(initializers, name) for name in initializers.__all__],
    "partial": partial(initializers.zeros, 1, shape=(2, np.float32(3.0))),
}


@cache
def states() -> dict[str, Any]:
    """Return the state of every optimizer of the table after two steps."""
    params = {"w": RNG.standard_normal((3, 2)).astype(np.float32), "b": np.zeros(2, np.float32)}
    found = {}
    for name, values in ROWS.items():
        for i, transform in enumerate(values):
            if isinstance(transform, optim.Transform):
                state, p = transform.init(params), params
                for _ in range(2):
                    grads = fnn.tree.map(lambda leaf: RNG.standard_normal(leaf.shape).astype(leaf.dtype), p)
                    updates, state = transform.update(grads, state, p)
                    p = optim.apply_updates(p, updates)
                found[f"{name} {i}"] = state
    return found


@cache
def result() -> fnn.FitResult:
    x = RNG.standard_normal((12, 4)).astype(np.float32)
    model = models.two_layer_perceptron(3, 2)
    options = {"loss": losses.softmax_cross_entropy, "optimizer": optim.adam(optim.cosine(0.1, 9))}
    train = (x, (x[:, 0] > 0).astype(np.int64))
    params = model.init(np.random.default_rng(0), (4,))
    return fnn.fit(model, params, train, epochs=2, batch_size=5, seed=0, validation=train, progress=False, **options)


@cache
def trained() -> dict[str, fnn.Trained]:
    classified = models.two_layer_perceptron(3, 2)
    images, frozen = models.lenet5(3, activation=layers.relu), layers.batch_norm()
    params = images.init(RNG, (32, 32, 3))
    fixed = fnn.serial(n=fnn.bind(frozen, {"mean": np.ones(2), "var": np.ones(2)}))
    return {
        "vectors": fnn.Trained(classified, result().params, (4,)),
        "images": fnn.Trained(
            images,
            params,
            (32, 32, 3),
            transform=data.chain(data.random_shift(2), data.standardize_by((1, 2, 3), (4, 5, 6))),
            classes=("cat", "dög", "fish"),
            loss=losses.cross_entropy(0.1),
            about={"accuracy": 0.5, "history": [1, 2], "confusion": np.eye(3, dtype=np.int64)},
        ),
        "integers": fnn.Trained(
            fnn.serial(e=layers.embedding(4, 2)), {"e": {"w": np.ones((4, 2))}}, (3,), about={"none": None}
        ),
        "bound": fnn.Trained(fixed, {"n": {"w": np.ones(2), "b": np.zeros(2)}}, (2,)),
    }
