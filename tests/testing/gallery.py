"""Famous wrong backwards, written from their mathematics: `f`, `f_wrong(dy, ...)` and `f_right(dy, ...)` at a point.

`python -m tests.testing.gallery >> docs/check-a-gradient.md` writes the section of the page that shows them.
"""

import inspect

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from functional_nn.testing import GradientError, check_function

RNG = np.random.default_rng(0)


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_wrong(dy, z):
    """Softmax without its sum: the diagonal of the Jacobian alone."""
    p = softmax(z)
    return p * (1.0 - p) * dy


def softmax_right(dy, z):
    p = softmax(z)
    return p * (dy - (p * dy).sum(axis=1, keepdims=True))


def normalize(x, axis):
    centred = x - x.mean(axis=axis, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=axis, keepdims=True) + 1e-5)


def normalize_back(dy, x, axis):
    y, spread = normalize(x, axis), np.sqrt(x.var(axis=axis, keepdims=True) + 1e-5)
    return (dy - dy.mean(axis=axis, keepdims=True) - y * (dy * y).mean(axis=axis, keepdims=True)) / spread


def layer_norm(x):
    return normalize(x, axis=1)


def layer_norm_wrong(dy, x):
    """Layer norm backwards over the batch's axis."""
    return normalize_back(dy, x, axis=0)


def layer_norm_right(dy, x):
    return normalize_back(dy, x, axis=1)


def batch_norm(x):
    return normalize(x, axis=0)


def batch_norm_wrong(dy, x):
    """Batch norm whose mean and variance are taken for constants."""
    return dy / np.sqrt(x.var(axis=0) + 1e-5)


def batch_norm_right(dy, x):
    return normalize_back(dy, x, axis=0)


def dropout(x, kept):
    return x * kept / 0.5


def dropout_wrong(dy, x, kept):
    """Dropout without its mask."""
    return dy / 0.5, None


def dropout_right(dy, x, kept):
    return dy * kept / 0.5, None


def max_pool(x):
    return x.reshape(len(x), -1, 2).max(axis=2)


def max_pool_wrong(dy, x):
    """Max pool that gives the whole gradient to each of two tied entries."""
    won = x.reshape(len(x), -1, 2) == max_pool(x)[:, :, None]
    return (won * dy[:, :, None]).reshape(x.shape)


def max_pool_right(dy, x):
    first = np.arange(2) == x.reshape(len(x), -1, 2).argmax(axis=2)[:, :, None]
    return (first * dy[:, :, None]).reshape(x.shape)


def correlate(x, w):
    return sliding_window_view(x, len(w)) @ w


def correlate_wrong(dy, x, w):
    """Convolution whose kernel is not flipped on the way back."""
    padded = np.pad(dy, len(w) - 1)
    return correlate(padded, w), sliding_window_view(x, len(dy)) @ dy


def correlate_right(dy, x, w):
    padded = np.pad(dy, len(w) - 1)
    return correlate(padded, w[::-1]), sliding_window_view(x, len(dy)) @ dy


def same_correlate(x, w):
    return correlate(np.pad(x, (1, 2)), w)


def same_correlate_wrong(dy, x, w):
    """Convolution with uneven padding, cut off on the wrong side."""
    return correlate_right(dy, np.pad(x, (1, 2)), w)[0][2:-1], correlate_right(dy, np.pad(x, (1, 2)), w)[1]


def same_correlate_right(dy, x, w):
    dx, dw = correlate_right(dy, np.pad(x, (1, 2)), w)
    return dx[1:-2], dw


def embedding(w, rows):
    return w[rows]


def embedding_wrong(dy, w, rows):
    """Embedding whose repeated rows overwrite each other."""
    dw = np.zeros_like(w)
    dw[rows] += dy  # adds the last of equal rows alone
    return dw, None


def embedding_right(dy, w, rows):
    dw = np.zeros_like(w)
    np.add.at(dw, rows, dy)
    return dw, None


def bias(x, b):
    return x + b


def bias_wrong(dy, x, b):
    """Bias summed over the wrong axis, which has the same length."""
    return dy, dy.sum(axis=1)


