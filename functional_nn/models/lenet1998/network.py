"""LeNet-5 as it was (LeCun, Bottou, Bengio and Haffner 1998, section II-B): its own subsampling, connections, outputs.

    input 32x32 -> C1 conv 5x5, 6 -> S2 subsampling -> C3 conv 5x5, 16, by table I -> S4 subsampling
    -> C5 conv 5x5, 120 -> F6 dense 84 -> 10 radial basis functions, one a digit

Scaled tanh after each but the last; 60,000 parameters. An output is a penalty, the squared distance of F6 from the
digit's own picture of 7x12 points (eq. 7), so the smallest wins, and `penalty_loss` is the paper's (eq. 9).
"""

from __future__ import annotations

from functional_nn.compose import serial
from functional_nn.layer import Layer
from functional_nn.layers import conv2d, dense, flatten, scaled_tanh
from functional_nn.models.lenet1998.layers import connected_conv, fan_in_uniform, radial_basis, subsampling
from functional_nn.value import constructor

__all__ = ["lenet5_1998"]


@constructor
def lenet5_1998() -> Layer:
    """Return LeNet-5 of 1998 for images (n, 32, 32, 1) of digits: outputs (n, 10) are penalties, the smallest wins.

    Parameters: c1, s2, c3, s4, c5, f6; the radial basis functions are fixed. Train it with `penalty_loss()`.

    >>> model = models.lenet5_1998()
    >>> params = model.init(np.random.default_rng(0), (32, 32, 1))
    >>> tree.size(params), model.output_shape((32, 32, 1))
    (60000, (10,))
    """
    parts = {
        "c1": conv2d(6, 5, w_init=fan_in_uniform),
        "a1": scaled_tanh,
        "s2": subsampling(),
        "a2": scaled_tanh,
        "c3": connected_conv(),
        "a3": scaled_tanh,
        "s4": subsampling(),
        "a4": scaled_tanh,
        "c5": conv2d(120, 5, w_init=fan_in_uniform),
        "a5": scaled_tanh,
        "flat": flatten(),
        "f6": dense(84, w_init=fan_in_uniform),
        "a6": scaled_tanh,
        "output": radial_basis(),
    }
    return serial(**parts)
