"""Every row of docs/conventions.md is held to what this library does, worked out by hand; PyTorch is not needed."""

import math

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, optim
from tests.oracles.conventions import MARGINS, ROWS, Claims, X, slope, steps

HERE = Claims()
GRADIENTS = [1.0, -2.0, 0.5]


def rng():
    return np.random.default_rng(1)


@HERE.claim("axes of images")
def images():
    assert layers.conv2d(4, 3).output_shape((5, 6, 3)) == (3, 4, 4)  # height, width, channels


@HERE.claim("axes of a kernel")
def kernels():
    layer, w = layers.conv2d(4, (2, 3)), rng().standard_normal((2, 3, 3, 4))
    assert layer.init(rng(), (5, 6, 3))["w"].shape == w.shape
    y = layer.apply({"w": w, "b": np.zeros(4)}, X)
    first = [(X[0, :2, :3] * w[..., o]).sum() for o in range(4)]  # not flipped
    np.testing.assert_allclose(y[0, 0, 0], first, rtol=1e-12)


@HERE.claim("transposed convolution")
def transposed():
    rng = np.random.default_rng(0)
    w, b = rng.standard_normal((2, 3, 3, 4)), rng.standard_normal(4)
    y = layers.conv2d_transpose(4, (2, 3), stride=2, padding=1).apply({"w": w, "b": b}, X)
    adjoint = layers.conv2d(3, (2, 3), stride=2, padding=1)
    _, pullback = adjoint.vjp({"w": w.transpose(0, 1, 3, 2), "b": np.zeros(3)}, np.zeros((2, *y.shape[1:])))
    np.testing.assert_allclose(y - b, pullback(X)[1], atol=1e-12)
    uneven = layers.conv2d_transpose(4, (2, 3), stride=2, padding=((1, 0), (0, 2))).apply({"w": w, "b": b}, X)
    whole = layers.conv2d_transpose(4, (2, 3), stride=2).apply({"w": w, "b": b}, X)
    np.testing.assert_allclose(uneven, whole[:, 1:, :-2], atol=1e-12)


@HERE.claim("dense weights")
def dense():
    layer, x, w, b = layers.dense(4), X[0, 0], rng().standard_normal((3, 4)), np.arange(4.0)
    assert layer.init(rng(), (3,))["w"].shape == w.shape
    by_hand = [[sum(x[n, i] * w[i, j] for i in range(3)) + b[j] for j in range(4)] for n in range(6)]
    np.testing.assert_allclose(layer.apply({"w": w, "b": b}, x), by_hand, rtol=1e-12)


@HERE.claim("order in `flatten`")
def flat():
    image = X[0]
    ordered = [image[row, column, channel] for row in range(5) for column in range(6) for channel in range(3)]
    assert layers.flatten().apply({}, X)[0].tolist() == ordered


@HERE.claim("padding")
def padding():
    for size, margins in ((2, ((2, 2), (2, 2))), (MARGINS, MARGINS)):
        padded = np.pad(X, ((0, 0), *margins, (0, 0)))
        np.testing.assert_array_equal(layers.zero_pad(size).apply({}, X), padded)
        params = {"w": rng().standard_normal((2, 2, 3, 1)), "b": np.zeros(1)}
        y = layers.conv2d(1, 2, padding=size).apply(params, X)
        np.testing.assert_allclose(y, layers.conv2d(1, 2).apply(params, padded), atol=1e-12)


@HERE.claim("windows that do not fit")
def windows():
    for pool in (layers.max_pool, layers.avg_pool):
        assert pool(2).output_shape((5, 6, 3)) == (2, 3, 3)
        np.testing.assert_array_equal(pool(2).apply({}, X), pool(2).apply({}, X[:, :4]))
        with pytest.raises(TypeError, match=rf"^{pool.__name__}: got an unexpected keyword argument 'padding'"):
            pool(2, padding=1)


@HERE.claim("an activation and a max pool after it")
def pool_first():
    x = np.array([1e6, 1e6 + 4e-10, 0.0, 0.0])  # rounding makes the first two outputs equal
    y = layers.asinh_unit.apply({}, x)
    assert y[0] == y[1]
    _, pullback = fnn.serial(a=layers.asinh_unit, p=layers.max_pool(2)).vjp({}, x.reshape(1, 2, 2, 1))
    dx = pullback(np.ones((1, 1, 1, 1)))[1].ravel()
    assert (dx != 0.0).tolist() == [False, True, False, False]


@HERE.claim("ties in a max pool")
def ties():
    _, pullback = layers.max_pool(2).vjp({}, np.array([[0.0, 1.0], [1.0, 1.0]]).reshape(1, 2, 2, 1))
    assert pullback(np.full((1, 1, 1, 1), 3.0))[1].reshape(2, 2).tolist() == [[0.0, 3.0], [0.0, 0.0]]


@HERE.claim("relu at 0")
def relu():
    assert slope(layers.relu, [0.0, -0.0]) == [0.0, 0.0]


@HERE.claim("leaky relu at 0")
def leaky_relu():
    assert slope(layers.leaky_relu(0.3), [0.0, -0.0]) == [0.3, 0.3]


@HERE.claim("softplus of large x")
def softplus():
    x = [19.0, 20.001, 25.0, 30.0]
    exact = [v + math.log1p(math.exp(-v)) for v in x]
    np.testing.assert_allclose(layers.softplus.apply({}, np.array(x)), exact, rtol=2e-16)


@HERE.claim("sigmoid of very negative x")
def sigmoid():
    x = np.array([-30.0, -38.0, -40.0, -100.0])
    y = layers.sigmoid.apply({}, x)
    np.testing.assert_allclose(y, [math.exp(v) for v in x], rtol=1e-13)
    assert layers.sigmoid.apply({}, np.array([-710.0])).tolist() == [0.0]  # exp(710) overflows


