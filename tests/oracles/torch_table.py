"""The tables of agreement with PyTorch: every public layer and loss, and what of `optim` makes a step, has a row.

A row takes every argument that the public constructor takes, by the same name, but for initializers.

Layers PyTorch lacks are composed of its operations. The tables can be read without PyTorch, so that a row that is
missing is noticed everywhere; `needs_torch` skips what computes with it.
"""

from __future__ import annotations

import os

import pytest

try:
    import torch
    from torch.nn import functional
except ImportError:
    if os.environ.get("REQUIRE_TORCH"):  # set by .ci/run, which must not pass where the oracles are skipped
        raise
    torch = functional = None
else:
    torch.set_num_threads(1)  # its idle threads would take the cores that other tests run on

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed: pip install -e '.[oracles]'")


def tensor(array):
    """A leaf tensor in the array's dtype that gathers gradients; it shares no memory with the array."""
    return torch.tensor(array, requires_grad=True)


def channels_first(x):
    return x.permute(0, 3, 1, 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1)


def pair(value):
    return (value, value) if isinstance(value, int) else value


def zero_pad(params, x, padding):
    (top, bottom), (left, right) = (pair(padding), pair(padding)) if isinstance(padding, int) else padding
    return functional.pad(x, (0, 0, left, right, top, bottom))


def conv2d(params, x, filters, kernel, stride=1, padding=0, groups=1, dilation=1):
    x = channels_first(zero_pad({}, x, padding))
    w = params["w"].permute(3, 2, 0, 1).contiguous()  # one of PyTorch's kernels takes no other
    return channels_last(
        functional.conv2d(x.contiguous(), w, params["b"], stride=pair(stride), groups=groups, dilation=pair(dilation))
    )


def conv2d_transpose(params, x, filters, kernel, stride=1, padding=0):
    """PyTorch's crops both sides alike, so its whole output is cropped by hand."""
    w = params["w"].permute(2, 3, 0, 1).contiguous()
    y = channels_last(functional.conv_transpose2d(channels_first(x).contiguous(), w, params["b"], stride=pair(stride)))
    (top, bottom), (left, right) = (pair(padding), pair(padding)) if isinstance(padding, int) else padding
    return y[:, top : y.shape[1] - bottom, left : y.shape[2] - right]


def max_pool(params, x, window, stride=None):
    return channels_last(
        functional.max_pool2d(channels_first(x), pair(window), None if stride is None else pair(stride))
    )


def avg_pool(params, x, window, stride=None):
    return channels_last(
        functional.avg_pool2d(channels_first(x), pair(window), None if stride is None else pair(stride))
    )


def norm(run):
    """A norm of PyTorch's whose channels come second, whatever else there is."""

    def layer(params, x, **arguments):
        y = run(x.movedim(-1, 1) if x.ndim > 2 else x, params["w"], params["b"], **arguments)
        return y.movedim(1, -1) if x.ndim > 2 else y

    return layer


def batch_norm(x, w, b, epsilon=1e-5):
    return functional.batch_norm(x, None, None, w, b, training=True, eps=epsilon)


LAYERS = {
    "sigmoid": lambda params, x: torch.sigmoid(x),
    "tanh": lambda params, x: torch.tanh(x),
    "scaled_tanh": lambda params, x: 1.7159 * torch.tanh(x * 2.0 / 3.0),
    "relu": lambda params, x: functional.relu(x),
    "leaky_relu": lambda params, x, slope: functional.leaky_relu(x, slope),
    "silu": lambda params, x: functional.silu(x),
    "softplus": lambda params, x: functional.softplus(x, threshold=800.0),
    "asinh_unit": lambda params, x: torch.asinh(x) / 5.0 + 0.5,
    "dense": lambda params, x, units: functional.linear(x, params["w"].T, params["b"]),
    "conv2d": conv2d,
    "conv2d_transpose": conv2d_transpose,
    "gelu": lambda params, x: functional.gelu(x, approximate="tanh"),
    "layer_norm": lambda params, x, epsilon=1e-5: functional.layer_norm(
        x, x.shape[-1:], params["w"], params["b"], epsilon
    ),
    "group_norm": norm(lambda x, w, b, groups, epsilon=1e-5: torch.group_norm(x, groups, w, b, epsilon)),
    "batch_norm": norm(batch_norm),
    "dropout": lambda params, x, drop_rate: x * 1.0,  # in inference; what is drawn is nobody else's
    "reshape": lambda params, x, shape: x.reshape(len(x), *shape),
    "global_avg_pool": lambda params, x: x.mean(dim=(1, 2)),
    "embedding": lambda params, x, entries, features: functional.embedding(x, params["w"]),
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "flatten": lambda params, x: x.reshape(len(x), -1),
    "zero_pad": zero_pad,
    "upsample": lambda params, x, factor: channels_last(
        functional.interpolate(channels_first(x), scale_factor=pair(factor), mode="nearest")
    ),
}


def cross_entropy(outputs, targets, label_smoothing=0.0, class_weights=None):
    weights = None if class_weights is None else torch.tensor(class_weights, dtype=outputs.dtype)
    return functional.cross_entropy(outputs, targets, weight=weights, label_smoothing=label_smoothing)


