"""The wrong derivatives of the report and of the code behind it, each with its right form, as naive layers.

Written with loops, entry by entry, after the report's equations and the description of each defect; nothing here is
shared with the library, nor with experiments/autopsy/defects, of whose fast forms they are the oracle.
`DEFECTS` maps a name to `(wrong layer or loss, right one, arguments of the check)`.
"""

from itertools import product

import numpy as np

from functional_nn import Layer
from functional_nn.loss import Loss
from tests.testing.toys import elementwise, with_pullback


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x):
    exps = np.exp(x - x.max(axis=-1, keepdims=True))
    return exps / exps.sum(axis=-1, keepdims=True)


def softmax_pullback(x, dy):
    p = softmax(x)
    return p * (dy - (p * dy).sum(axis=-1, keepdims=True))


def correlate(x, w, b):
    """y[n, i, j, o] = b[o] + sum x[n, i + u, j + v, c] w[u, v, c, o]."""
    n, height, width, _ = x.shape
    kh, kw, _, filters = w.shape
    y = np.empty((n, height - kh + 1, width - kw + 1, filters))
    for i, j, o in product(*map(range, y.shape[1:])):
        y[:, i, j, o] = b[o] + (x[:, i : i + kh, j : j + kw, :] * w[..., o]).sum(axis=(1, 2, 3))
    return y


def weight_gradient(x, w, dy):
    dw = np.zeros_like(w)
    for i, j, o in product(*map(range, dy.shape[1:])):
        patches = x[:, i : i + w.shape[0], j : j + w.shape[1], :]
        dw[..., o] += (patches * dy[:, i, j, o][:, None, None, None]).sum(axis=0)
    return dw