def bias_right(dy, x, b):
    return dy, dy.sum(axis=0)


def tanh(x):
    return np.tanh(x)


def tanh_wrong(dy, x):
    """Slope of tanh from its input, not its output."""
    return (1.0 - x**2) * dy


def tanh_right(dy, x):
    return (1.0 - np.tanh(x) ** 2) * dy


def cross_entropy(z, labels):
    return -np.log(softmax(z))[np.arange(len(z)), labels].mean()


def cross_entropy_wrong(dy, z, labels):
    """Mean cross-entropy with the gradient of the sum."""
    return dy * (softmax(z) - np.eye(z.shape[1])[labels]), None


def cross_entropy_right(dy, z, labels):
    return dy * (softmax(z) - np.eye(z.shape[1])[labels]) / len(z), None


def product(x):
    return x.prod(axis=1)


def product_wrong(dy, x):
    """Product that divides by an entry, which may be 0."""
    with np.errstate(all="ignore"):
        return (dy * product(x))[:, None] / x


def product_right(dy, x):
    others = [np.delete(x, i, axis=1).prod(axis=1) for i in range(x.shape[1])]
    return dy[:, None] * np.stack(others, axis=1)


def attention(q, k):
    return softmax(q @ k.T / np.sqrt(q.shape[1]))


def attention_wrong(dy, q, k):
    """Attention that forgets its scale on the way back."""
    ds = softmax_right(dy, q @ k.T / np.sqrt(q.shape[1]))
    return ds @ k, ds.T @ q


def attention_right(dy, q, k):
    ds = softmax_right(dy, q @ k.T / np.sqrt(q.shape[1])) / np.sqrt(q.shape[1])
    return ds @ k, ds.T @ q


def residual(x):
    return x + np.tanh(x)


def residual_wrong(dy, x):
    """Residual block whose shortcut hands nothing back."""
    return tanh_right(dy, x)


def residual_right(dy, x):
    return dy + tanh_right(dy, x)


def relu(x):
    return np.maximum(x, 0.0)


def relu_wrong(dy, x):
    """Relu that masks by its cotangent too (guided backpropagation)."""
    return dy * (x > 0.0) * (dy > 0.0)


def relu_right(dy, x):
    return dy * (x > 0.0)


X = RNG.standard_normal((3, 4))
SEQUENCE, KERNEL = RNG.standard_normal(6), np.array([1.0, -2.0, 0.5, 3.0])
POINTS = {
    softmax: (X,),
    layer_norm: (X,),
    batch_norm: (X,),
    dropout: (X, RNG.integers(0, 2, X.shape)),
    max_pool: (np.array([[1.0, 1.0, 3.0, 2.0]]),),
    correlate: (SEQUENCE, KERNEL),
    same_correlate: (SEQUENCE, KERNEL),
    embedding: (X, np.array([0, 2, 2])),
    bias: (X[:, :3], X[0, :3]),
    tanh: (X,),
    cross_entropy: (X, np.array([1, 0, 3])),
    product: (np.array([[2.0, 0.0, 3.0]]),),
    attention: (X, RNG.standard_normal((5, 4))),
    residual: (X,),
    relu: (X,),
}


def check(f, suffix):
    """Check `f_wrong` or `f_right` as the gradient of f at its point."""
    backward = globals()[f"{f.__name__}_{suffix}"]
    check_function(f, lambda *arrays: (f(*arrays), lambda dy: backward(dy, *arrays)), *POINTS[f])


def words(f):
    """What the checker says about the wrong backward of f."""
    try:
        check(f, "wrong")
    except GradientError as error:
        return str(error)
    return "nothing"


def page():
    """The gallery as the docs show it: each wrong backward, and what the checker says."""
    sections = []
    for f in POINTS:
        wrong = globals()[f"{f.__name__}_wrong"]
        code = "".join(line for line in inspect.getsource(wrong).splitlines(keepends=True) if '"""' not in line)
        sections.append(f"**{wrong.__doc__.rstrip('.')}**\n\n```py\n{code}```\n\n```text\n{words(f)}\n```\n")
    return "\n".join(sections)


if __name__ == "__main__":
    print(page(), end="")
