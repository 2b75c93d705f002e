"""What a training step copies and how much it holds: counted from strides and allocations, not from time."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, models

SHAPE = (32, 32, 3)


def batch(n):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, *SHAPE)).astype(np.float32), rng.integers(0, 10, n)


def transposed_bytes(array):
    """What bringing images into a convolution's own order, (h, c, w, n), would copy."""
    return 0 if array.transpose(1, 3, 2, 0).flags.c_contiguous else array.nbytes


def noting(name, layer, notes):
    """The layer, which notes what it would have to transpose of its input, and of its output's cotangent."""

    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = layer.vjp(params, x, key=key, wrt_x=wrt_x)
        notes[f"{name} forward"] = transposed_bytes(x) if x.ndim == 4 else 0

        def noting_pullback(dy):
            notes[f"{name} backward"] = transposed_bytes(dy) if dy.ndim == 4 else 0
            return pullback(dy)

        return y, noting_pullback

    return layer.replace(vjp=vjp)


def stack():
    """Every kind of layer that stands between convolutions, all strides and paddings among them."""
    return fnn.serial(
        c1=layers.conv2d(4, 3, stride=2, padding=1), a1=layers.silu, s2=layers.max_pool(3, stride=2),
        p2=layers.zero_pad(1), c3=layers.conv2d(6, 3), a3=layers.sigmoid, s4=layers.avg_pool(2),
        c5=layers.conv2d(5, 1), a5=layers.relu, flat=layers.flatten(), out=layers.dense(10),
    )  # fmt: skip


@pytest.mark.parametrize("model", [models.lenet5(), models.improved_lenet5(10), stack()], ids=lambda model: model.name)
def test_a_training_step_transposes_the_images_and_nothing_between_layers(model):
    x, labels = batch(4)
    notes: dict[str, int] = {}
    noted = fnn.serial(**{name: noting(name, part, notes) for name, part in model.parts})
    params = model.init(np.random.default_rng(0), SHAPE)
    fnn.value_and_grad(noted, losses.softmax_cross_entropy)(params, x, labels)
    assert {name: copied for name, copied in notes.items() if copied} == {"c1 forward": x.nbytes}
    assert {f"{name} forward" for name, _ in model.parts} <= notes.keys()


def test_a_layer_that_returns_another_order_is_caught():
    careless = layers.sigmoid.replace(vjp=lambda params, x, **kw: (np.ascontiguousarray(x), lambda dy: ({}, dy)))
    notes: dict[str, int] = {}
    model = fnn.serial(
        c1=layers.conv2d(4, 3), a1=careless, c3=noting("c3", layers.conv2d(2, 3), notes), flat=layers.flatten()
    )
    model.vjp(model.init(np.random.default_rng(0), SHAPE), batch(4)[0])
    assert notes == {"c3 forward": 4 * 30 * 30 * 4 * 4}


@pytest.mark.parametrize("workers", [1, 2])
def test_memory_of_a_step_grows_with_the_chunks_and_not_with_the_batch(workers):
    model = models.lenet5()
    params = model.init(np.random.default_rng(0), SHAPE)
    step = fnn.data_parallel(fnn.value_and_grad(model, losses.softmax_cross_entropy), workers)
    x, labels = batch(4096)
    step(params, x[:512], labels[:512])  # what is made once
    peaks = []
    for n in (512, 4096):
        tracemalloc.start()
        step(params, x[:n], labels[:n])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]
