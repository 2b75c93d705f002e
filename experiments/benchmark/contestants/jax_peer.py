"""JAX, the whole step under jit, on all cores."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from experiments.benchmark.works import NETWORKS, RATE, SHAPES, Work


def _conv(p, x, padding="VALID"):
    return lax.conv_general_dilated(x, p["w"], (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")) + p["b"]


def _dense(p, x):
    return x @ p["w"] + p["b"]


def _pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def _pad(x):
    return jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))


def _lenet5(p, x):
    s = jax.nn.sigmoid
    x = _pool(s(_conv(p["c3"], _pool(s(_conv(p["c1"], x))))))
    return _dense(p["f7"], s(_dense(p["f6"], s(_dense(p["f5"], x.reshape(len(x), -1))))))


def _improved(p, x):
    s = jax.nn.silu
    x = _pad(_pool(_pad(s(_conv(p["c3"], _pool(s(_conv(p["c1"], x))))))))
    x = s(_conv(p["c5"], x))
    return _dense(p["f8"], s(_dense(p["f7"], s(_dense(p["f6"], x.reshape(len(x), -1))))))


def _perceptron(p, x):
    return _dense(p["output"], jax.nn.sigmoid(_dense(p["hidden"], x)))


def _wide(p, x):
    r = jax.nn.relu
    x = _pool(r(_conv(p["c2"], r(_conv(p["c1"], x, "SAME")), "SAME")))
    x = _pool(r(_conv(p["c4"], r(_conv(p["c3"], x, "SAME")), "SAME")))
    return _dense(p["output"], x.reshape(len(x), -1))


FORWARD = {"lenet5": _lenet5, "improved": _improved, "perceptron": _perceptron, "wide": _wide}


def prepare(work: Work) -> Callable[[], None]:
    """Return the function that takes one step."""
    forward = FORWARD[work.network]
    params = NETWORKS[work.network]().init(np.random.default_rng(0), SHAPES[work.network])
    params = jax.tree.map(jnp.asarray, params)
    velocity = jax.tree.map(jnp.zeros_like, params)
    x, labels = map(jnp.asarray, work.draw())

    def loss(p):
        log_p = jax.nn.log_softmax(forward(p, x))
        return -log_p[jnp.arange(len(labels)), labels].mean()

    @jax.jit
    def train(p, v):
        v = jax.tree.map(lambda v, g: 0.9 * v + g, v, jax.grad(loss)(p))
        return jax.tree.map(lambda p, v: p - RATE * v, p, v), v

    infer = jax.jit(forward)

    def step() -> None:
        nonlocal params, velocity
        if work.mode == "train":
            params, velocity = jax.block_until_ready(train(params, velocity))
        else:
            jax.block_until_ready(infer(params, x))

    return step
