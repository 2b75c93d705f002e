"""A residual network for small images (He et al. 2016, with group norm for batch norm and SiLU for ReLU)."""

from __future__ import annotations

from functional_nn import compose, layers
from functional_nn.arguments import count
from functional_nn.initializers import he_normal
from functional_nn.layer import Layer
from functional_nn.value import constructor

__all__ = ["small_resnet"]

GROUPS = 8


@constructor(classes=count, width=count)
def small_resnet(classes: int = 10, width: int = 32) -> Layer:
    """Return a residual network for images (n, h, w, c), h and w divisible by 4: 154,738 parameters for 50 classes.

    stem (conv 3x3, width; max 2; norm; SiLU) -> block of width -> block of 2 width, which halves height and width ->
    block of 2 width -> mean over positions -> dense. A block is conv 3x3, norm, SiLU, conv 3x3, norm, added to its
    input (through a 1x1 convolution where the shape changes), then SiLU. `width` is a multiple of 8, the groups.

    >>> fnn.summary(models.small_resnet(classes=10, width=8), (32, 32, 3), depth=1)
    path    layer                                      output       parameters  multiply-adds  bytes kept
    -----------------------------------------------------------------------------------------------------
    stem    conv2d(8, 3, padding=1, w_init=he_normal)  (32, 32, 8)         224        221,184      39,168
    s0      max_pool(2)                                (16, 16, 8)           0              0       6,144
    n0      group_norm(8)                              (16, 16, 8)          16              0       8,256
    a0      silu                                       (16, 16, 8)           0              0      16,384
    block1  residual                                   (16, 16, 8)       1,200        294,912      88,192
    a1      silu                                       (16, 16, 8)           0              0      16,384
    block2  residual                                   (8, 8, 16)        3,696        229,376      49,856
    a2      silu                                       (8, 8, 16)            0              0       8,192
    block3  residual                                   (8, 8, 16)        4,704        294,912      47,296
    a3      silu                                       (8, 8, 16)            0              0       8,192
    mean    global_avg_pool()                          (16,)                 0              0           0
    output  dense(10)                                  (10,)               170            160          64
    -----------------------------------------------------------------------------------------------------
            small_resnet                                                10,010      1,040,544     288,128
    """
    if width % GROUPS:
        raise ValueError(f"small_resnet: width is {width!r}, expected a multiple of {GROUPS}: the norm's groups")
    parts = {
        "stem": _conv(width, 3),
        "s0": layers.max_pool(2),
        "n0": layers.group_norm(GROUPS),
        "a0": layers.silu,
        "block1": _block(width, stride=1),
        "a1": layers.silu,
        "block2": _block(2 * width, stride=2),
        "a2": layers.silu,
        "block3": _block(2 * width, stride=1),
        "a3": layers.silu,
        "mean": layers.global_avg_pool(),
        "output": layers.dense(classes),
    }
    return compose.serial(**parts)


def _block(filters: int, stride: int) -> Layer:
    body = compose.serial(
        c1=_conv(filters, 3, stride),
        n1=layers.group_norm(GROUPS),
        a1=layers.silu,
        c2=_conv(filters, 3),
        n2=layers.group_norm(GROUPS),
    )
    return compose.residual(body, None if stride == 1 else _conv(filters, 1, stride))


def _conv(filters: int, kernel: int, stride: int = 1) -> Layer:
    return layers.conv2d(filters, kernel, stride=stride, padding=kernel // 2, w_init=he_normal)
