"""What is measured: networks cut into chunks, batches of them, and gradients to exchange."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

import functional_nn as fnn
from experiments.benchmark.works import CLASSES, wide_network
from functional_nn import models

Shapes = tuple[tuple[int, ...], ...]
SHAPE = (32, 32, 3)
NETWORKS = {
    "lenet5": partial(models.lenet5, CLASSES),
    "small_resnet": partial(models.small_resnet, CLASSES),
    "wide": wide_network,
}


class Point(NamedTuple):
    """A step to be measured: of a network, or of an `idle` one with parameters of these shapes.

    The batch has so many chunks of so many examples, and an epoch so many steps: the same on all ranks.
    """

    network: str
    chunk: int
    chunks: int
    steps: int
    shapes: Shapes = ()


@dataclass(frozen=True)
class Subject:
    """A network, its examples a chunk, and the chunks of the batches that are measured and of those in the curves."""

    network: str
    title: str
    chunk: int
    measured: tuple[int, ...]
    curves: tuple[int, ...]


SUBJECTS = (
    Subject("lenet5", "LeNet-5", 16, (4, 16), (16, 64, 256)),
    Subject("small_resnet", "small residual network", 16, (4, 16), (16, 64, 256)),
    Subject("wide", "wide network", 8, (4, 8), (8, 32, 128)),
)


def shapes_of(network: str) -> Shapes:
    """Return the shapes of a network's parameters."""
    params = NETWORKS[network]().init(np.random.default_rng(0), SHAPE)
    return tuple(leaf.shape for leaf in fnn.tree.leaves(params))


def size_of(shapes: Shapes) -> int:
    """Return the bytes of a float32 gradient of these shapes."""
    return 4 * sum(math.prod(shape) for shape in shapes)


# One array of more and more bytes, many small ones, and the networks' own.
GRADIENTS: list[Shapes] = [
    *(((entries,),) for entries in (1, 2**14, 2**16, 2**18, 2**20)),
    64 * ((256,),),
    *(shapes_of(subject.network) for subject in SUBJECTS),
]


def idle_point(shapes: Shapes, chunks: int) -> Point:
    """Return an idle step with gradients of these shapes; the larger they are, the fewer there are in an epoch."""
    return Point("idle", 1, chunks, max(10, int(200 / (1 + size_of(shapes) / 500_000))), shapes)
