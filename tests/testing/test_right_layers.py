"""No false alarms: right layers pass whatever their scale, their steepness, their kinks and their size."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import Layer, layers, models, tree
from functional_nn.testing import check_vjp, strategies
from tests.testing.toys import affine, affine_point, elementwise, normal, with_pullback

SCALES = [1e-90, 1e-9, 1e-4, 1.0, 1e4, 1e9, 1e90]


@pytest.mark.parametrize("outputs", SCALES)
@pytest.mark.parametrize("inputs", SCALES)
def test_scale_of_outputs_and_inputs_does_not_matter(outputs, inputs):
    layer = elementwise(lambda x: outputs * np.tanh(x / inputs), lambda x: outputs / inputs / np.cosh(x / inputs) ** 2)
    check_vjp(layer, {}, inputs * normal(3, 4))


@pytest.mark.parametrize("steepness", SCALES[:-1])  # beyond 1e16 a sine has no digit right
def test_steepness_does_not_matter(steepness):
    layer = elementwise(lambda x: np.sin(steepness * x), lambda x: steepness * np.cos(steepness * x))
    check_vjp(layer, {}, normal(3, 4))


@pytest.mark.parametrize("decades", [3, 9])
def test_entries_of_very_different_sizes_pass(decades):
    x = normal(4, 6) * 10.0 ** np.random.default_rng(1).uniform(-decades, decades, (4, 6))
    for layer in (layers.relu, layers.tanh, elementwise(np.square, lambda x: 2.0 * x)):
        check_vjp(layer, {}, x)


@pytest.mark.parametrize("size", [1e2, 1e4])
@pytest.mark.parametrize("layer", [layers.sigmoid, layers.silu, layers.softplus, layers.tanh], ids=repr)
def test_saturated_layers_pass(layer, size):
    for seed in range(20):
        check_vjp(layer, {}, size * normal(2, 3, seed=seed), seed=seed)


def test_functions_that_do_not_depend_on_their_input_pass():
    check_vjp(elementwise(np.ones_like, np.zeros_like), {}, normal(3, 2))
    check_vjp(layers.relu, {}, -1.0 - normal(3, 2) ** 2)


def test_a_kink_close_to_the_point_is_passed_by_smaller_steps():
    for distance in 10.0 ** -np.arange(2.0, 11.0):
        x = normal(3, 4)
        x[1, 2] = distance
        check_vjp(layers.relu, {}, x)


def test_derivatives_that_are_not_differentiable_pass():
    layer = elementwise(lambda x: np.abs(x) ** 1.5, lambda x: 1.5 * np.sign(x) * np.sqrt(np.abs(x)))
    x = normal(3, 4)
    x[0] = 0.0
    check_vjp(layer, {}, x)


def test_domains_with_an_edge_are_respected():
    logarithm = elementwise(np.log, lambda x: 1.0 / x)
    check_vjp(logarithm, {}, np.array([[1e-9, 1.0, 3.0, 2.0]]))


@given(st.data(), st.sampled_from([np.float64, np.float32]), st.booleans())
def test_random_networks_pass(data, dtype, keyed):
    shape = data.draw(st.one_of(strategies.vector_shapes(), strategies.image_shapes()))
    network = data.draw(strategies.networks(shape, keyed=keyed))
    params = data.draw(strategies.params(network, shape, dtype=dtype))
    x = data.draw(strategies.batches(shape, min_size=2 if keyed else 1, dtype=dtype))
    check_vjp(network, params, x, key=0 if keyed else None)


@pytest.mark.parametrize("activation", [layers.sigmoid, layers.relu], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_of_sixty_thousand_parameters_passes(activation, dtype):
    model, rng = models.lenet5(activation=activation), np.random.default_rng(0)
    params = tree.map(lambda p: (p + 0.05 * normal(*p.shape)).astype(dtype), model.init(rng, (32, 32, 1)))
    check_vjp(model, params, normal(2, 32, 32, 1).astype(dtype))


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_empty_batches_and_inputs_pass(shape):
    check_vjp(layers.relu, {}, np.zeros(shape))


def test_full_jacobian_passes():
    params, x = affine_point(3, 4, 2)
    check_vjp(affine(2), params, x, full=True)
    check_vjp(layers.max_pool(2), {}, normal(2, 4, 4, 2), full=True)


def test_full_jacobian_of_a_large_layer_is_refused():
    with pytest.raises(ValueError, match="full=True is for at most"):
        check_vjp(layers.relu, {}, normal(100, 100), full=True)


def test_layers_that_draw_are_checked_with_their_key():
    def dropped(x, key):
        return (np.random.default_rng(key).random(x.shape) < 0.5) * 2.0

    def vjp(params, x, *, key=None, wrt_x=True):
        mask = dropped(x, key)
        return mask * x, lambda dy: ({}, mask * dy if wrt_x else None)

    dropout = Layer("dropout", apply=lambda params, x: x, vjp=vjp)
    check_vjp(dropout, {}, normal(5, 6), key=3)
    forgetful = dropout.replace(
        vjp=lambda params, x, *, key=None, wrt_x=True: (dropped(x, key) * x, lambda dy: ({}, dy if wrt_x else None))
    )
    with pytest.raises(AssertionError, match="wrong derivative"):
        check_vjp(forgetful, {}, normal(5, 6), key=3)


def test_complex_step_judges_analytic_functions_to_the_last_digits():
    check_vjp(elementwise(np.sin, np.cos), {}, normal(3, 4), method="complex")
    check_vjp(affine(2), *affine_point(3, 4, 2), method="complex", full=True)
    barely_wrong = elementwise(np.sin, lambda x: np.cos(x) * (1.0 + 1e-12))
    check_vjp(barely_wrong, {}, normal(3, 4))
    with pytest.raises(AssertionError, match="complex step of <dy, y>"):
        check_vjp(barely_wrong, {}, normal(3, 4), method="complex")


@pytest.mark.parametrize(
    "layer",
    [
        layers.softplus,
        elementwise(np.abs, np.sign),
        elementwise(lambda x: np.abs(x) + 0.0 * x, np.sign),
    ],
    ids=["has no complex form", "drops the imaginary part", "not analytic"],
)
def test_complex_step_refuses_functions_that_it_cannot_judge(layer):
    with pytest.raises(ValueError, match='method="finite"'):
        check_vjp(layer, {}, normal(3, 4), method="complex")


ANALYTIC = {
    "dense": (layers.dense(3), (4,)),
    "conv2d": (layers.conv2d(3, (3, 2), stride=(1, 2), padding=1), (5, 6, 2)),
    "avg_pool": (layers.avg_pool(3, stride=2), (5, 6, 2)),
    "zero_pad": (layers.zero_pad(((1, 0), (0, 2))), (3, 2, 2)),
    "flatten": (layers.flatten(), (3, 2, 2)),
    "sigmoid": (layers.sigmoid, (4,)),
    "tanh": (layers.tanh, (4,)),
    "scaled_tanh": (layers.scaled_tanh, (4,)),
    "silu": (layers.silu, (4,)),
    "asinh_unit": (layers.asinh_unit, (4,)),
    "lenet5": (models.lenet5(3, activation=layers.silu), (32, 32, 1)),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_analytic_layers_of_the_library_are_right_to_the_last_digits(name):
    layer, shape = ANALYTIC[name]
    rng = np.random.default_rng(0)
    params = tree.map(lambda p: p + 0.1 * rng.standard_normal(p.shape), layer.init(rng, shape))
    x = rng.standard_normal((2, *shape))
    check_vjp(layer, params, x, method="complex")

    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = layer.vjp(params, x, key=key, wrt_x=wrt_x)
        return y, lambda dy: tree.map(lambda gradient: gradient * (1.0 + 1e-11), pullback(dy))

    barely_wrong = layer.replace(vjp=vjp)
    with pytest.raises(AssertionError, match="complex step of <dy, y>"):
        check_vjp(barely_wrong, params, x, method="complex")


def test_complex_arrays_are_refused_again_after_a_complex_step():
    for x in (normal(3, 4), -np.inf * np.ones((1, 1))):
        with suppress(ValueError):
            check_vjp(layers.sigmoid, {}, x, method="complex")
        with pytest.raises(TypeError, match="x is complex128, expected float32 or float64"):
            layers.sigmoid.apply({}, x.astype(np.complex128))


def test_nothing_is_written_and_no_global_random_state_is_used():
    params, x = affine_point(3, 4, 2)
    before, state = (params["w"].copy(), params["b"].copy(), x.copy()), np.random.get_state()[1].copy()  # noqa: NPY002
    check_vjp(affine(2), params, x)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    for array, kept in zip((params["w"], params["b"], x), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_outputs_in_any_memory_order_pass():
    check_vjp(
        with_pullback(lambda x: np.asfortranarray(x * x), lambda x, dy: (2.0 * x * dy).T.copy().T), {}, normal(3, 4)
    )


@pytest.mark.parametrize("bad", [np.arange(3), [1.0], normal(2, 2).astype(np.float16)])
def test_inputs_that_are_no_float_arrays_are_refused(bad):
    with pytest.raises(TypeError, match=r"relu\.x"):
        check_vjp(layers.relu, {}, bad)


def test_mixed_dtypes_and_infinite_inputs_are_refused():
    params, x = affine_point(3, 4, 2)
    with pytest.raises(TypeError, match=r"affine\.b is float64, x is float32"):
        check_vjp(affine(2), params, x.astype(np.float32))
    with pytest.raises(ValueError, match=r"affine\.x is not finite"):
        check_vjp(affine(2), params, x * np.inf)
    with pytest.raises(ValueError, match="method"):
        check_vjp(affine(2), params, x, method="forward")
