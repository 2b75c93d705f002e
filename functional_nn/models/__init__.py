"""Networks by name: the report's, LeNet-5 as it was in 1998, and a small residual network."""

from functional_nn.models.lenet import improved_lenet5, lenet5, two_layer_perceptron
from functional_nn.models.lenet1998 import lenet5_1998, penalty_loss
from functional_nn.models.resnet import small_resnet

__all__ = ["improved_lenet5", "lenet5", "lenet5_1998", "penalty_loss", "small_resnet", "two_layer_perceptron"]
