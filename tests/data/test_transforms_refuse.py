"""What transforms of batches refuse, and scales at the ends of float32."""

import re

import numpy as np
import pytest

from functional_nn import data

IMAGES = np.zeros((2, 6, 6, 3), np.uint8)


@pytest.mark.parametrize("transform", [data.random_flip(), data.random_shift(1), data.random_affine(10)], ids=repr)
def test_what_is_no_array_of_images_is_named(transform):
    for bad in (list(IMAGES), None, np.ma.array(IMAGES)):
        message = f"{transform.call.name}: x is a {type(bad).__name__}, expected a NumPy array"
        with pytest.raises(TypeError, match="^" + re.escape(message)):
            transform(bad, 0)


@pytest.mark.parametrize(
    ("transforms", "message"),
    [
        ((5,), "chain: transforms[0] is 5, expected a function (x, key) -> x"),
        ((data.random_flip(), [data.random_flip()]), "chain: transforms[1] is [random_flip()], expected a function"),
        (
            (data.random_flip,),
            "chain: transforms[0] is random_flip, expected a function (x, key) -> x: call it to make",
        ),
    ],
)
def test_a_chain_names_what_is_no_transform(transforms, message):
    with pytest.raises(TypeError, match="^" + re.escape(message)):
        data.chain(*transforms)


@pytest.mark.parametrize(("deviation", "mean"), [(1e-42, 0.0), (1e-39, 1e-38), (1e38, 1e39), (1e60, 0.0)])
def test_b6_float64_beyond_float32_is_standardized_before_it_is_rounded(deviation, mean):
    x = mean + deviation * np.random.default_rng(0).standard_normal((500, 3))
    y = data.standardize(x)(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, (x - x.mean(axis=0)) / x.std(axis=0), rtol=1e-5, atol=1e-5)


def test_one_hot_names_a_number_of_classes_that_is_no_whole_one():
    for classes in (3.5, "3", 0):
        with pytest.raises(ValueError, match=rf"one_hot: classes is {classes!r}, expected an int of at least 1"):
            data.one_hot(np.array([1]), classes)


def test_batches_refuse_masked_arrays():
    with pytest.raises(TypeError, match="batches: x is a MaskedArray, expected a NumPy array"):
        data.batches(np.ma.array([1.0, 2.0]), np.zeros(2), 1, None)
