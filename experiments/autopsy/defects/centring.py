"""A wrong preparation of the data (defect 6): each split is centred by its own mean.

Right: the training set's mean for all three splits. No gradient is wrong; but what a network says of an image then
depends on which other images stand beside it, and a split of one image is centred to nothing but its contrasts.
"""

from __future__ import annotations

from functional_nn import data


def centred_by(split_images, train_images) -> data.Standardize:
    """Return the transform of a split by its own mean and the training set's standard deviation."""
    return data.Standardize(data.standardize(split_images).mean, data.standardize(train_images).std)
