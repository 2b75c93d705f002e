"""How a network is trained where the user does not say: by the number of images, their size and their colours."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from functional_nn import data, optim
from functional_nn.cli.networks import NETWORKS, usual_network
from functional_nn.data import BatchTransform, Splits

__all__ = ["Settings", "chosen_settings", "colourless"]

T = TypeVar("T")

LARGEST_BATCH, SMALLEST_BATCH, LEAST_BATCHES = 64, 8, 32  # an epoch has so many batches at least, if there are images
FEWEST_EPOCHS, MOST_EPOCHS = 10, 60
LEAST_PATIENCE = 5
WARMUP = 20  # the rate rises for one part in so many of all steps
PIXELS_A_SHIFT = 16  # a shift is one pixel for so many of the side


@dataclass(frozen=True)
class Settings:
    """The settings of a run, as the file of the network keeps them."""

    model: str
    epochs: int
    batch_size: int
    chunk: int | None  # None: `fit` chooses it
    learning_rate: float
    weight_decay: float
    shift: int
    flip: bool
    patience: int
    seed: int

    def __str__(self) -> str:
        moved = [f"shifted by up to {self.shift} pixel{'s' if self.shift > 1 else ''}"] if self.shift else []
        moved += ["mirrored"] if self.flip else []
        chunks = f" in chunks of {self.chunk}" if self.chunk else ""
        return (
            f"at most {self.epochs} epochs, batches of {self.batch_size}{chunks}, "
            f"learning rate {self.learning_rate:g}, images {' and '.join(moved) or 'as they are'}"
        )

    def optimizer(self, images: int) -> optim.Transform:
        """Return Adam with decoupled weight decay under a rate that rises for a twentieth of the steps, then falls."""
        steps = self.epochs * -(-images // self.batch_size)
        rate = optim.cosine(self.learning_rate, steps, warmup=min(steps - 1, steps // WARMUP))
        return optim.adam(rate, weight_decay=self.weight_decay)

    def augmented(self, standardize: BatchTransform) -> BatchTransform:
        """Return the transform for training: mirror, shift, and then bring to zero mean and unit variance."""
        mirror = [data.random_flip()] if self.flip else []
        shift = [data.random_shift(self.shift)] if self.shift else []
        return data.chain(*mirror, *shift, standardize)


def chosen_settings(options: argparse.Namespace, splits: Splits) -> Settings:
    """Return the user's settings, and for what the user did not choose those that suit the data.

    Images are shifted by a sixteenth of their side. Those in colour are mirrored; grey ones, in three equal channels
    too, are not: they are often signs, and a mirrored sign is another one or none. Batches grow with the number of
    images up to 64, and the epochs are as many as the network's number of steps needs, 10 at least and 60 at most.
    """
    images = splits.train[0]
    n, side, grey = len(images), min(images.shape[1:3]), images.shape[-1] == 1
    model = options.model or usual_network(images.shape[1:])
    network = NETWORKS[model]
    batch_size = _or(options.batch_size, min(_batch(n), n))
    if batch_size > n:
        raise ValueError(f"--batch-size {batch_size}: there are {n} training images: give {n} at most")
    if options.chunk is not None and options.chunk > batch_size:
        raise ValueError(f"--chunk {options.chunk}: a batch has {batch_size} images: give {batch_size} at most")
    steps_an_epoch = -(-n // batch_size)
    usual_epochs = min(max(round(network.steps / steps_an_epoch), FEWEST_EPOCHS), MOST_EPOCHS)
    epochs = _or(options.epochs, usual_epochs)
    return Settings(
        model,
        epochs,
        batch_size,
        options.chunk,
        learning_rate=_or(options.learning_rate, network.grey_rate if grey else network.learning_rate),
        weight_decay=_or(options.weight_decay, network.grey_decay if grey else network.weight_decay),
        shift=_or(options.shift, min(side - 1, max(1, side // PIXELS_A_SHIFT))),
        flip=_or(options.flip, not colourless(images)),
        patience=_or(options.patience, max(LEAST_PATIENCE, epochs // 3)),
        seed=options.seed,
    )


def colourless(images: np.ndarray) -> bool:
    """Return whether all channels are equal, as those of grey files are, which the sources decode to RGB."""
    return all((image == image[..., :1]).all() for image in images)


def _batch(n: int) -> int:
    """Return the largest power of two within the limits that gives an epoch enough batches."""
    batch_size = LARGEST_BATCH
    while batch_size > SMALLEST_BATCH and n < batch_size * LEAST_BATCHES:
        batch_size //= 2
    return batch_size


def _or(chosen: T | None, usual: T) -> T:
    return usual if chosen is None else chosen
