"""The three splits of a data set: images or features with their labels."""

from __future__ import annotations

import numpy as np

Splits = dict[str, tuple[np.ndarray, np.ndarray]]
PARTS = ("train", "val", "test")


def parts_of(splits: Splits) -> tuple[str, ...]:
    """Return the names of the splits; "val" is missing where the validation images are trained on."""
    return tuple(part for part in PARTS if part in splits)


def count_classes(splits: Splits) -> int:
    """Return the number of classes: the largest label of any split, plus one."""
    return 1 + max(int(labels.max()) for _, labels in splits.values())
