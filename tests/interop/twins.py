"""Networks of torch.nn with the structure of this library's: (n, c, h, w) images, PyTorch's own layers and orders.

Written from PyTorch's documentation: nothing here knows how parameters are converted. `twin(layer, shape)` takes a
layer's parts and its constructor's arguments.
"""

import torch
from torch import nn
from torch.nn import functional

from functional_nn.arguments import as_margins, as_pair


def first(shape):
    """PyTorch's shape of an example."""
    return (shape[2], shape[0], shape[1]) if len(shape) == 3 else tuple(shape)


def to_torch(x):
    """PyTorch's layout of a batch."""
    return torch.tensor(x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x)


def from_torch(y):
    """Our layout of a batch."""
    y = y.detach().numpy()
    return y.transpose(0, 2, 3, 1) if y.ndim == 4 else y


class Function(nn.Module):
    """A module without parameters."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Serial(nn.Module):
    def __init__(self, parts):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        for part in self.children():
            x = part(x)
        return x


class Residual(Serial):
    def forward(self, x):
        return self.body(x) + (self.shortcut(x) if hasattr(self, "shortcut") else x)


class Branch(Serial):
    def forward(self, x):
        outputs = [part(x) for part in self.children()]
        return torch.cat(outputs, dim=1 if outputs[0].ndim in (2, 4) else -1)


class PaddedConv2d(nn.Conv2d):
    def __init__(self, *args, margins, **kwargs):
        super().__init__(*args, **kwargs)
        (top, bottom), (left, right) = margins
        self.margins = (left, right, top, bottom)

    def forward(self, x):
        return super().forward(functional.pad(x, self.margins))


class CroppedConvTranspose2d(nn.ConvTranspose2d):
    def __init__(self, *args, margins, **kwargs):
        super().__init__(*args, **kwargs)
        self.margins = margins

    def forward(self, x):
        y = super().forward(x)
        (top, bottom), (left, right) = self.margins
        return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


class LayerNormOfChannels(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2) if x.ndim == 4 else super().forward(x)


class BatchNormOfChannels(nn.modules.batchnorm._BatchNorm):
    """nn.BatchNorm1d and 2d in one; of sequences (n, t, c) it takes the last axis."""

    def _check_input_dim(self, x):
        pass

    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2) if x.ndim == 3 else super().forward(x)


class GroupNormOfChannels(nn.GroupNorm):
    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2) if x.ndim == 3 else super().forward(x)


class EmbeddedChannels(nn.Embedding):
    def forward(self, x):
        y = super().forward(x)
        return y.permute(0, 3, 1, 2) if y.ndim == 4 else y


def conv2d(shape, filters, kernel, stride=1, padding=0, groups=1, dilation=1, **inits):
    options = {"stride": as_pair(stride), "groups": groups, "dilation": as_pair(dilation)}
    return PaddedConv2d(shape[2], filters, as_pair(kernel), margins=as_margins(padding), **options)


def conv2d_transpose(shape, filters, kernel, stride=1, padding=0, **inits):
    kernel, stride = as_pair(kernel), as_pair(stride)
    return CroppedConvTranspose2d(shape[2], filters, kernel, stride=stride, margins=as_margins(padding))


def zero_pad(shape, padding):
    (top, bottom), (left, right) = as_margins(padding)
    return nn.ZeroPad2d((left, right, top, bottom))


def pool(make):
    return lambda shape, window, stride: make(as_pair(window), None if stride is None else as_pair(stride))


def function(f):
    return lambda shape: Function(f)


def upsample(shape, factor):
    return nn.Upsample(scale_factor=tuple(map(float, as_pair(factor))), mode="nearest")


LAYERS = {
    "dense": lambda shape, units, **inits: nn.Linear(shape[0], units),
    "conv2d": conv2d,
    "conv2d_transpose": conv2d_transpose,
    "embedding": lambda shape, entries, features, w_init: EmbeddedChannels(entries, features),
    "layer_norm": lambda shape, epsilon: LayerNormOfChannels(shape[-1], eps=epsilon),
    "group_norm": lambda shape, groups, epsilon: GroupNormOfChannels(groups, shape[-1], eps=epsilon),
    "batch_norm": lambda shape, epsilon: BatchNormOfChannels(shape[-1], eps=epsilon),
    "flatten": lambda shape: nn.Flatten(),
    "reshape": lambda input_shape, /, shape: Function(lambda x: x.reshape(len(x), *first(shape))),
    "zero_pad": zero_pad,
    "upsample": upsample,
    "max_pool": pool(nn.MaxPool2d),
    "avg_pool": pool(nn.AvgPool2d),
    "global_avg_pool": function(lambda x: x.mean((2, 3))),
    "dropout": lambda shape, drop_rate: nn.Dropout(drop_rate),
    "leaky_relu": lambda shape, slope: nn.LeakyReLU(slope),
    "relu": lambda shape: nn.ReLU(),
    "sigmoid": lambda shape: nn.Sigmoid(),
    "tanh": lambda shape: nn.Tanh(),
    "scaled_tanh": function(lambda x: 1.7159 * torch.tanh(2.0 / 3.0 * x)),
    "silu": lambda shape: nn.SiLU(),
    "gelu": lambda shape: nn.GELU(approximate="tanh"),
    "softplus": lambda shape: nn.Softplus(threshold=800.0),
    "asinh_unit": function(lambda x: torch.asinh(x) / 5.0 + 0.5),
}


def twin(layer, shape):
    """Return the PyTorch network of a drawn one, with PyTorch's first weights."""
    if not layer.parts:
        return LAYERS[layer.call.name](shape, **layer.call.arguments)
    if layer.call.name in ("residual", "branch"):
        made = {name: twin(part, shape) for name, part in layer.parts}
        return Residual(made) if layer.call.name == "residual" else Branch(made)
    made = {}
    for name, part in layer.parts:
        made[name] = twin(part, shape)
        shape = part.output_shape(shape)
    return Serial(made)