@HERE.claim("gelu")
def gelu():
    x = [0.5, -1.0, 2.0]
    form = [0.5 * v * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (v + 0.044715 * v**3))) for v in x]
    np.testing.assert_allclose(layers.gelu.apply({}, np.array(x)), form, rtol=1e-14)


@HERE.claim("batch norm in inference")
def inference_statistics():
    x, layer = rng().standard_normal((12, 2)) + 5.0, layers.batch_norm()
    params = fnn.statistics(layer, {"w": np.ones(2), "b": np.zeros(2)}, x, batch_size=4)
    np.testing.assert_allclose(params["mean"], x.mean(axis=0), rtol=1e-14)
    variances = [x[i : i + 4].var(axis=0, ddof=1) for i in (0, 4, 8)]
    np.testing.assert_allclose(params["var"], np.mean(variances, axis=0), rtol=1e-12)
    normalized = (x - params["mean"]) / np.sqrt(params["var"] + 1e-5)
    np.testing.assert_allclose(layer.apply(params, x), normalized, atol=1e-12)


@HERE.claim("batch norm of one example")
def one_example():
    params = {"w": np.ones(2), "b": np.zeros(2)}
    assert layers.batch_norm().vjp(params, np.array([[3.0, -7.0]]))[0].tolist() == [[0.0, 0.0]]


@HERE.claim("labels outside the classes")
def labels():
    for outside in (-100, -1, 3):
        with pytest.raises(ValueError, match=rf"label {outside} at index 1 is outside 0 \.\. 2$"):
            losses.softmax_cross_entropy.apply(np.zeros((2, 3)), np.array([0, outside]))


@HERE.claim("an empty batch")
def empty():
    params = {"w": np.ones((3, 3, 3, 4)), "b": np.ones(4)}
    assert layers.conv2d(4, 3).apply(params, X[:0]).shape == (0, 3, 4, 4)
    with pytest.raises(ValueError, match=r"outputs of shape \(0, 3\) are empty: the mean over no examples"):
        losses.softmax_cross_entropy.apply(np.zeros((0, 3)), np.zeros(0, np.int64))


@HERE.claim("rows of targets")
def rows():
    # p = 1/4 and 3/4; the rows sum to 5 and to -1
    logits, targets = np.log([[1.0, 3.0], [1.0, 3.0]]), np.array([[2.0, 3.0], [-1.0, 0.0]])
    by_hand = -(2.0 * math.log(0.25) + 3.0 * math.log(0.75) - math.log(0.25)) / 2
    assert losses.softmax_cross_entropy.apply(logits, targets) == pytest.approx(by_hand, rel=1e-14)


@HERE.claim("squared error")
def squared_error():
    y = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert losses.mean_squared_error.apply(y, np.zeros((2, 2))) == 7.5  # (1 + 4 + 9 + 16) / 4


@HERE.claim("weight decay")
def weight_decay():
    p, v, m, s = 1.0, 0.0, 0.0, 0.0
    for g in GRADIENTS:
        v = 0.9 * v + g
        p -= 0.1 * (v + 0.3 * p)
    sgd = optim.sgd(0.1, momentum=0.9, weight_decay=0.3)
    assert steps(sgd, GRADIENTS) == pytest.approx(p, rel=1e-14)
    p = 1.0
    for t, g in enumerate(GRADIENTS, start=1):
        m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g**2
        u = m / (1.0 - 0.9**t) / (math.sqrt(s / (1.0 - 0.999**t)) + 1e-8)
        p -= 0.1 * (u + 0.3 * p)
    assert steps(optim.adam(0.1, weight_decay=0.3), GRADIENTS) == pytest.approx(p, rel=1e-13)


@HERE.claim("momentum")
def momentum():
    sgd = optim.sgd(optim.step_decay(0.5, every=1, factor=0.1), momentum=0.9)
    assert steps(sgd, [1.0, 0.0], start=0.0) == pytest.approx(-0.5 - 0.05 * 0.9)  # the new rate on the old velocity


@HERE.claim("Adam's eps")
def adams_eps():
    # one step: m^ = g and v^ = g^2, so p falls by rate g / (|g| + eps)
    expected = 1.0 - 0.1 * 0.01 / (0.01 + 0.03)
    assert steps(optim.adam(0.1, eps=0.03), [0.01]) == pytest.approx(expected, abs=1e-14)


@HERE.claim("clipping by the global norm")
def clipping():
    clip, g = optim.clip_by_global_norm(1e-3), np.array([3e-3, 4e-3])
    updates, _ = clip.update({"p": g}, clip.init({"p": g}), {"p": g})
    np.testing.assert_allclose(updates["p"], [6e-4, 8e-4], rtol=1e-14)


@HERE.claim("the cosine schedule after its end")
def cosine():
    schedule = optim.cosine(1.0, steps=4, final=0.25)
    assert [schedule(step) for step in (4, 5, 8)] == [0.25, 0.25, 0.25]
    assert schedule(3) > 0.25


@HERE.claim("first weights")
def first_weights():
    params = layers.dense(300).init(rng(), (100,))
    limit = math.sqrt(6.0 / 400.0)
    assert 0.999 * limit < np.abs(params["w"]).max() <= limit * (1.0 + 1e-7)
    np.testing.assert_allclose(np.quantile(params["w"], [0.25, 0.75]), [-limit / 2, limit / 2], rtol=0.05)
    assert params["b"].tolist() == [0.0] * 300


def test_every_row_of_the_table_has_a_test_and_every_test_a_row():
    assert list(HERE) == ROWS


@pytest.mark.parametrize("row", HERE)
def test_the_row_holds_here(row):
    HERE[row]()
