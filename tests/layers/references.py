"""What every layer is to compute, written as plainly as Python allows: the definitions, entry by entry in float64.

Each takes `(params, x, **arguments of the constructor)` with x a whole batch. Nothing here is shared with the
library, neither code nor the way of computing.
"""

import math
from itertools import product

import numpy as np


def of_each_entry(formula):
    """Return the reference of the elementwise layer y = formula(x), for a formula of one Python float."""

    def reference(params, x, **arguments):
        entries = [formula(float(entry), **arguments) for entry in np.nditer(x, order="C")] if x.size else []
        return np.array(entries).reshape(x.shape)

    return reference


def sigmoid(x):
    return 1.0 / (1.0 + math.exp(-x)) if x > 0.0 else math.exp(x) / (1.0 + math.exp(x))


def sigmoid_derivative(x):
    """s(x) (1 - s(x)) (the report's eq. 6), with s(-x) for 1 - s(x), which loses no digits."""
    return sigmoid(x) * sigmoid(-x)


def silu(x):
    return x * sigmoid(x)


def silu_derivative(x):
    """s(x) + x s(x) (1 - s(x)) (the report's eq. 8)."""
    return sigmoid(x) + x * sigmoid_derivative(x)


def tanh(x):
    return math.tanh(x)


def scaled_tanh(x):
    return 1.7159 * math.tanh(2.0 * x / 3.0)


def relu(x):
    return x if x > 0.0 else 0.0


def leaky_relu(x, slope):
    return x if x > 0.0 else slope * x


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def asinh_unit(x):
    return math.asinh(x) / 5.0 + 0.5


def gelu(x):
    return 0.5 * x * (1.0 + math.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def layer_norm(params, x, epsilon=1e-5):
    return group_norm(params, x[..., np.newaxis, :].reshape(-1, x.shape[-1]), 1, epsilon).reshape(x.shape)


def group_norm(params, x, groups, epsilon=1e-5):
    """Each example and group by itself: a list of its entries, their mean and their variance."""
    w, b, k = params["w"].tolist(), params["b"].tolist(), x.shape[-1] // groups
    y = np.empty(x.shape)
    for i in range(len(x)):
        for g in range(groups):
            places = [(i, *at) for at in np.ndindex(x.shape[1:]) if at[-1] // k == g]
            entries = [float(x[at]) for at in places]
            mean = math.fsum(entries) / len(entries)
            variance = math.fsum((entry - mean) ** 2 for entry in entries) / len(entries)
            for at, entry in zip(places, entries, strict=True):
                y[at] = w[at[-1]] * (entry - mean) / math.sqrt(variance + epsilon) + b[at[-1]]
    return y


def batch_norm(params, x, epsilon=1e-5):
    """The inference form, under given statistics."""
    p = {name: entry.tolist() for name, entry in params.items()}
    y = np.empty(x.shape)
    for at in np.ndindex(x.shape):
        c = at[-1]
        y[at] = p["w"][c] * (float(x[at]) - p["mean"][c]) / math.sqrt(p["var"][c] + epsilon) + p["b"][c]
    return y


def dropout(params, x, drop_rate):
    return x


def reshape(params, x, shape):
    return np.array([[image[at] for at in np.ndindex(image.shape)] for image in x]).reshape(len(x), *shape)


def global_avg_pool(params, x):
    return np.array(
        [[math.fsum(image[..., c].ravel().tolist()) / image[..., c].size for c in range(x.shape[3])] for image in x]
    )


def dense(params, x, units):
    x, w, b = x.tolist(), params["w"].tolist(), params["b"].tolist()
    return np.array([[b[j] + sum(row[i] * w[i][j] for i in range(len(row))) for j in range(units)] for row in x])


def embedding(params, x, entries, features):
    rows = params["w"].tolist()
    return np.array([rows[int(number)] for number in x.ravel()]).reshape(*x.shape, features)


def flatten(params, x):
    return np.array([[image[at] for at in np.ndindex(image.shape)] for image in x])


def zero_pad(params, x, padding):
    (top, bottom), (left, right) = _margins(padding)
    n, h, w, c = x.shape
    y = [[[[0.0] * c for _ in range(left + w + right)] for _ in range(top + h + bottom)] for _ in range(n)]
    for i, row, column, channel in np.ndindex(x.shape):
        y[i][top + row][left + column][channel] = float(x[i, row, column, channel])
    return np.array(y)


def conv2d(params, x, filters, kernel, stride=1, padding=0, groups=1, dilation=1):
    """y[n, i, j, o] = b[o] + sum over u, v, c of x[n, i sh + u dh - top, j sw + v dw - left, first + c] w[u, v, c, o].

    `first` is the first channel of the group that filter o is in.
    """
    x, w, b = zero_pad({}, x, padding).tolist(), params["w"].tolist(), params["b"].tolist()
    (kh, kw), (sh, sw), (dh, dw), channels = _pair(kernel), _pair(stride), _pair(dilation), range(len(w[0][0]))
    rows = range((len(x[0]) - (kh - 1) * dh - 1) // sh + 1)
    columns = range((len(x[0][0]) - (kw - 1) * dw - 1) // sw + 1)

    def entry(image, i, j, o):
        first = o // (filters // groups) * len(channels)
        window = product(range(kh), range(kw), channels)
        return b[o] + sum(image[i * sh + u * dh][j * sw + v * dw][first + c] * w[u][v][c][o] for u, v, c in window)

    return np.array([[[[entry(image, i, j, o) for o in range(filters)] for j in columns] for i in rows] for image in x])


def conv2d_transpose(params, x, filters, kernel, stride=1, padding=0):
    """Every pixel adds its channels' kernels, times its values, to the output from (i sh - top, j sw - left) on."""
    w, b = params["w"].tolist(), params["b"].tolist()
    (kh, kw), (sh, sw), ((top, bottom), (left, right)) = _pair(kernel), _pair(stride), _margins(padding)
    _, height, width, channels = x.shape
    shape = ((height - 1) * sh + kh - top - bottom, (width - 1) * sw + kw - left - right, filters)
    y = np.empty((len(x), *shape))
    y[...] = b
    for n, i, j, u, v in np.ndindex(len(x), height, width, kh, kw):
        row, column = i * sh + u - top, j * sw + v - left
        if 0 <= row < shape[0] and 0 <= column < shape[1]:
            for c, o in product(range(channels), range(filters)):
                y[n, row, column, o] += float(x[n, i, j, c]) * w[u][v][c][o]
    return y


def max_pool(params, x, window, stride=None):
    return _pool(x, window, stride, max)


def avg_pool(params, x, window, stride=None):
    return _pool(x, window, stride, lambda entries: math.fsum(entries) / len(entries))


def _pool(x, window, stride, summary):
    (kh, kw), (sh, sw) = _pair(window), _pair(window if stride is None else stride)
    _, h, w, channels = x.shape
    rows, columns = range((h - kh) // sh + 1), range((w - kw) // sw + 1)

    def entry(image, i, j, c):
        return summary([float(image[i * sh + u, j * sw + v, c]) for u in range(kh) for v in range(kw)])

    return np.array(
        [[[[entry(image, i, j, c) for c in range(channels)] for j in columns] for i in rows] for image in x]
    )


def upsample(params, x, factor):
    (fh, fw), (_, h, w, _) = _pair(factor), x.shape
    return np.array([[[image[i // fh, j // fw].tolist() for j in range(w * fw)] for i in range(h * fh)] for image in x])


def _pair(value):
    return (value, value) if isinstance(value, int) else value


def _margins(padding):
    return ((padding, padding), (padding, padding)) if isinstance(padding, int) else padding
