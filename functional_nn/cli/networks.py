"""The networks that `train` knows by name, each with the settings that suit it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from functional_nn import layers, losses, models
from functional_nn.layer import Layer, Shape
from functional_nn.loss import Loss

__all__ = ["NETWORKS", "Network", "usual_network"]


@dataclass(frozen=True)
class Network:
    """A network by name: `made(classes)`, its loss, and the settings that a search on validation images chose.

    `learning_rate` and `weight_decay` are Adam's, those on grey images are `grey_rate` and `grey_decay`. `steps` is how
    many steps of training it needs on a large set.
    """

    made: Callable[[int], Layer]
    about: str
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    grey_rate: float = 6e-3
    grey_decay: float = 0.02
    steps: int = 10_000
    loss: Loss = losses.softmax_cross_entropy

    def check(self, name: str, classes: int, input_shape: Shape) -> None:
        """Raise `ValueError` for images and classes that the network does not take."""
        if name == "lenet5_1998" and (classes, input_shape) != (10, (32, 32, 1)):
            found = f"the data have {classes} classes and images of {'x'.join(map(str, input_shape))}"
            raise ValueError(
                f"--model lenet5_1998 is made for ten classes, the digits, and images of 32x32x1; {found}: "
                "choose another --model"
            )
        if name == "small_resnet" and (input_shape[0] % 4 or input_shape[1] % 4):
            size = input_shape[0]
            raise ValueError(f"--model small_resnet needs a --size that 4 divides, not {size}: give {size + -size % 4}")


def _perceptron(classes: int) -> Layer:
    return models.two_layer_perceptron(classes=classes)


def _lenet5(classes: int) -> Layer:
    return models.lenet5(classes, layers.silu)


def _lenet5_1998(classes: int) -> Layer:
    return models.lenet5_1998()


NETWORKS = {
    "lenet5": Network(_lenet5, "LeNet-5 with SiLU"),
    "improved": Network(models.improved_lenet5, "the improved LeNet-5"),
    "perceptron": Network(_perceptron, "two dense layers", learning_rate=2e-3, weight_decay=0.3),
    "small_resnet": Network(models.small_resnet, "a residual network", grey_rate=3e-3, grey_decay=0.1, steps=8_000),
    "lenet5_1998": Network(
        _lenet5_1998, "LeNet-5 as it was in 1998, for digits", grey_rate=2e-3, loss=models.penalty_loss()
    ),
}


def usual_network(input_shape: Shape) -> str:
    """Return the name of the network for images of this shape: small_resnet for colour, lenet5 for grey where it fits.

    small_resnet needs sides that 4 divides, lenet5 sides of 16 pixels at least.
    """
    height, _, channels = input_shape
    return "small_resnet" if (channels == 3 or height < 16) and not height % 4 else "lenet5"
