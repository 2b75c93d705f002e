"""Each defect does what is told of it, exactly, against the naive forms of the checker's tests; and is rejected."""

from __future__ import annotations

import math

import numpy as np
import pytest

from experiments.autopsy.defects import DEFECTS, loss_with_defects, with_defects
from experiments.autopsy.defects.centring import centred_by
from experiments.autopsy.defects.cross_entropy import naive_softmax
from experiments.autopsy.verdicts import ruling, ruling_on_large_logits
from functional_nn import layers, losses, models
from tests.testing import report_defects as naive

NAIVE = {
    "1": "1 and eq. 5: sigmoid's derivative taken at its input",
    "2": "2: weight gradients dropped",
    "3": "3: kernel rotated over its channels, padded by k",
    "7": "7: softmax with the sigmoid's derivative",
    "8": "8: max pooling's mask of the whole batch",
    "eq. 9": "eq. 9: SiLU's simplified derivative",
    "eq. 9 to the letter": "eq. 9, with x s(x) for s(x)",
}
RIGHT = {
    "1": layers.sigmoid,
    "2": layers.conv2d(4, 3),
    "3": layers.conv2d(4, 3),
    "7": layers.sigmoid,
    "8": layers.max_pool(2),
    "eq. 9": layers.silu,
    "eq. 9 to the letter": layers.silu,
}
WRONG_GRADIENTS = [name for name, defect in DEFECTS.items() if name not in ("5", "6", "9")]


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NAIVE)
def test_a_wrong_layer_gives_what_the_naive_one_gives(name):
    wrong, _, (params, x) = naive.DEFECTS[NAIVE[name]]
    (y, pullback), (expected, expected_pullback) = DEFECTS[name].swap(RIGHT[name]).vjp(params, x), wrong.vjp(params, x)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    dy = np.random.default_rng(3).standard_normal(y.shape)
    (dparams, dx), (expected_dparams, expected_dx) = pullback(dy), expected_pullback(dy)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-9, atol=1e-9)
    assert_same(dparams, expected_dparams)


def test_two_softmaxes_give_what_the_naive_ones_give():
    wrong, _, (logits, labels) = naive.DEFECTS["4: softmax twice, p2 - y passed on"]
    for names in (["4"], ["4", "9"]):
        (value, pullback), (expected, expected_pullback) = (
            loss.vjp(logits, labels) for loss in (loss_with_defects(names), wrong)
        )
        assert value == pytest.approx(expected, rel=1e-12)
        np.testing.assert_allclose(pullback(0.7), expected_pullback(0.7), rtol=1e-12)


@pytest.mark.parametrize("names", [["4"], ["9"], ["4", "9"]])
def test_the_probabilities_of_a_wrong_loss_are_those_whose_logarithm_it_takes(names):
    rng = np.random.default_rng(0)
    loss, logits, labels = loss_with_defects(names), rng.standard_normal((6, 5)), rng.integers(0, 5, 6)
    probabilities = loss.scores(logits)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, rtol=1e-12)
    expected = -np.log(probabilities[np.arange(6), labels]).mean()
    assert loss.apply(logits, labels) == pytest.approx(expected, rel=1e-12)


