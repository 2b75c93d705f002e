from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from functional_nn import data, keys
from functional_nn.data import (
    BatchTransform,
    chain,
    random_affine,
    random_flip,
    random_shift,
    standardize,
    standardize_by,
)

images = hnp.arrays(
    st.sampled_from([np.uint8, np.float32]),
    st.tuples(st.integers(0, 6), st.integers(3, 7), st.integers(3, 7), st.integers(1, 4)),
    elements=st.integers(0, 255),
)
EVERY = [standardize(np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)), random_shift(2), random_flip()]
EVERY.append(random_affine(20, scale=0.1, pixels=1))
EVERY.append(chain(*EVERY))


def noise(n: int = 32, height: int = 6, width: int = 5, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, height, width, channels), dtype=np.uint8)


@pytest.mark.parametrize("transform", EVERY, ids=repr)
@pytest.mark.parametrize("key", [None, 3])
def test_inputs_are_not_written_and_outputs_are_contiguous(transform: BatchTransform, key: int | None) -> None:
    x = noise()
    before = x.copy()
    x.flags.writeable = False
    y = transform(x, key)
    np.testing.assert_array_equal(x, before)
    assert y.shape == x.shape
    assert y.flags.c_contiguous


@pytest.mark.parametrize("transform", EVERY, ids=repr)
def test_equal_keys_give_equal_draws(transform: BatchTransform) -> None:
    x = noise()
    np.testing.assert_array_equal(transform(x, (1, 2)), transform(x, (1, 2)))


@pytest.mark.parametrize("transform", EVERY[1:], ids=repr)
def test_other_keys_give_other_draws(transform: BatchTransform) -> None:
    x = noise()
    assert not np.array_equal(transform(x, 1), transform(x, 2))


@pytest.mark.parametrize("transform", EVERY, ids=repr)
def test_a_transform_is_a_value(transform: BatchTransform) -> None:
    again = pickle.loads(pickle.dumps(transform))
    assert again == transform
    assert hash(again) == hash(transform)
    names = {"standardize": standardize, "standardize_by": standardize_by, "random_shift": random_shift}
    names |= {"random_flip": random_flip, "random_affine": random_affine, "chain": chain}
    assert eval(repr(transform), names) == transform


@pytest.mark.parametrize("transform", EVERY, ids=repr)
def test_an_empty_batch_passes(transform: BatchTransform) -> None:
    assert transform(noise(0), 5).shape == (0, 6, 5, 3)


@pytest.mark.parametrize("transform", EVERY, ids=repr)
def test_memory_order_does_not_change_the_result(transform: BatchTransform) -> None:
    x = noise()
    turned = np.asfortranarray(x)
    y = transform(turned, 7)
    np.testing.assert_array_equal(y, transform(x, 7))
    assert y.flags.c_contiguous


@given(x=images.filter(lambda x: len(x) > 0))
def test_standardize_gives_its_training_set_zero_mean_and_unit_variance(x: np.ndarray) -> None:
    transform = standardize(x)
    y = transform(x, None)
    assert y.dtype == np.float32
    axes = (0, 1, 2)
    wanted = np.where(x.astype(np.float64).std(axis=axes) > 0, 1.0, 0.0)
    np.testing.assert_allclose(y.mean(axis=axes, dtype=np.float64), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(axis=axes, dtype=np.float64), wanted, atol=1e-4)


def test_statistics_are_those_of_the_whole_set_in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    x = noise(n=50)
    monkeypatch.setattr(data.transforms, "BLOCK_ENTRIES", 7 * x[0].size)  # blocks of 7 images, the last one shorter
    transform = standardize(x)
    np.testing.assert_allclose(transform.call.arguments["mean"], x.mean(axis=(0, 1, 2), dtype=np.float64), rtol=1e-13)
    np.testing.assert_allclose(transform.call.arguments["std"], x.std(axis=(0, 1, 2), dtype=np.float64), rtol=1e-13)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(), (3,), (2, 2)]))
