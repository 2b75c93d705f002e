"""Every row of docs/conventions.md is held to what PyTorch does, and to where it does the same as this library."""

import numpy as np
import pytest

from functional_nn import layers, losses, optim
from tests.oracles.conventions import MARGINS, ROWS, Claims, X, slope, steps
from tests.oracles.torch_table import functional, needs_torch, tensor, torch

PYTORCH = Claims()
GRADIENTS = [1.0, -2.0, 0.5]


def rng():
    return np.random.default_rng(1)


def first(x):
    """(n, h, w, c) to a tensor (n, c, h, w)."""
    return torch.tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def their_slope(function, x):
    x = tensor(np.array(x))
    function(x).sum().backward()
    return x.grad.tolist()


def their_steps(make, gradients, start=1.0):
    p = tensor(np.array([start]))
    optimizer = make([p])
    for g in gradients:
        p.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
    return p.item()


@PYTORCH.claim("axes of images")
def images():
    assert torch.nn.Conv2d(3, 4, 3)(torch.zeros(1, 3, 5, 6)).shape == (1, 4, 3, 4)


@PYTORCH.claim("axes of a kernel")
def kernels():
    w = rng().standard_normal((2, 3, 3, 4))
    assert torch.nn.Conv2d(3, 4, (2, 3)).weight.shape == (4, 3, 2, 3)
    theirs = functional.conv2d(first(X), torch.tensor(np.ascontiguousarray(w.transpose(3, 2, 0, 1))))
    ours = layers.conv2d(4, (2, 3)).apply({"w": w, "b": np.zeros(4)}, X)
    np.testing.assert_allclose(ours, theirs.permute(0, 2, 3, 1).numpy(), atol=1e-12)


@PYTORCH.claim("transposed convolution")
def transposed():
    rng = np.random.default_rng(0)
    w, b = rng.standard_normal((2, 3, 3, 4)), rng.standard_normal(4)
    theirs = torch.tensor(np.ascontiguousarray(w.transpose(2, 3, 0, 1)))
    y = functional.conv_transpose2d(first(X), theirs, torch.tensor(b), stride=2, padding=1)
    ours = layers.conv2d_transpose(4, (2, 3), stride=2, padding=1).apply({"w": w, "b": b}, X)
    np.testing.assert_allclose(ours, y.permute(0, 2, 3, 1).numpy(), atol=1e-12)
    longer = functional.conv_transpose2d(first(X), theirs, torch.tensor(b), stride=2, padding=1, output_padding=1)
    np.testing.assert_allclose(longer[:, :, :-1, :-1], y, atol=1e-14)
    with pytest.raises((TypeError, RuntimeError, ValueError)):
        functional.conv_transpose2d(first(X), theirs, stride=2, padding=((1, 0), (0, 2)))


@PYTORCH.claim("dense weights")
def dense():
    x, w, b = rng().standard_normal((2, 3)), rng().standard_normal((3, 4)), np.arange(4.0)
    assert torch.nn.Linear(3, 4).weight.shape == (4, 3)
    theirs = functional.linear(torch.tensor(x), torch.tensor(w.T), torch.tensor(b)).numpy()
    np.testing.assert_allclose(layers.dense(4).apply({"w": w, "b": b}, x), theirs, atol=1e-14)


@PYTORCH.claim("order in `flatten`")
def flat():
    ours, theirs = layers.flatten().apply({}, X), torch.nn.Flatten()(first(X)).numpy()
    image = X[0]
    ordered = [image[row, column, channel] for channel in range(3) for row in range(5) for column in range(6)]
    assert theirs[0].tolist() == ordered
    permuted = np.arange(90).reshape(5, 6, 3).transpose(2, 0, 1).ravel()  # the rows of the next dense, for PyTorch
    w = rng().standard_normal((90, 2))
    np.testing.assert_allclose(ours @ w, theirs @ w[permuted], atol=1e-12)


