"""Data: sources that return images and labels as `Splits`, batches of them, and transforms of images."""

from functional_nn.data.batching import batches, one_hot
from functional_nn.data.cache import cached
from functional_nn.data.cifar10 import cifar10
from functional_nn.data.digits import digits
from functional_nn.data.directory import fingerprint, load
from functional_nn.data.errors import DataError, MissingFileError
from functional_nn.data.idx import idx
from functional_nn.data.image_folder import image_folder
from functional_nn.data.image_list import image_list
from functional_nn.data.splits import Splits
from functional_nn.data.transforms import (
    Standardize,
    compose,
    random_flip,
    random_shift,
    standardize,
)

__all__ = [
    "DataError",
    "MissingFileError",
    "Splits",
    "Standardize",
    "batches",
    "cached",
    "cifar10",
    "compose",
    "digits",
    "fingerprint",
    "idx",
    "image_folder",
    "image_list",
    "load",
    "one_hot",
    "random_flip",
    "random_shift",
    "standardize",
]
