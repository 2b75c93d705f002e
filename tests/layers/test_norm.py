"""Norms by hand: over what they normalize, and batch norm's two forms."""

import math

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, losses, optim, tree

X = np.random.default_rng(0).standard_normal((6, 4, 3, 8)) * 3.0 + 1.0


def plain(layer, x=X):
    """The output with w = 1 and b = 0."""
    params = tree.map(lambda p: p.astype(x.dtype), layer.init(np.random.default_rng(0), x.shape[1:]))
    return layer.vjp(params, x)[0]


@pytest.mark.parametrize(
    ("layer", "axes"),
    [(layers.layer_norm(1e-12), (3,)), (layers.group_norm(1, 1e-12), (1, 2, 3)), (layers.batch_norm(1e-12), (0, 1, 2))],
)
def test_outputs_have_zero_mean_and_unit_variance_over_what_is_normalized(layer, axes):
    y = plain(layer)
    np.testing.assert_allclose(y.mean(axis=axes), 0.0, atol=1e-13)
    np.testing.assert_allclose(y.var(axis=axes), 1.0, atol=1e-10)


def test_a_group_is_of_neighbouring_channels():
    y = plain(layers.group_norm(4, 1e-12))
    for first in (0, 2, 4, 6):
        np.testing.assert_allclose(y[..., first : first + 2].mean(axis=(1, 2, 3)), 0.0, atol=1e-13)
        np.testing.assert_allclose(y[..., first : first + 2].var(axis=(1, 2, 3)), 1.0, atol=1e-10)


def test_layer_norm_is_a_group_norm_of_one_group_for_vectors():
    vectors = X.reshape(-1, 8)
    np.testing.assert_allclose(plain(layers.layer_norm(), vectors), plain(layers.group_norm(1), vectors), atol=1e-14)


def test_a_constant_input_is_no_division_by_zero():
    for layer in (layers.layer_norm(), layers.group_norm(2), layers.batch_norm()):
        assert not plain(layer, np.full((3, 2, 2, 4), 7.0, np.float32)).any()


def test_a_far_mean_does_not_cancel_the_variance():
    x = (X + 1e4).astype(np.float32)
    for layer in (layers.layer_norm(), layers.group_norm(2), layers.batch_norm()):
        np.testing.assert_allclose(plain(layer, x), plain(layer, x.astype(np.float64)), atol=1e-3)


def batch_normed():
    model = fnn.serial(
        f1=layers.dense(6), n1=layers.batch_norm(), a1=layers.tanh, n2=layers.batch_norm(), f2=layers.dense(3)
    )
    return model, model.init(np.random.default_rng(0), (5,))


def test_batch_norm_of_the_statistics_of_one_batch_is_that_of_training():
    layer = layers.batch_norm()
    params = {"w": np.full(8, 2.0), "b": np.full(8, -1.0)}
    m = X.size // 8
    known = fnn.statistics(layer, params, X, batch_size=len(X))
    np.testing.assert_allclose(known["mean"], X.mean(axis=(0, 1, 2)), atol=1e-14)
    np.testing.assert_allclose(known["var"], X.var(axis=(0, 1, 2)) * m / (m - 1), rtol=1e-12)
    exact = {**known, "var": X.var(axis=(0, 1, 2))}
    np.testing.assert_allclose(layer.apply(exact, X), layer.vjp(params, X)[0], atol=1e-12)


def test_statistics_are_algorithm_2_by_hand():
    """Batches of 2, 2 and 1: the mean of the batch means, and of the unbiased variances, weighed by size."""
    x = np.array([[1.0], [3.0], [5.0], [9.0], [4.0]])
    known = fnn.statistics(layers.batch_norm(), {"w": np.ones(1), "b": np.zeros(1)}, x, batch_size=2)
    assert known["mean"].tolist() == [(2 * 2.0 + 2 * 7.0 + 1 * 4.0) / 5]
    assert known["var"].tolist() == [(2 * 2.0 + 2 * 8.0) / 4]  # unbiased: 2 and 8; of one example there is none