def test_dw2_in_place_of_w2_gives_what_the_naive_perceptron_gives():
    wrong, _, (matrices, x) = naive.DEFECTS["eq. 4: dw2 where w2 belongs"]
    model = with_defects(models.two_layer_perceptron(6, 3), ["eq. 4"])
    params = {"hidden": {"w": matrices["w1"], "b": np.zeros(6)}, "output": {"w": matrices["w2"], "b": np.zeros(3)}}
    (y, pullback), (expected, expected_pullback) = model.vjp(params, x), wrong.vjp(matrices, x)
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    dy = np.random.default_rng(3).standard_normal(y.shape)
    (dparams, dx), (expected_dparams, expected_dx) = pullback(dy), expected_pullback(dy)
    np.testing.assert_allclose(dparams["hidden"]["w"], expected_dparams["w1"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(dparams["output"]["w"], expected_dparams["w2"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", WRONG_GRADIENTS)
def test_the_checker_rejects_every_wrong_gradient(name):
    for seed in range(3):
        assert ruling(name, seed).verdict == "wrong derivative"


def test_the_checker_has_nothing_against_what_is_no_wrong_gradient():
    assert str(ruling("5")) == "passes"
    assert str(ruling("9")) == "passes"
    assert ruling("6") is None


def test_the_checker_rejects_the_overflow_of_large_logits_and_accepts_the_right_loss_there():
    assert ruling_on_large_logits(loss_with_defects(["9"])).verdict is not None
    assert ruling_on_large_logits(losses.softmax_cross_entropy).verdict is None


def test_softmax_without_its_maximum_overflows_where_the_dtype_does():
    for dtype in (np.float32, np.float64):
        limit = math.log(np.finfo(dtype).max)
        bearable, too_large = (naive_softmax(np.array([limit + d, 0.0]), dtype) for d in (-0.5, 0.5))
        np.testing.assert_allclose(bearable, [1.0, 0.0], atol=1e-30)
        assert np.isnan(too_large[0])


def test_two_softmaxes_cannot_bring_the_loss_below_their_floor():
    logits = 1e4 * np.eye(50)
    floor = math.log(math.e + 49) - 1
    assert loss_with_defects(["4"]).apply(logits, np.arange(50)) == pytest.approx(floor, rel=1e-12)
    assert loss_with_defects([]).apply(logits, np.arange(50)) == 0.0


def test_convolutions_are_drawn_k_times_too_wide_and_biases_from_the_unit_normal():
    model = with_defects(models.lenet5(), ["5"])
    draws = [model.init(np.random.default_rng(seed), (32, 32, 1)) for seed in range(40)]
    for name, channels in (("c1", 1), ("c3", 6)):
        weights = np.stack([params[name]["w"] for params in draws])
        assert weights.dtype == np.float32
        assert np.std(weights) == pytest.approx(math.sqrt(2 / channels), rel=0.05)
    biases = np.concatenate([params[name]["b"] for params in draws for name in params])
    assert np.std(biases) == pytest.approx(1.0, rel=0.05)
    assert abs(biases.mean()) < 0.05


def test_dense_weights_are_drawn_as_in_the_right_network():
    right = models.lenet5().init(np.random.default_rng(0), (32, 32, 1))["f5"]["w"]
    wrong = with_defects(models.lenet5(), ["5"]).init(np.random.default_rng(0), (32, 32, 1))["f5"]["w"]
    assert np.std(wrong) == pytest.approx(np.std(right), rel=0.02)


def test_a_split_is_centred_by_its_own_mean():
    rng = np.random.default_rng(0)
    train = rng.integers(0, 200, (20, 8, 8, 3), np.uint8)
    bright = rng.integers(100, 256, (5, 8, 8, 3), np.uint8)
    x = centred_by(bright, train)(bright)
    np.testing.assert_allclose(x.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=(0, 1, 2)), bright.std(axis=(0, 1, 2)) / train.std(axis=(0, 1, 2)), rtol=1e-5)


def test_a_mask_of_one_image_is_right():
    """The wrong pooling mixes the images of a batch: it is right of a batch of one."""
    x = np.random.default_rng(0).standard_normal((6, 8, 8, 2))
    wrong, right = DEFECTS["8"].swap(layers.max_pool(2)), layers.max_pool(2)
    dy = np.random.default_rng(1).standard_normal((6, 4, 4, 2))
    one = slice(0, 1)
    np.testing.assert_array_equal(wrong.vjp({}, x[one])[1](dy[one])[1], right.vjp({}, x[one])[1](dy[one])[1])
    assert not np.array_equal(wrong.vjp({}, x)[1](dy)[1], right.vjp({}, x)[1](dy)[1])


def test_a_convolution_with_a_stride_is_refused():
    wrong = DEFECTS["3"].swap(layers.conv2d(2, 3, stride=2))
    params = wrong.init(np.random.default_rng(0), (9, 9, 1))
    y, pullback = wrong.vjp(params, np.ones((1, 9, 9, 1), np.float32))
    with pytest.raises(ValueError, match="expected a square kernel, stride 1 and no padding"):
        pullback(y)


def test_a_defect_of_a_layer_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="has no conv2d, which defect 2 changes"):
        with_defects(models.two_layer_perceptron(), ["2"])


def test_defects_on_each_other_are_all_there():
    names = ["2", "3", "4", "5", "8", "9"]
    model, x = with_defects(models.lenet5(), names), np.random.default_rng(0).standard_normal((4, 32, 32, 1))
    assert [part.name for _, part in model.parts][:3] == [
        "conv2d_without_weight_gradients_rotated_over_channels_drawn_too_wide",
        "sigmoid",
        "max_pool_marked_by_the_whole_batch",
    ]
    params = model.init(np.random.default_rng(0), (32, 32, 1))
    y, pullback = model.vjp(params, x.astype(np.float32), wrt_x=False)
    dparams, _ = pullback(np.ones_like(y))
    assert not dparams["c1"]["w"].any()
    assert not dparams["c3"]["b"].any()
    assert dparams["f5"]["w"].any()