@PYTORCH.claim("padding")
def padding():
    kernel = torch.ones(1, 3, 2, 2, dtype=torch.float64)
    assert functional.conv2d(first(X), kernel, padding=(1, 2)).shape == (2, 1, 6, 9)
    with pytest.raises(TypeError, match="invalid combination of arguments"):
        functional.conv2d(first(X), kernel, padding=MARGINS)
    (top, bottom), (left, right) = MARGINS
    theirs = functional.pad(first(X), (left, right, top, bottom)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_array_equal(layers.zero_pad(MARGINS).apply({}, X), theirs)


@PYTORCH.claim("windows that do not fit")
def windows():
    assert functional.max_pool2d(first(X), 2).shape == (2, 3, 2, 3)
    assert functional.max_pool2d(first(X), 2, ceil_mode=True).shape == (2, 3, 3, 3)


@PYTORCH.claim("an activation and a max pool after it")
def pool_first():
    x = [[1e6, 1e6 + 4e-10], [0.0, 0.0]]
    dx = their_slope(lambda t: functional.max_pool2d(torch.asinh(t)[None, None] / 5.0 + 0.5, 2), x)
    assert (np.array(dx) != 0.0).tolist() == [[True, False], [False, False]]


@PYTORCH.claim("ties in a max pool")
def ties():
    x = [[0.0, 1.0], [1.0, 1.0]]
    assert their_slope(lambda t: functional.max_pool2d(t[None, None], 2), x) == [[0.0, 1.0], [0.0, 0.0]]
    np.testing.assert_allclose(their_slope(torch.amax, x), [[0.0, 1 / 3], [1 / 3, 1 / 3]])


@PYTORCH.claim("relu at 0")
def relu():
    assert their_slope(functional.relu, [0.0]) == [0.0]
    assert their_slope(lambda x: torch.maximum(x, torch.zeros_like(x)), [0.0]) == [0.5]


@PYTORCH.claim("leaky relu at 0")
def leaky_relu():
    theirs = their_slope(lambda x: functional.leaky_relu(x, 0.3), [0.0])
    assert theirs == slope(layers.leaky_relu(0.3), [0.0]) == [0.3]


@PYTORCH.claim("softplus of large x")
def softplus():
    x = np.array([20.001, 25.0, 30.0])
    theirs = functional.softplus(torch.tensor(x)).numpy()
    np.testing.assert_array_equal(theirs, x)
    assert 1e-9 < np.abs(np.log1p(np.exp(-x)) + x - theirs).max() < 2.1e-9


@PYTORCH.claim("sigmoid of very negative x")
def sigmoid():
    x = np.array([-38.0, -40.0, -100.0])
    np.testing.assert_allclose(torch.sigmoid(torch.tensor(x)).numpy(), np.exp(x), rtol=1e-14)


@PYTORCH.claim("gelu")
def gelu():
    x = np.array([[0.5, -1.0, 2.0]])
    ours, theirs = layers.gelu.apply({}, x), torch.tensor(x)
    np.testing.assert_allclose(functional.gelu(theirs, approximate="tanh").numpy(), ours, atol=1e-15)
    erf = 0.5 * theirs * (1.0 + torch.erf(theirs / 2.0**0.5))
    np.testing.assert_allclose(functional.gelu(theirs).numpy(), erf.numpy(), atol=1e-15)


@PYTORCH.claim("batch norm in inference")
def inference_statistics():
    x, layer = rng().standard_normal((12, 2)) + 5.0, torch.nn.BatchNorm1d(2, dtype=torch.float64)
    moving = 0.0
    for i in range(0, 12, 4):
        layer(torch.tensor(x[i : i + 4]))
        moving = 0.9 * moving + 0.1 * x[i : i + 4].mean(axis=0)
    np.testing.assert_allclose(layer.running_mean.numpy(), moving, rtol=1e-12)
    assert layer.momentum == 0.1


@PYTORCH.claim("batch norm of one example")
def one_example():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        functional.batch_norm(torch.ones(1, 2), None, None, training=True)


@PYTORCH.claim("labels outside the classes")
def labels():
    logits = torch.tensor(rng().standard_normal((2, 3)))
    ignoring = functional.cross_entropy(logits, torch.tensor([0, -100]))
    assert ignoring.item() == functional.cross_entropy(logits[:1], torch.tensor([0])).item()
    for outside in (-1, 3):
        with pytest.raises(IndexError, match=f"Target {outside} is out of bounds"):
            functional.cross_entropy(logits, torch.tensor([0, outside]))


@PYTORCH.claim("an empty batch")
def empty():
    assert torch.isnan(functional.cross_entropy(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long)))


