"""Layers, a family a file.

`layers.dense` is the constructor. A module of the same name, such as `dense`, is imported by its path:
`from functional_nn.layers.dense import dense`.
"""

from functional_nn.layers.activations import (
    asinh_unit,
    gelu,
    leaky_relu,
    relu,
    scaled_tanh,
    sigmoid,
    silu,
    softplus,
    tanh,
)
from functional_nn.layers.conv import conv2d
from functional_nn.layers.conv_transpose import conv2d_transpose
from functional_nn.layers.dense import dense
from functional_nn.layers.dropout import dropout
from functional_nn.layers.embedding import embedding
from functional_nn.layers.norm import batch_norm, group_norm, layer_norm
from functional_nn.layers.pool import avg_pool, global_avg_pool, max_pool
from functional_nn.layers.shape import flatten, reshape, zero_pad
from functional_nn.layers.upsample import upsample

__all__ = [
    "asinh_unit",
    "avg_pool",
    "batch_norm",
    "conv2d",
    "conv2d_transpose",
    "dense",
    "dropout",
    "embedding",
    "flatten",
    "gelu",
    "global_avg_pool",
    "group_norm",
    "layer_norm",
    "leaky_relu",
    "max_pool",
    "relu",
    "reshape",
    "scaled_tanh",
    "sigmoid",
    "silu",
    "softplus",
    "tanh",
    "upsample",
    "zero_pad",
]