def full_correlation(dy, w, x_shape, pad):
    """Correlate dy, padded by `pad` on every side, with the kernel `w` (kh, kw, c_in, c_out) as it stands."""
    padded = np.pad(dy, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    dx = np.zeros(x_shape)
    for i, j, c in product(*map(range, x_shape[1:])):
        window = padded[:, i : i + w.shape[0], j : j + w.shape[1], :]
        dx[:, i, j, c] = (window * w[:, :, c, :]).sum(axis=(1, 2, 3))
    return dx


def convolution(gradients):
    """The layer `correlate`; `gradients(x, w, dy)` returns what its pullback gives as (dw, db, dx)."""

    def vjp(params, x, *, key=None, wrt_x=True):
        def pullback(dy):
            dw, db, dx = gradients(x, params["w"], dy)
            return {"w": dw, "b": db}, dx if wrt_x else None

        return correlate(x, params["w"], params["b"]), pullback

    return Layer(
        "conv",
        apply=lambda params, x: correlate(x, params["w"], params["b"]),
        vjp=vjp,
        output_shape=lambda shape: (shape[0] - 2, shape[1] - 2, 4),
        parameters=("w", "b"),
    )


def right_convolution(x, w, dy):
    dx = full_correlation(dy, w[::-1, ::-1], x.shape, w.shape[0] - 1)
    return weight_gradient(x, w, dy), dy.sum(axis=(0, 1, 2)), dx


def convolution_without_weight_gradients(x, w, dy):
    _, db, dx = right_convolution(x, w, dy)
    return np.zeros_like(w), np.zeros_like(db), dx


def convolution_rotated_over_channels(x, w, dy):
    dw, db, _ = right_convolution(x, w, dy)
    return dw, db, full_correlation(dy, w[:, :, ::-1, ::-1], x.shape, w.shape[0])


def windows(x):
    """Non-overlapping 2x2 windows: (n, i, j, channels, 4)."""
    n, height, width, channels = x.shape
    cells = x.reshape(n, height // 2, 2, width // 2, 2, channels)
    return cells.transpose(0, 1, 3, 5, 2, 4).reshape(n, height // 2, width // 2, channels, 4)


def pool_pullback(*, of_the_whole_batch):
    def pull(x, dy):
        dx = np.zeros_like(x)
        places = windows(x).argmax(axis=-1)
        for image, i, j, c in product(*map(range, dy.shape)):
            marking = range(len(x)) if of_the_whole_batch else (image,)
            for place in {int(places[other, i, j, c]) for other in marking}:
                dx[image, 2 * i + place // 2, 2 * j + place % 2, c] = dy[image, i, j, c]
        return dx

    return pull


def max_pool(*, of_the_whole_batch):
    return with_pullback(
        lambda x: windows(x).max(axis=-1),
        pool_pullback(of_the_whole_batch=of_the_whole_batch),
        "pool",
        lambda shape: (shape[0] // 2, shape[1] // 2, shape[2]),
    )


def perceptron(hidden_cotangent):
    """y = sigmoid(x w1) w2; `hidden_cotangent(a1, w2, dw2, dy)` returns that of the hidden layer's sum."""

    def apply(params, x):
        return sigmoid(x @ params["w1"]) @ params["w2"]

    def vjp(params, x, *, key=None, wrt_x=True):
        a1 = sigmoid(x @ params["w1"])

        def pullback(dy):
            dw2 = a1.T @ dy
            ds = hidden_cotangent(a1, params["w2"], dw2, dy)
            return {"w1": x.T @ ds, "w2": dw2}, ds @ params["w1"].T if wrt_x else None

        return a1 @ params["w2"], pullback

    return Layer("perceptron", apply=apply, vjp=vjp, output_shape=lambda shape: (3,), parameters=("w1", "w2"))


def cross_entropy(probabilities, doutputs):
    """The loss -mean log of the label's probability; `doutputs(outputs, one_hot)` is the gradient of its sum."""

    def value(outputs, targets):
        return -float(np.log(probabilities(outputs)[np.arange(len(outputs)), targets]).mean())

    def vjp(outputs, targets):
        one_hot = np.eye(outputs.shape[1])[targets]
        return value(outputs, targets), lambda dvalue: dvalue * doutputs(outputs, one_hot) / len(outputs)

    return Loss("cross_entropy", apply=value, vjp=vjp)


def double_softmax(x):
    return softmax(softmax(x))


def normal(*shape):
    return np.random.default_rng(7).standard_normal(shape)


images, vectors = normal(5, 6, 6, 3), normal(4, 5)
kernel = {"w": normal(3, 3, 3, 4), "b": normal(4)}
matrices = {"w1": normal(5, 6), "w2": normal(6, 3)}
right_sigmoid = elementwise(sigmoid, lambda x: sigmoid(x) * (1.0 - sigmoid(x)))
right_perceptron = perceptron(lambda a1, w2, dw2, dy: dy @ w2.T * a1 * (1.0 - a1))


def silu(slope):
    return elementwise(lambda x: x * sigmoid(x), lambda x: slope(sigmoid(x), x * sigmoid(x)), "silu")


DEFECTS = {
    "1 and eq. 5: sigmoid's derivative taken at its input": (
        elementwise(sigmoid, lambda x: x * (1.0 - x)),
        right_sigmoid,
        ({}, vectors),
    ),
    "2: weight gradients dropped": (
        convolution(convolution_without_weight_gradients),
        convolution(right_convolution),
        (kernel, images),
    ),
    "3: kernel rotated over its channels, padded by k": (
        convolution(convolution_rotated_over_channels),
        convolution(right_convolution),
        (kernel, images),
    ),
    "4: softmax twice, p2 - y passed on": (
        cross_entropy(double_softmax, lambda z, one_hot: double_softmax(z) - one_hot),
        cross_entropy(softmax, lambda z, one_hot: softmax(z) - one_hot),
        (vectors, np.array([0, 4, 2, 2])),
    ),
    "7: softmax with the sigmoid's derivative": (
        with_pullback(softmax, lambda x, dy: dy * softmax(x) * (1.0 - softmax(x)), "softmax"),
        with_pullback(softmax, softmax_pullback, "softmax"),
        ({}, vectors),
    ),
    "8: max pooling's mask of the whole batch": (
        max_pool(of_the_whole_batch=True),
        max_pool(of_the_whole_batch=False),
        ({}, images),
    ),
    "eq. 4: dw2 where w2 belongs": (
        perceptron(lambda a1, w2, dw2, dy: dy @ dw2.T * a1 * (1.0 - a1)),
        right_perceptron,
        (matrices, vectors),
    ),
    "eq. 9: SiLU's simplified derivative": (
        silu(lambda s, f: s * f * s),
        silu(lambda s, f: f + s * (1.0 - f)),
        ({}, vectors),
    ),
    "eq. 9, with x s(x) for s(x)": (
        silu(lambda s, f: f**3),
        silu(lambda s, f: s + f * (1.0 - s)),
        ({}, vectors),
    ),
}
