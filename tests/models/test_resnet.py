"""The small residual network: its size, its shapes and that it composes with everything else."""

import numpy as np

import functional_nn as fnn
from functional_nn import losses, models, tree
from functional_nn.testing import check_vjp
from tests.refusals import refused

MODEL = models.small_resnet(5, width=16)  # two channels a group: of one, the norm takes the bias out
PARAMS = MODEL.init(np.random.default_rng(0), (8, 8, 3))


def test_parameters_are_as_many_as_the_docstring_says():
    model = models.small_resnet(50)
    assert tree.size(model.init(np.random.default_rng(0), (32, 32, 3))) == 154_738


def test_the_whole_network_is_the_derivative_of_itself():
    params = tree.map(lambda p: p.astype(np.float64), PARAMS)
    check_vjp(MODEL, params, np.random.default_rng(1).standard_normal((2, 8, 8, 3)))


def test_its_step_is_the_same_for_every_number_of_workers():
    x = np.random.default_rng(2).standard_normal((8, 8, 8, 3)).astype(np.float32)
    grad_fn = fnn.value_and_grad(MODEL, losses.softmax_cross_entropy)
    steps = [fnn.data_parallel(grad_fn, workers=w, chunk=2)(PARAMS, x, np.arange(8) % 5) for w in (1, 2)]
    tree.map(np.testing.assert_array_equal, *[grads for _, grads in steps])


def test_a_width_that_the_groups_do_not_divide_is_refused():
    with refused(ValueError, "small_resnet: width is 12, expected a multiple of 8: the norm's groups"):
        models.small_resnet(width=12)
