"""What is trained: right networks, right networks with one defect, the author's, and the author's with one repair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import functional_nn as fnn
from experiments.report.rows import FEW_IMAGES, REPORT_BATCH, heavy_ball, plain
from functional_nn import layers, models, optim


@dataclass(frozen=True)
class Network:
    """A right network and the defects that it can have.

    - `model(classes=...)`: the right network;
    - `defects`: those to try one at a time;
    - `ran`: those of them that the author's code had, all together; empty where the author did not train the network;
    - `optimizer(rate, weight_decay=...)`: the report's, with gradients summed over the batch.
    """

    name: str
    title: str
    model: Callable[..., fnn.Layer]
    defects: tuple[str, ...]
    ran: tuple[str, ...]
    optimizer: Callable[..., optim.Transform]
    weight_decay: float


@dataclass(frozen=True)
class Variant:
    """A network with some of its defects; `role` says which."""

    network: Network
    defects: tuple[str, ...]
    role: str

    @property
    def name(self) -> str:
        """The variant's name on the screen and in tables."""
        return f"{self.network.title}, {self.role}"


@dataclass(frozen=True)
class Budget:
    """The epochs, learning rate and batch size of every variant of a network."""

    epochs: int
    rate: float
    batch_size: int = REPORT_BATCH


LENET5 = Network(
    "lenet5",
    "LeNet-5",
    models.lenet5,
    defects=("1", "2", "3", "4", "5", "6", "8", "9"),
    ran=("2", "3", "4", "5", "6", "8", "9"),  # 1 is in the code that the author started from; the report repairs it
    optimizer=heavy_ball,
    weight_decay=3e-5,
)
# The report prints eq. 9, its author's code ran the right eq. 8.
LENET5_SILU = Network(
    "lenet5_silu",
    "LeNet-5 with SiLU",
    partial(models.lenet5, activation=layers.silu),
    defects=("eq. 9", "eq. 9 to the letter"),
    ran=(),
    optimizer=heavy_ball,
    weight_decay=3e-5,
)
PERCEPTRON = Network(
    "perceptron",
    "perceptron",
    partial(models.two_layer_perceptron, 64),
    defects=("7", "9", "eq. 4"),
    ran=("7", "9", "eq. 4"),
    optimizer=plain,
    weight_decay=0.0,
)
NETWORKS = (LENET5, LENET5_SILU, PERCEPTRON)

# Epochs and learning rates for few training images (the digits) and for many. The report's rate is recorded as between
# 0.001 and 0.01 for the LeNets and as 0.001 for the perceptrons. Of 0.001, 0.003 and 0.01, these are the rates with
# which the right network leaves its plateau within the epochs (validation data, seed 0).
FEW = {"lenet5": Budget(25, 0.01), "lenet5_silu": Budget(15, 0.001), "perceptron": Budget(25, 0.003)}
MANY = {"lenet5": Budget(15, 0.003), "lenet5_silu": Budget(15, 0.001), "perceptron": Budget(15, 0.001)}

RIGHT, AUTHORS = "right", "the author's"


def networks_with(defects: Sequence[str] | None) -> tuple[Network, ...]:
    """Return the networks with those of their defects that are asked for, without networks that have none of them.

    None asks for all. The author's network keeps all the defects that it ran with.
    """
    if defects is None:
        return NETWORKS
    chosen = [replace(network, defects=tuple(n for n in network.defects if n in defects)) for network in NETWORKS]
    return tuple(network for network in chosen if network.defects)


def variants(network: Network) -> list[Variant]:
    """Return the right network, each defect alone, the author's network, and that with each defect repaired.

    A defect that the author's code did not have (1) is put into it instead of being repaired.
    """
    result = [Variant(network, (), RIGHT), *(Variant(network, (name,), alone(name)) for name in network.defects)]
    if network.ran:
        result.append(Variant(network, network.ran, AUTHORS))
        for name in network.defects:
            others = tuple(other for other in network.ran if other != name)
            together = (name, *network.ran)  # the only such defect, 1, comes first
            result.append(Variant(network, others if name in network.ran else together, changed(network, name)))
    return result


def alone(defect: str) -> str:
    """Return the role of the right network with one defect."""
    return f"{defect} alone"


def changed(network: Network, defect: str) -> str:
    """Return the role of the author's network with one defect repaired, or put back."""
    return f"{AUTHORS}, {defect} {'repaired' if defect in network.ran else 'put back'}"


def budget(network: Network, training_images: int, epochs: int | None = None) -> Budget:
    """Return the network's budget for so many training images; `epochs` overrides its own."""
    chosen = (FEW if training_images < FEW_IMAGES else MANY)[network.name]
    return chosen if epochs is None else Budget(epochs, chosen.rate, chosen.batch_size)


def configuration(variant: Variant, budget: Budget, classes: int) -> dict[str, Any]:
    """Return all that a variant's figures follow from, except the data, the seed and the code."""
    network = variant.network
    return {
        "network": repr(network.model(classes=classes)),
        "defects": list(variant.defects),
        "optimizer": network.optimizer.__name__,
        "weight_decay": network.weight_decay,
        "epochs": budget.epochs,
        "learning_rate": budget.rate,
        "batch_size": budget.batch_size,
    }
