"""The dense layer by hand."""

import numpy as np

from functional_nn import initializers, layers

PARAMS = {"w": np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), "b": np.array([0.5, 0.0, -0.5])}


def test_output_is_x_times_w_plus_b():
    y = layers.dense(3).apply(PARAMS, np.array([[1.0, 10.0], [0.0, 0.0]]))
    assert y.tolist() == [[41.5, 52.0, 62.5], [0.5, 0.0, -0.5]]


def test_gradients_of_a_hand_worked_example():
    x = np.array([[1.0, 10.0], [2.0, 20.0]])
    _, pullback = layers.dense(3).vjp(PARAMS, x)
    dparams, dx = pullback(np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 2.0]]))
    assert dparams["w"].tolist() == [[1.0, 2.0, 4.0], [10.0, 20.0, 40.0]]  # x^T dy, summed over the batch
    assert dparams["b"].tolist() == [1.0, 1.0, 2.0]
    assert dx.tolist() == [[1.0, 4.0], [8.0, 17.0]]  # dy w^T


def test_parameters_have_the_contracts_names_shapes_and_start():
    params = layers.dense(4).init(np.random.default_rng(0), (7,))
    assert {name: p.shape for name, p in params.items()} == {"w": (7, 4), "b": (4,)}
    np.testing.assert_array_equal(params["w"], initializers.glorot_uniform(np.random.default_rng(0), (7, 4)))
    assert params["b"].tolist() == [0.0] * 4


def test_initializers_can_be_chosen():
    def ones(rng, shape):
        return np.ones(shape, np.float32)

    params = layers.dense(2, w_init=initializers.lecun_normal, b_init=ones).init(np.random.default_rng(0), (3,))
    np.testing.assert_array_equal(params["w"], initializers.lecun_normal(np.random.default_rng(0), (3, 2)))
    assert params["b"].tolist() == [1.0, 1.0]


def test_dense_prints_what_is_not_default():
    assert repr(layers.dense(3)) == "dense(3)"
    assert repr(layers.dense(3, w_init=initializers.he_normal)) == "dense(3, w_init=he_normal)"