def test_statistics_of_a_later_layer_are_of_what_training_gives_it():
    model, params = batch_normed()
    x = np.random.default_rng(1).standard_normal((16, 5)).astype(np.float32)
    known = fnn.statistics(model, params, x, batch_size=16)
    front = fnn.serial(**dict(model.parts[:3]))
    inner, _ = front.vjp({name: params[name] for name in ("f1", "n1")}, x)
    np.testing.assert_allclose(known["n2"]["mean"], inner.mean(axis=0), atol=1e-6)
    assert "mean" not in params["n2"]  # params are not written


def test_inference_without_statistics_says_how_to_get_them():
    model, params = batch_normed()
    with pytest.raises(TypeError, match=r"^serial\.n1\.mean: missing; .*fnn\.statistics\(model, params, x\)"):
        fnn.predict(model, params, np.zeros((2, 5), np.float32))


def test_training_refuses_statistics():
    model, params = batch_normed()
    known = fnn.statistics(model, params, np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32))
    with pytest.raises(TypeError, match=r"^serial\.n1\.mean: statistics .* are not trained"):
        model.vjp(known, np.zeros((2, 5), np.float32))


def test_fit_validates_under_statistics_and_returns_parameters_without_them():
    model, params = batch_normed()
    x = np.random.default_rng(2).standard_normal((60, 5)).astype(np.float32)
    labels = x[:, :3].argmax(axis=1)
    options = {"loss": losses.softmax_cross_entropy, "optimizer": optim.adam(0.02, weight_decay=0.1)}
    result = fnn.fit(
        model, params, (x, labels), **options, epochs=12, batch_size=12, seed=0, progress=False, validation=(x, labels)
    )
    known = fnn.statistics(model, result.params, x, batch_size=12)
    scores = fnn.evaluate(model, known, x, labels, loss=losses.softmax_cross_entropy)
    assert scores["loss"] == result.history[-1]["val_loss"]
    assert scores["accuracy"] > 0.8
    assert result.params["n1"].keys() == {"w", "b"}


def test_statistics_of_a_model_without_batch_norm_are_its_own_parameters():
    model = layers.dense(2)
    params = model.init(np.random.default_rng(0), (3,))
    assert fnn.statistics(model, params, np.zeros((1, 3), np.float32)) is params


def test_statistics_of_nothing_are_refused():
    model, params = batch_normed()
    with pytest.raises(ValueError, match="statistics: x has 0 examples, expected at least one"):
        fnn.statistics(model, params, np.zeros((0, 5), np.float32))
    with pytest.raises(ValueError, match="one vector have no variance"):
        fnn.statistics(model, params, np.zeros((3, 5), np.float32), batch_size=1)


def test_chunks_of_batch_norm_do_not_depend_on_the_workers():
    model, params = batch_normed()
    x, labels = np.random.default_rng(3).standard_normal((12, 5)).astype(np.float32), np.arange(12) % 3
    grad_fn = fnn.value_and_grad(model, losses.softmax_cross_entropy)
    values = [fnn.data_parallel(grad_fn, workers=w, chunk=4)(params, x, labels)[0] for w in (1, 3)]
    assert values[0] == values[1]
    by_chunk = [grad_fn(params, x[i : i + 4], labels[i : i + 4])[0] for i in (0, 4, 8)]
    assert values[0] == pytest.approx(math.fsum(by_chunk) / 3, rel=1e-12)


def test_many_vectors_far_from_zero_lose_no_digits_in_float32():
    x = (1e4 + np.random.default_rng(0).standard_normal((65536, 4))).astype(np.float32)
    exact = x.astype(np.float64)
    params = {"w": np.ones(4, np.float32), "b": np.zeros(4, np.float32)}
    y, pullback = layers.batch_norm().vjp(params, x)
    np.testing.assert_allclose(y, (exact - exact.mean(0)) / np.sqrt(exact.var(0) + 1e-5), atol=1e-3)
    dy = 1.0 + x
    np.testing.assert_allclose(pullback(dy)[0]["b"], dy.sum(0, dtype=np.float64), rtol=1e-6)
    known = fnn.statistics(layers.batch_norm(), params, x, batch_size=65536)
    np.testing.assert_allclose(known["mean"], exact.mean(0), rtol=1e-7)
    np.testing.assert_allclose(known["var"], exact.var(0, ddof=1), rtol=1e-5)
