"""Laws that hold for every public layer, driven by the table in `table.py`."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import Layer, initializers, layers, tree
from functional_nn.testing import check_vjp
from tests.drawn import arguments_of, values_of
from tests.layers.cases import KEY, Case, cases, memory_orders
from tests.layers.table import ROWS, VJP_IS_APPLY


def for_every_layer(test):
    """Run `test(name, data)` for every row, on examples that hypothesis draws."""
    names = sorted(name for name, row in ROWS.items() if test.__name__ not in row.but)
    return pytest.mark.parametrize("name", names)(given(data=st.data())(test))


def drawn(name, data, **options) -> Case:
    return data.draw(cases(ROWS[name], **options), label=name)


def close(actual, expected, atol):
    np.testing.assert_allclose(actual, expected, rtol=0.0, atol=atol, strict=True)


def same(a, b):
    """Equal trees of equal arrays, bit for bit."""
    tree.map(lambda left, right: np.testing.assert_array_equal(left, right, strict=True), a, b)


def signature(array):
    return None if array is None else (array.shape, array.dtype)


def test_every_public_layer_has_a_row():
    assert set(layers.__all__) == set(ROWS)


def test_laws_that_rows_are_excused_from_are_tests_of_this_file():
    assert {law for row in ROWS.values() for law in row.but} <= globals().keys()


@pytest.mark.parametrize("name", ROWS)
def test_a_rows_make_is_the_public_layer_or_its_constructor(name):
    public, make = getattr(layers, name), ROWS[name].make
    assert (make() if isinstance(public, Layer) else make) is public


@for_every_layer
def test_a_layer_has_its_public_name(name, data):
    assert drawn(name, data).layer.name == name


@pytest.mark.parametrize("name", ROWS)
def test_a_row_draws_every_argument_of_the_constructor_with_several_values(name):
    arguments = [] if isinstance(getattr(layers, name), Layer) else arguments_of(getattr(layers, name))
    values = values_of(ROWS[name].cases.map(lambda case: case[0]), examples=150)
    assert {argument: len(values[argument]) > 1 for argument in arguments} == dict.fromkeys(arguments, True)


@for_every_layer
def test_output_is_that_of_the_naive_reference(name, data):
    case = drawn(name, data)
    y = case.layer.apply(case.inference, case.x)
    assert y.dtype == case.dtype
    close(y.astype(np.float64), case.expected(), case.tolerance())


@for_every_layer
def test_pullback_is_the_adjoint(name, data):
    case = drawn(name, data)  # in float32 too: its gradients are held against float64's
    check_vjp(case.layer, case.params, case.x, key=KEY if VJP_IS_APPLY in case.row.but else None)


@for_every_layer
def test_output_of_vjp_is_that_of_apply(name, data):
    case = drawn(name, data)
    y, _ = case.vjp()
    same(y, case.layer.apply(case.inference, case.x))


@for_every_layer
def test_inputs_are_not_written(name, data):
    case = drawn(name, data)  # its arrays are read-only, so a write raises; the copies show a write past that
    arrays = {"params": case.params, "inference": case.inference, "x": case.x, "dy": case.dy}
    before = tree.map(np.copy, arrays)
    case.layer.apply(case.inference, case.x)
    case.run()
    same(arrays, before)


@for_every_layer
def test_nothing_that_comes_out_shares_memory_with_what_went_in(name, data):
    case = drawn(name, data)
    y = case.layer.apply(case.inference, case.x)
    trained, pullback = case.vjp()
    dparams, dx = pullback(case.dy)
    inputs = [case.x, case.dy, *tree.leaves(case.params), *tree.leaves(case.inference)]
    for out in tree.leaves((y, trained, dx, dparams)):
        assert not any(np.shares_memory(out, array) for array in inputs)


@for_every_layer
def test_pullback_gives_the_same_again_after_its_results_were_overwritten(name, data):
    case = drawn(name, data)
    _, pullback = case.vjp()
    first = pullback(case.dy)
    kept = tree.map(np.copy, first)
    for gradient in tree.leaves(first):
        gradient[...] = -7.0
    same(pullback(case.dy), kept)


@for_every_layer
def test_examples_of_a_batch_do_not_see_each_other(name, data):
    case = drawn(name, data, examples=st.integers(2, 4))
    y, dparams, dx = case.run()
    singles = [case.vjp(x=case.x[i : i + 1]) for i in range(len(case.x))]
    gradients = [single[1](case.dy[i : i + 1]) for i, single in enumerate(singles)]
    close(y, np.concatenate([single[0] for single in singles]), case.tolerance())
    if case.row.has_dx:
        close(dx, np.concatenate([gradient[1] for gradient in gradients]), case.tolerance())
    total = tree.map(lambda *parts: sum(parts), *[gradient[0] for gradient in gradients])
    tree.map(lambda whole, summed: close(whole, summed, case.tolerance()), dparams, total)


@for_every_layer
def test_gradients_have_the_tree_shapes_and_dtypes_of_what_they_belong_to(name, data):
    case = drawn(name, data)
    y, dparams, dx = case.run()
    assert signature(y) == signature(case.dy)
    assert signature(dx) == (signature(case.x) if case.row.has_dx else None)
    assert type(dparams) is dict
    assert {entry: signature(gradient) for entry, gradient in dparams.items()} == {
        entry: signature(parameter) for entry, parameter in case.params.items()
    }


@for_every_layer
def test_float32_is_float64_rounded(name, data):
    short = drawn(name, data, dtypes=(np.float32,))
    wide = short.as_type(np.float64)
    tree.map(lambda a, b: close(a.astype(np.float64), b, short.tolerance()), short.run(), wide.run())


@for_every_layer
def test_empty_batch_passes(name, data):
    case = drawn(name, data, examples=st.just(0))
    y, dparams, dx = case.run()
    assert signature(y) == signature(case.layer.apply(case.inference, case.x)) == signature(case.dy)
    assert signature(dx) == (signature(case.x) if case.row.has_dx else None)
    same(dparams, tree.zeros_like(case.params))


@for_every_layer
def test_output_shape_is_that_of_the_output(name, data):
    case = drawn(name, data)
    y = case.layer.apply(case.inference, case.x)
    shape = case.layer.output_shape(case.x.shape[1:])
    assert shape == y.shape[1:]
    assert all(type(size) is int for size in shape)


@for_every_layer
def test_without_dx_the_parameters_gradients_are_the_same(name, data):
    case = drawn(name, data)
    y, pullback = case.layer.vjp(case.params, case.x, key=KEY, wrt_x=False)
    dparams, dx = pullback(case.dy)
    assert dx is None
    same((y, dparams), case.run()[:2])


@for_every_layer
def test_memory_order_does_not_matter(name, data):
    case = drawn(name, data)
    x, dy = data.draw(memory_orders(case.x)), data.draw(memory_orders(case.dy))
    params = tree.map(lambda p: data.draw(memory_orders(p)), case.params)
    y, pullback = case.vjp(params, x)
    tree.map(lambda a, b: close(a, b, case.tolerance()), (y, *pullback(dy)), case.run())
    inference = tree.map(lambda p: data.draw(memory_orders(p)), case.inference)
    close(case.layer.apply(inference, x), case.layer.apply(case.inference, case.x), case.tolerance())


@for_every_layer
def test_init_follows_from_its_generator_and_gives_float32(name, data):
    case = drawn(name, data)
    first, again = (case.layer.init(np.random.default_rng(5), case.x.shape[1:]) for _ in range(2))
    same(first, again)
    assert first.keys() == case.params.keys()
    assert all(p.dtype == np.float32 for p in tree.leaves(first))


@for_every_layer
def test_layer_prints_as_the_call_that_makes_it(name, data):
    case = drawn(name, data)
    namespace = {key: getattr(layers, key) for key in layers.__all__}
    made = eval(repr(case.layer), {"__builtins__": {}}, namespace)
    assert made == case.layer
    assert repr(made) == repr(case.layer)


@for_every_layer
def test_layers_are_equal_exactly_when_they_are_configured_alike(name, data):
    case, other = drawn(name, data), drawn(name, data)
    again = case.row.make(**case.arguments)
    assert again == case.layer
    assert hash(again) == hash(case.layer)
    same_output = repr(other.layer) == repr(case.layer)  # by the test above, what prints alike is made alike
    assert (other.layer == case.layer) == same_output


def test_different_layers_are_unequal():
    made = [getattr(layers, name) for name in layers.__all__ if isinstance(getattr(layers, name), Layer)]
    made += [layers.leaky_relu(0.1), layers.leaky_relu(0.2), layers.dense(2), layers.dense(3), layers.flatten()]
    made += [layers.dense(2, w_init=initializers.he_normal), layers.conv2d(2, 3), layers.conv2d(2, 3, stride=2)]
    made += [layers.max_pool(2), layers.max_pool(3), layers.max_pool(2, stride=1), layers.avg_pool(2)]
    made += [
        layers.layer_norm(),
        layers.layer_norm(0.1),
        layers.group_norm(2),
        layers.group_norm(1),
        layers.batch_norm(),
    ]
    made += [
        layers.dropout(0.1),
        layers.dropout(0.2),
        layers.reshape((2, 3)),
        layers.reshape((6,)),
        layers.global_avg_pool(),
    ]
    made += [layers.conv2d(2, 3, padding=1), layers.zero_pad(1), layers.zero_pad(((0, 1), (0, 1)))]
    made += [layers.upsample(2), layers.upsample((1, 2))]
    made += [layers.conv2d_transpose(2, 3), layers.conv2d_transpose(2, 3, stride=2)]
    for i, one in enumerate(made):
        assert [one == other for other in made] == [i == j for j in range(len(made))]
        assert one != "layer"


@for_every_layer
def test_layer_pickles(name, data):
    case = drawn(name, data)
    copy = replace(case, layer=pickle.loads(pickle.dumps(case.layer)))
    assert copy.layer == case.layer
    same(copy.layer.apply(case.inference, case.x), case.layer.apply(case.inference, case.x))
    same(copy.run(), case.run())
