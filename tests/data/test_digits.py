from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from functional_nn.data import digits


def test_the_parts_make_up_all_1797_digits_with_their_labels() -> None:
    splits = digits(size=8)
    raw, target = load_digits(return_X_y=True)
    levels = np.rint(raw * 255 / 16).astype(np.uint8)
    wanted = sorted((label, row.tobytes()) for label, row in zip(target.tolist(), levels, strict=True))
    found = sorted(
        (label, image.tobytes())
        for _, (images, labels) in splits.items()
        for label, image in zip(labels.tolist(), images, strict=True)
    )
    assert found == wanted


def test_each_part_has_every_class_in_proportion() -> None:
    splits = digits(size=8)
    assert splits.classes == tuple("0123456789")
    total = np.bincount(np.concatenate([labels for _, (_, labels) in splits.items()]))
    for part, fraction in (("train", 0.7), ("val", 0.15), ("test", 0.15)):
        np.testing.assert_allclose(np.bincount(getattr(splits, part)[1]), fraction * total, atol=1.01)


@pytest.mark.parametrize("size", [32, 20])
def test_digits_are_scaled_and_use_all_grey_levels(size: int) -> None:
    images, labels = digits(size=size).train
    assert images.shape == (len(labels), size, size, 1)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert images.min() == 0
    assert images.max() > 230


def test_the_seed_fixes_the_split() -> None:
    first, again, other = digits(8, seed=0), digits(8, seed=0), digits(8, seed=1)
    for (_, one), (_, two) in zip(first.items(), again.items(), strict=True):
        np.testing.assert_array_equal(one[0], two[0])
    assert not np.array_equal(first.val[0], other.val[0])


def test_a_bad_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size=0"):
        digits(0)
