"""LeNet-5 as it was in 1998: the network, its own layers and its loss."""

from functional_nn.models.lenet1998.loss import penalty_loss
from functional_nn.models.lenet1998.network import lenet5_1998

__all__ = ["lenet5_1998", "penalty_loss"]
