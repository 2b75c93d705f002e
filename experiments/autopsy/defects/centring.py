"""A wrong preparation of the data (defect 6): each split is centred by its own mean.

Right: the training set's mean for all three splits. No gradient is wrong. But the prediction for an image then depends
on the other images of its split, and in a split of one image each channel's mean becomes zero.
"""

from __future__ import annotations

from functional_nn import data


def centred_by(split_images, train_images) -> data.BatchTransform:
    """Return the transform of a split by its own mean and the training set's standard deviation."""
    own, right = (data.standardize(images).call.arguments for images in (split_images, train_images))
    return data.standardize_by(own["mean"], right["std"])