def test_statistics_under_weights_are_those_of_copies(seed: int, positions: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    x, weights = rng.standard_normal((9, *positions, 2)) + 5.0, rng.integers(0, 4, 9)
    weights[0] += 1  # not all zero
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data.transforms, "BLOCK_ENTRIES", 2 * x[0].size)  # blocks of 2 examples, the last one shorter
        mine = standardize(x, weights).call.arguments
    copies = x.repeat(weights, axis=0).reshape(-1, 2)
    np.testing.assert_allclose(mine["mean"], copies.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(mine["std"], copies.std(axis=0), rtol=1e-10, atol=1e-12)


def test_a_channel_that_is_constant_under_weights_is_divided_by_one() -> None:
    x = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 3.0]] * 7)
    assert standardize(x, np.random.default_rng(0).uniform(0.1, 3.0, 21)).call.arguments["std"][0] == 0.0


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(2), r"weights are float64 of shape \(2,\), expected numbers of shape \(3,\), one an image"),
        (np.array(["1", "1", "1"]), "weights are <U1 of shape"),
        (np.array([1.0, -1.0, 1.0]), "weights must be finite numbers that are not negative, one of them above 0"),
        (np.array([1.0, np.nan, 1.0]), "weights must be finite"),
        (np.zeros(3), "weights must be finite"),
    ],
)
def test_weights_that_are_none_are_refused(weights: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"standardize: {message}"):
        standardize(np.ones((3, 2)), weights)


def test_a_large_mean_does_not_cancel_the_deviation() -> None:
    x = (1e8 + np.array([-1.0, 1.0])).reshape(2, 1, 1, 1)
    assert standardize(x).call.arguments["std"] == (1.0,)


def test_a_constant_channel_is_centred_and_divided_by_one() -> None:
    x = noise()
    x[..., 1] = 9
    transform = standardize(x)
    assert transform.call.arguments["std"][1] == 0.0
    other = np.full((1, 6, 5, 3), 12, np.uint8)
    np.testing.assert_array_equal(transform(other, None)[..., 1], 3.0)


def test_standardize_works_on_vectors() -> None:
    x = np.array([[0.0, 5.0], [2.0, 5.0]])
    np.testing.assert_array_equal(standardize(x)(x, None), np.array([[-1, 0], [1, 0]], np.float32))


def test_standardize_makes_no_float_copy_of_the_whole_set() -> None:
    import tracemalloc

    x = np.zeros((4000, 32, 32, 3), np.uint8)
    tracemalloc.start()
    standardize(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < x.nbytes


@pytest.mark.parametrize("shape", [(2, 6, 5, 1), (2, 6, 5, 4), (3,)])
def test_standardize_refuses_another_number_of_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="channels"):
        standardize(noise())(np.zeros(shape, np.uint8), None)


def test_standardize_refuses_what_has_no_statistics() -> None:
    with pytest.raises(ValueError, match="shape"):
        standardize(noise(0))
    with pytest.raises(ValueError, match="not finite"):
        standardize(np.array([[1.0], [np.nan]]))
    with pytest.raises(ValueError, match="2 means, 1 deviations"):
        standardize_by((0.0, 1.0), (1.0,))
    with pytest.raises(ValueError, match="std"):
        standardize_by((0.0,), (-1.0,))


@settings(max_examples=50)
@given(x=images, pixels=st.integers(0, 2), key=st.integers(0, 2**32))
def test_every_image_is_shifted_by_an_offset_in_range_with_zeros_coming_in(
    x: np.ndarray, pixels: int, key: int
) -> None:
    y = random_shift(pixels)(x, key)
    assert y.dtype == x.dtype
    for before, after in zip(x, y, strict=True):
        offsets = range(-pixels, pixels + 1)
        assert any(np.array_equal(after, shifted(before, down, right)) for down in offsets for right in offsets)


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """The naive reference: pixel by pixel."""
    out = np.zeros_like(image)
    height, width, _ = image.shape
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                out[i, j] = image[i - down, j - right]
    return out


def test_all_offsets_are_drawn_for_each_image_on_its_own() -> None:
    x = np.zeros((2000, 5, 5, 1), np.uint8)
    x[:, 2, 2] = 1
    where = np.argwhere(random_shift(2)(x, 0))
    assert len(where) == 2000  # the one bright pixel stays within the image
    counts = np.bincount(where[:, 1] * 5 + where[:, 2], minlength=25)
    assert counts.min() > 40  # 80 expected
    assert counts.max() < 130


