"""Data: sources that return images and labels as `Splits`, batches of them, and transforms of images."""

from functional_nn.data.affine import random_affine
from functional_nn.data.batching import batches, one_hot
from functional_nn.data.cache import cached
from functional_nn.data.cifar10 import cifar10
from functional_nn.data.digits import digits
from functional_nn.data.directory import fingerprint, load
from functional_nn.data.idx import idx
from functional_nn.data.image_folder import image_folder
from functional_nn.data.image_list import image_list
from functional_nn.data.splits import Splits
from functional_nn.data.transforms import (
    BatchTransform,
    chain,
    random_flip,
    random_shift,
    standardize,
    standardize_by,
)
from functional_nn.errors import BadFilesError, DataError, MissingFileError

__all__ = [
    "BadFilesError",
    "BatchTransform",
    "DataError",
    "MissingFileError",
    "Splits",
    "batches",
    "cached",
    "chain",
    "cifar10",
    "digits",
    "fingerprint",
    "idx",
    "image_folder",
    "image_list",
    "load",
    "one_hot",
    "random_affine",
    "random_flip",
    "random_shift",
    "standardize",
    "standardize_by",
]