def weighted(outputs, targets, weights, loss):
    if loss.name == "hinge":
        each = functional.multi_margin_loss(outputs, targets, margin=loss.call.arguments["margin"], reduction="none")
    else:
        each = functional.cross_entropy(outputs, targets, reduction="none")
    return (weights * each).sum() / weights.sum()


LOSSES = {
    "softmax_cross_entropy": cross_entropy,
    "cross_entropy": cross_entropy,
    "kl_divergence": lambda outputs, targets: functional.kl_div(outputs.log_softmax(1), targets, reduction="batchmean"),
    "sigmoid_cross_entropy": lambda outputs, targets: functional.binary_cross_entropy_with_logits(outputs, targets),
    "hinge": lambda outputs, targets, margin=1.0: functional.multi_margin_loss(outputs, targets, margin=margin),
    "mean_squared_error": lambda outputs, targets: functional.mse_loss(outputs, targets),
    "huber": lambda outputs, targets, delta=1.0: functional.huber_loss(outputs, targets, delta=delta),
    "weighted": weighted,
}


def sgd(tensors, learning_rate, momentum=0.0, nesterov=False, weight_decay=0.0):
    optimizer = torch.optim.SGD(tensors, learning_rate, momentum=momentum, nesterov=nesterov)
    return decayed(tensors, optimizer, learning_rate, weight_decay)


def adam(tensors, learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    make = torch.optim.AdamW if weight_decay else torch.optim.Adam
    return make(tensors, learning_rate, betas=(b1, b2), eps=eps, weight_decay=weight_decay).step


def coupled_decay(tensors, learning_rate, rate):
    return torch.optim.SGD(tensors, learning_rate, weight_decay=rate).step


def clipped(tensors, learning_rate, limit):
    """g min(1, limit / |g|); PyTorch's `clip_grad_norm_` divides by |g| + 1e-6."""
    optimizer = torch.optim.SGD(tensors, learning_rate)

    def step():
        norm = torch.nn.utils.get_total_norm([p.grad for p in tensors])
        for p in tensors:
            p.grad.mul_(min(1.0, limit / norm))
        optimizer.step()

    return step


def scheduled(tensors, rate, make):
    """SGD whose rate follows the scheduler that `make(optimizer)` returns."""
    optimizer = torch.optim.SGD(tensors, rate)
    scheduler = make(optimizer)

    def step():
        optimizer.step()
        scheduler.step()

    return step


def step_decay(tensors, rate, every, factor):
    return scheduled(tensors, rate, lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, every, factor))


def cosine(tensors, rate, steps, warmup, final):
    """A linear warm-up, then half a cosine; both are PyTorch's formulas, put together by hand."""
    schedulers = torch.optim.lr_scheduler

    def make(optimizer):
        fall = schedulers.CosineAnnealingLR(optimizer, steps - warmup, eta_min=final)
        if warmup == 0:
            return fall
        rise = schedulers.LinearLR(optimizer, 1.0 / warmup, 1.0, total_iters=max(1, warmup - 1))
        return schedulers.SequentialLR(optimizer, [rise, fall], [warmup])

    return scheduled(tensors, rate, make)


def rmsprop(tensors, learning_rate, decay=0.99, eps=1e-8, momentum=0.0, weight_decay=0.0):
    optimizer = torch.optim.RMSprop(tensors, learning_rate, alpha=decay, eps=eps, momentum=momentum)
    return decayed(tensors, optimizer, learning_rate, weight_decay)


def adagrad(tensors, learning_rate, eps=1e-10, weight_decay=0.0):
    return decayed(tensors, torch.optim.Adagrad(tensors, learning_rate, eps=eps), learning_rate, weight_decay)


def decayed(tensors, optimizer, learning_rate, weight_decay):
    """The optimizer's steps with decoupled decay by hand: PyTorch's own is not decoupled there."""

    def step():
        with torch.no_grad():
            for p in tensors:
                p.mul_(1.0 - learning_rate * weight_decay)
        optimizer.step()

    return step


def exponential(tensors, rate, factor, every):
    gamma = factor ** (1.0 / every)
    return scheduled(tensors, rate, lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma))


def piecewise(tensors, rates, boundaries):
    """PyTorch's rates fall by one factor, so the rates must be geometric."""
    factor = rates[1] / rates[0]
    return scheduled(
        tensors, rates[0], lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, boundaries, factor)
    )


def one_cycle(tensors, rate, steps, warmup, start, final):
    def make(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, rate, steps, pct_start=warmup, div_factor=start, final_div_factor=final, cycle_momentum=False
        )

    return scheduled(tensors, rate, make)


OPTIMIZERS = {
    "rmsprop": rmsprop,
    "adagrad": adagrad,
    "scale_by_rms": rmsprop,
    "scale_by_adagrad": adagrad,
    "exponential": exponential,
    "piecewise": piecewise,
    "one_cycle": one_cycle,
    "sgd": sgd,
    "adam": adam,
    "trace": lambda tensors, learning_rate, decay, nesterov: sgd(tensors, learning_rate, decay, nesterov),
    "scale_by_adam": adam,
    "add_decayed_weights": coupled_decay,
    "clip_by_global_norm": clipped,
    "scale_by_learning_rate": lambda tensors, rate: sgd(tensors, rate),
    "chain": sgd,
    "apply_updates": sgd,
    "step_decay": step_decay,
    "cosine": cosine,
}