@pytest.mark.parametrize("transform", [random_shift(2), random_flip()], ids=repr)
def test_without_a_key_nothing_is_drawn(transform: BatchTransform) -> None:
    x = noise()
    np.testing.assert_array_equal(transform(x, None), x)


def test_a_shift_out_of_sight_or_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="5 pixels would shift a 6x5 image"):
        random_shift(5)(noise(), 0)
    for bad in (-1, 1.5, True):
        with pytest.raises(ValueError, match="pixels is"):
            random_shift(bad)  # type: ignore[arg-type]
    for transform in (random_shift(1), random_flip()):
        with pytest.raises(ValueError, match=r"\(2, 3\)"):
            transform(np.zeros((2, 3)), 0)


@given(x=images, key=st.integers(0, 2**32))
def test_every_image_is_mirrored_or_left(x: np.ndarray, key: int) -> None:
    y = random_flip()(x, key)
    assert y.dtype == x.dtype
    for before, after in zip(x, y, strict=True):
        assert np.array_equal(after, before) or np.array_equal(after, before[:, ::-1])


def test_about_half_of_the_images_are_mirrored() -> None:
    x = noise(1000, 3, 3, 1)
    mirrored = (random_flip()(x, 0) != x).any(axis=(1, 2, 3)).sum()
    assert 440 < mirrored < 560


def test_compose_runs_from_left_to_right_with_the_key_folded_by_position() -> None:
    x, shift, flip, scale = noise(), random_shift(1), random_flip(), standardize(noise())
    y = chain(shift, flip, scale)(x, 4)
    np.testing.assert_array_equal(y, scale(flip(shift(x, keys.fold(4, 0)), keys.fold(4, 1)), None))
    twice = chain(shift, shift)(x, 4)
    assert not np.array_equal(twice, shift(shift(x, keys.fold(4, 0)), keys.fold(4, 0)))


def test_compose_passes_no_key_on() -> None:
    seen: list[keys.Key | None] = []

    def spy(x: np.ndarray, key: keys.Key | None) -> np.ndarray:
        seen.append(key)
        return x

    chain(spy, spy)(noise(), None)
    chain(spy, spy)(noise(), 8)
    assert seen == [None, None, (8, 0), (8, 1)]


def test_shift_before_standardize_fills_with_black_and_after_it_with_the_mean() -> None:
    x = np.full((64, 4, 4, 1), 200, np.uint8)
    scale = standardize_by((100.0,), (50.0,))
    black, mean = chain(random_shift(1), scale)(x, 0), chain(scale, random_shift(1))(x, 0)
    assert set(np.unique(black)) == {-2.0, 2.0}
    assert set(np.unique(mean)) == {0.0, 2.0}


def test_a_channel_that_is_constant_but_for_rounding_is_centred_and_divided_by_one() -> None:
    x = np.full((1000, 7, 7, 1), 0.001)
    assert np.abs(standardize(x)(x)).max() < 1e-6


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_small_deviations_beside_a_large_mean_are_kept(dtype: type) -> None:
    x = (1e6 + np.random.default_rng(0).standard_normal((500, 4, 4, 2))).astype(dtype)
    y = standardize(x)(x).astype(np.float64)
    np.testing.assert_allclose(y, (x - x.mean((0, 1, 2), np.float64)) / x.std((0, 1, 2), np.float64), atol=1e-5)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.ma.masked_array(np.ones((2, 3)), np.eye(2, 3)), "a MaskedArray, expected a NumPy array: fill its masked"),
        (np.ones((2, 3)) + 0j, "hold complex128, expected real numbers"),
        ([[1.0, 2.0]], "a list, expected a NumPy array: convert it"),
        (None, "a NoneType, expected a NumPy array"),
    ],
)
def test_standardize_refuses_what_it_would_misread(bad: object, message: str) -> None:
    for run in (standardize, standardize_by((0.0,) * 3, (1.0,) * 3)):
        with pytest.raises(TypeError, match=message):
            run(bad)
