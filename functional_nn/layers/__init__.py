"""Layers, one family a file; the functions of each file can be used without a Layer too."""

from functional_nn.layers.activations import (
    asinh_unit,
    leaky_relu,
    relu,
    scaled_tanh,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from functional_nn.layers.conv import conv2d
from functional_nn.layers.linear import dense
from functional_nn.layers.pool import avg_pool, max_pool
from functional_nn.layers.shape import flatten, zero_pad

__all__ = [
    "asinh_unit",
    "avg_pool",
    "conv2d",
    "dense",
    "flatten",
    "leaky_relu",
    "max_pool",
    "relu",
    "scaled_tanh",
    "sigmoid",
    "silu",
    "softplus",
    "tanh",
    "zero_pad",
]
