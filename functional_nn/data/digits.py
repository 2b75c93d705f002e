"""scikit-learn's handwritten digits (Alpaydin and Kaynak 1998): 1,797 grey images of 8x8, scaled up."""

from __future__ import annotations

import numpy as np

from functional_nn import keys
from functional_nn.data.splits import Splits, by_class, check_size, splits_from
from functional_nn.extras import needs_extra

__all__ = ["digits"]


def digits(size: int = 32, seed: keys.Key = 0) -> Splits:
    """Return the digits 0 to 9, scaled bilinearly to size x size, in three splits that `seed` draws within each class.

    Images uint8 (n, size, size, 1), labels int64 (n,), classes "0" .. "9". The splits hold 70, 15 and 15 percent of
    each class. The grey levels 0 .. 16 become 0 .. 255.
    Raises `ValueError` for a size that is no positive int; `ImportError` without scikit-learn or Pillow.

    >>> digits = data.digits()
    >>> digits.train[0].shape, digits.val[0].shape, digits.test[0].shape
    ((1259, 32, 32, 1), (269, 32, 32, 1), (269, 32, 32, 1))
    """
    check_size(size)
    with needs_extra("experiments", "data.digits"):
        from PIL import Image
        from sklearn.datasets import load_digits
    raw, target = load_digits(return_X_y=True)
    grey = np.rint(raw.reshape(-1, 8, 8) * (255.0 / 16.0)).astype(np.uint8)
    scaled = [Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR) for image in grey]
    images = np.stack([np.asarray(image) for image in scaled])[..., np.newaxis]
    labels = target.astype(np.int64)
    train, val, test = (
        (images[rows], labels[rows]) for rows in by_class("digits", labels, val=0.15, test=0.15, key=seed)
    )
    return splits_from("scikit-learn's digits", train, val, test, tuple("0123456789"))
