"""LeNet-5 of 1998 against its paper: sizes, connections, outputs and their loss."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import data, layers, models, optim, tree
from functional_nn.models.lenet1998 import layers as layers1998
from functional_nn.testing import check_loss, check_vjp
from tests.refusals import refused

MODEL = models.lenet5_1998()
PARAMS = MODEL.init(np.random.default_rng(0), (32, 32, 1))


def test_parameters_are_as_many_as_the_paper_counts():
    counts = {name: tree.size(entry) for name, entry in PARAMS.items()}
    assert counts == {"c1": 156, "s2": 12, "c3": 1516, "s4": 32, "c5": 48_120, "f6": 10_164}
    assert tree.size(PARAMS) == 60_000


def test_table_1_connects_as_the_paper_describes():
    """The first six maps read three neighbouring ones, the next six four, three read two pairs, the last reads all."""
    out_of, into = layers1998.connections()
    read = [sorted(out_of[into == column].tolist()) for column in range(16)]
    assert read[:6] == [sorted((i + k) % 6 for k in range(3)) for i in range(6)]
    assert read[6:12] == [sorted((i + k) % 6 for k in range(4)) for i in range(6)]
    assert read[12:15] == [[0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5]]
    assert read[15] == [0, 1, 2, 3, 4, 5]


def test_connected_convolution_is_the_sum_over_its_connections():
    layer = layers1998.connected_conv()
    rng = np.random.default_rng(1)
    params = tree.map(lambda p: p.astype(np.float64), layer.init(rng, (7, 7, 6)))
    x = rng.standard_normal((2, 7, 7, 6))
    y = layer.apply(params, x)
    out_of, into = layers1998.connections()
    for column in range(16):
        plain = params["b"][column]
        for connection in np.flatnonzero(into == column):
            one = {"w": params["w"][:, :, connection][..., None, None], "b": np.zeros(1)}
            source = out_of[connection]
            plain = plain + layers.conv2d(1, 5).apply(one, x[..., source : source + 1])[..., 0]
        np.testing.assert_allclose(y[..., column], plain, atol=1e-12)


def test_subsampling_adds_four_and_scales():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    y = layers1998.subsampling().apply({"w": np.array([0.5]), "b": np.array([1.0])}, x)
    assert y[0, :, :, 0].tolist() == [[6.0, 10.0], [22.0, 26.0]]  # 10, 18, 42, 50 halved, plus 1


def test_outputs_are_squared_distances_from_the_pictures():
    codes = layers1998.codes()
    assert codes.shape == (10, 84)
    assert set(np.unique(codes)) == {-1.0, 1.0}
    assert len({tuple(code) for code in codes}) == 10
    y = layers1998.radial_basis().apply({}, codes)
    expected = [[sum((a - b) ** 2 for a, b in zip(x, c, strict=True)) for c in codes.tolist()] for x in codes.tolist()]
    np.testing.assert_allclose(y, expected)
    assert (np.diag(y) == 0).all()


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers1998.subsampling(), (4, 6, 3)),
        (layers1998.connected_conv(), (6, 7, 6)),
        (layers1998.radial_basis(), (84,)),
    ],
)
def test_pullbacks_are_adjoints(layer, shape):
    rng = np.random.default_rng(2)
    params = tree.map(lambda p: p.astype(np.float64), layer.init(rng, shape))
    check_vjp(layer, params, rng.standard_normal((2, *shape)))


def test_the_whole_network_is_the_derivative_of_itself():
    params = tree.map(lambda p: p.astype(np.float64), PARAMS)
    check_vjp(MODEL, params, np.random.default_rng(3).standard_normal((1, 32, 32, 1)))


@given(st.integers(0, 1000), st.sampled_from([0.1, 1.0, 5.0]))
def test_loss_is_equation_9_and_its_pullback_the_derivative(seed, j):
    rng = np.random.default_rng(seed)
    y, labels = 4.0 * rng.random((3, 10)), rng.integers(0, 10, 3)
    loss = models.penalty_loss(j)
    terms = [row[d] + math.log(math.exp(-j) + sum(math.exp(-v) for v in row)) for row, d in zip(y, labels, strict=True)]
    assert loss.apply(y, labels) == pytest.approx(sum(terms) / 3, rel=1e-12)
    check_loss(loss, y, labels)


def test_loss_of_far_penalties_neither_over_nor_underflows():
    y = np.array([[3e4, 1e4]], np.float32)
    value, pullback = models.penalty_loss(0.5).vjp(y, np.array([0]))
    assert value == pytest.approx(3e4 - 0.5)
    np.testing.assert_allclose(pullback(1.0), [[1.0, 0.0]])


def test_the_smallest_output_is_a_hit():
    assert models.penalty_loss().hits(np.array([[3.0, 1.0], [0.0, 2.0]]), np.array([0, 0])).tolist() == [False, True]


def test_scores_are_the_likelihoods_of_the_digits_beside_rubbish():
    scores = models.penalty_loss(0.5).scores(np.array([[1.0, 2.0], [800.0, 900.0]]))
    total = math.exp(-0.5) + math.exp(-1.0) + math.exp(-2.0)
    np.testing.assert_allclose(scores[0], [math.exp(-1.0) / total, math.exp(-2.0) / total], rtol=1e-14)
    np.testing.assert_allclose(scores[1], [0.0, 0.0], atol=1e-300)  # far from all digits


def test_bad_input_is_refused():
    with refused(ValueError, "penalty_loss: rubbish is 0, expected a finite number above 0"):
        models.penalty_loss(0)
    with refused(ValueError, "connected_conv: input is (14, 14, 5), table I connects 6 maps"):
        layers1998.connected_conv().init(np.random.default_rng(0), (14, 14, 5))
    with refused(ValueError, "lenet5_1998.c5: input of height 4, padding included, is smaller than the window of 5"):
        MODEL.init(np.random.default_rng(0), (28, 28, 1))


def test_it_learns_the_digits():
    digits = data.digits()
    images, labels = digits.train
    result = fnn.fit(
        MODEL, PARAMS, (images[:640], labels[:640]), loss=models.penalty_loss(), optimizer=optim.adam(2e-3), epochs=6,
        batch_size=32, seed=0, transform=data.standardize(images), validation=digits.val, progress=False,
    )  # fmt: skip
    assert result.history[-1]["val_accuracy"] > 0.85