@PYTORCH.claim("rows of targets")
def rows():
    logits, targets = rng().standard_normal((4, 3)), 5.0 * rng().standard_normal((4, 3))
    theirs = functional.cross_entropy(torch.tensor(logits), torch.tensor(targets)).item()
    assert theirs == pytest.approx(losses.softmax_cross_entropy.apply(logits, targets), rel=1e-12)


@PYTORCH.claim("squared error")
def squared_error():
    y = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert functional.mse_loss(y, torch.zeros(2, 2)).item() == 7.5


@PYTORCH.claim("weight decay")
def weight_decay():
    settings = {"lr": 0.1, "weight_decay": 0.3}
    ours = steps(optim.adam(0.1, weight_decay=0.3), GRADIENTS)
    assert their_steps(lambda p: torch.optim.AdamW(p, **settings), GRADIENTS) == pytest.approx(ours, abs=1e-14)
    p, v = 1.0, 0.0
    for g in GRADIENTS:
        v = 0.9 * v + g + 0.3 * p
        p -= 0.1 * v
    theirs = their_steps(lambda p: torch.optim.SGD(p, momentum=0.9, **settings), GRADIENTS)
    assert theirs == pytest.approx(p, abs=1e-14)
    # one step of Adam: p falls by rate g / (|g| + eps), here of g + 0.3 p
    added = their_steps(lambda p: torch.optim.Adam(p, eps=1.0, **settings), [1.0])
    assert added == pytest.approx(1.0 - 0.1 * 1.3 / (1.3 + 1.0), abs=1e-14)


@PYTORCH.claim("momentum")
def momentum():
    def falling(parameters):
        optimizer = torch.optim.SGD(parameters, 0.5, momentum=0.9)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1)
        optimizer.register_step_post_hook(lambda *_: scheduler.step())
        return optimizer

    ours = steps(optim.sgd(optim.step_decay(0.5, every=1, factor=0.1), momentum=0.9), [1.0, 0.0], start=0.0)
    assert their_steps(falling, [1.0, 0.0], start=0.0) == pytest.approx(ours, abs=1e-14)


@PYTORCH.claim("Adam's eps")
def adams_eps():
    theirs = their_steps(lambda p: torch.optim.Adam(p, 0.1, eps=0.03), [0.01])
    assert theirs == pytest.approx(1.0 - 0.1 * 0.01 / (0.01 + 0.03), abs=1e-14)


@PYTORCH.claim("clipping by the global norm")
def clipping():
    g = np.array([3e-3, 4e-3])
    p = tensor(g)
    p.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_([p], 1e-3)
    np.testing.assert_allclose(p.grad.numpy(), g * 1e-3 / (5e-3 + 1e-6), rtol=1e-14)


@PYTORCH.claim("the cosine schedule after its end")
def cosine():
    optimizer = torch.optim.SGD([tensor(np.zeros(1))], 1.0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 4, eta_min=0.25)
    rates = []
    for _ in range(9):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[4] == pytest.approx(0.25)
    assert rates[8] == pytest.approx(1.0)


@PYTORCH.claim("first weights")
def first_weights():
    layer = torch.nn.Linear(100, 300)
    for tensors in (layer.weight, layer.bias):
        assert 0.95 * 0.1 < tensors.abs().max().item() <= 0.1


def test_every_row_of_the_table_has_a_test_and_every_test_a_row():
    assert list(PYTORCH) == ROWS


@needs_torch
@pytest.mark.parametrize("row", PYTORCH)
def test_the_row_holds_in_pytorch(row):
    PYTORCH[row]()
