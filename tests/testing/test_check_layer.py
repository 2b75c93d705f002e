"""check_layer draws points that show what random numbers of one shape hide, and lets every right layer pass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import functional_nn as fnn
from functional_nn import Layer, layers
from functional_nn.layer import ShapeError
from functional_nn.testing import GradientError, check_layer
from tests.layers.table import ROWS
from tests.testing.toys import affine, elementwise, normal, with_pullback


def error_of(layer, shape):
    with pytest.raises(GradientError) as caught:
        check_layer(layer, shape)
    return caught.value


@pytest.mark.parametrize("name", layers.__all__)
@settings(max_examples=2)
@given(data=st.data())
def test_every_public_layer_passes(name, data):
    arguments, shape = data.draw(ROWS[name].cases)
    check_layer(ROWS[name].make(**arguments), shape, seed=data.draw(st.integers(0, 9)))


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (fnn.serial(c=layers.conv2d(2, 3), r=layers.relu, p=layers.max_pool(2), d=layers.dropout(0.3)), (4, 5, 1)),
        (fnn.serial(e=layers.embedding(5, 3), f=layers.flatten(), d=layers.dense(2)), (4,)),
        (fnn.residual(layers.relu), (3,)),
        (fnn.serial(a=layers.dense(4), r=layers.relu, b=layers.dense(2)), (3,)),  # at 0 its kinks meet
    ],
    ids=str,
)
def test_right_networks_pass(network, shape):
    check_layer(network, shape)


def test_kinks_that_cancel_in_a_network_are_no_error():
    """relu(x) - relu(-x) is x, but its gradient at 0 is 0: so are the slopes of both parts there."""
    network = fnn.serial(a=layers.dense(2), r=layers.relu, b=layers.dense(1))
    params = {"a": {"w": np.array([[1.0, -1.0]]), "b": np.zeros(2)}}
    params["b"] = {"w": np.array([[1.0], [-1.0]]), "b": np.zeros(1)}
    check_layer(fnn.bind(network, params), (1,))


def test_bound_parameters_fit_one_shape_and_one_dtype(capsys):
    w, b = normal(4, 2), normal(2)
    check_layer(fnn.bind(layers.dense(2), {"w": w}), (4,), verbose=True)
    assert " (3, 5)" not in (printed := capsys.readouterr().out)
    assert "float32" not in printed
    with pytest.raises(TypeError, match="x is float64, the parameter is float32"):  # bind float64 arrays to check
        check_layer(fnn.bind(layers.dense(2), {"b": b.astype(np.float32)}), (4,))


def along_the_last(f, pull, size=lambda length: 1, least=1, name="toy"):
    """A layer over the last axis, which becomes `size(length)` long; refuses axes below `least`."""

    def output_shape(shape):
        if shape[-1] < least:
            raise ShapeError(f"input is {shape}, expected {least} or more along the last axis")
        return (*shape[:-1], size(shape[-1]))

    return with_pullback(f, pull, name, output_shape)


def largest(share):
    """The maximum over the last axis; each of the tied entries gets `share(how many)` of the cotangent."""

    def pull(x, dy):
        ties = x == x.max(axis=-1, keepdims=True)
        return (ties * share(ties.sum(axis=-1, keepdims=True)) * dy).astype(x.dtype)

    return along_the_last(lambda x: x.max(axis=-1, keepdims=True), pull)


def test_ties_that_are_all_given_the_whole_cotangent_are_found():
    error = error_of(largest(lambda ties: 1.0), (4,))
    assert error.verdict == "wrong derivative"
    assert "Entries are tied there" in error.message
    check_layer(largest(lambda ties: 1.0 / ties), (4,))


def test_windows_that_overlap_and_overwrite_each_other_are_found():
    def pairwise(x):
        return np.maximum(x[..., 1:], x[..., :-1])

    def pull(x, dy):
        dx, first = np.zeros_like(x), x[..., :-1] >= x[..., 1:]
        dx[..., :-1] = np.where(first, dy, 0.0)
        dx[..., 1:] = np.where(first, dx[..., 1:], dy)  # not +=
        return dx

    layer = along_the_last(pairwise, pull, lambda length: length - 1, least=2)
    assert error_of(layer, (6,)).verdict == "wrong derivative"


def test_a_product_whose_gradient_divides_is_found_at_zeros():
    divided = along_the_last(
        lambda x: x.prod(axis=-1, keepdims=True), lambda x, dy: x.prod(axis=-1, keepdims=True) / x * dy
    )
    error = error_of(divided, (4,))
    assert "gives nan" in error.message
    assert "float64, zeros." in error.message


def table(scatter):
    """An embedding of five rows; `scatter(dw, x, dy)` fills the gradient."""

    def vjp(params, x, *, key=None, wrt_x=True):
        def pull(dy):
            dw = np.zeros_like(params["w"])
            scatter(dw, x, dy)
            return {"w": dw}, None

        return params["w"][x], pull

    def init(rng, shape):
        return {"w": rng.standard_normal((5, 2)).astype(np.float32)}

    return Layer("table", init=init, output_shape=lambda s: (*s, 2), vjp=vjp, parameters=("w",), integer_input=True)


def test_a_row_that_is_looked_up_twice_and_overwritten_is_found():
    def overwrite(dw, x, dy):
        dw[x] = dy

    error = error_of(table(overwrite), ())
    assert (error.verdict, error.path) == ("wrong derivative", "table.w")
    check_layer(table(lambda dw, x, dy: np.add.at(dw, x, dy)), ())


def test_the_remainder_of_a_stride_is_found():
    def pull(x, dy):
        dx = np.zeros_like(x)
        dx[..., ::2] = np.concatenate([dy, dy[..., -1:]], axis=-1)[..., : dx[..., ::2].shape[-1]]
        return dx

    layer = along_the_last(lambda x: x[..., : 2 * (x.shape[-1] // 2) : 2], pull, lambda length: length // 2, least=2)
    error = error_of(layer, (6,))
    assert "(7, 7) float64" in error.message
    assert "No error at: x (3, 6) float64, normal numbers." in error.message


def test_axes_that_are_not_swapped_back_where_they_are_equal_are_found():
    def pull(x, dy):
        return dy.copy() if dy.shape == x.shape else dy.swapaxes(1, 2).copy()

    layer = with_pullback(lambda x: x.swapaxes(1, 2).copy(), pull, output_shape=lambda s: (s[1], s[0]))
    assert "(4, 4, 4) float64" in error_of(layer, (3, 4)).message


def test_a_gradient_that_is_wrong_for_a_batch_of_one_is_found():
    layer = with_pullback(np.square, lambda x, dy: (2.0 if len(x) > 1 else 1.0) * x * dy)
    assert "(1, 3) float64" in error_of(layer, (3,)).message


def test_a_gradient_that_is_wrong_in_float32_alone_is_found():
    layer = elementwise(np.sin, lambda x: np.cos(x) * (1.001 if x.dtype == np.float32 else 1.0))
    assert "At the point: x (3, 5) float32" in error_of(layer, (5,)).message


def test_a_slope_at_a_kink_that_lies_on_neither_side_nor_between_is_found():
    def slope_at_0(value):
        return elementwise(lambda x: np.maximum(x, 0.0), lambda x: np.where(x == 0.0, value, x > 0.0).astype(x.dtype))

    error = error_of(slope_at_0(2.0), (4,))
    assert (error.verdict, error.claimed) == ("wrong derivative", pytest.approx(2.0 * error.measured))
    assert "is 0 on one side and 1 on the other; the pullback gives 2" in error.message
    for value in (0.0, 0.5, 1.0):
        check_layer(slope_at_0(value), (4,))


def test_a_cotangent_that_is_not_spread_over_the_broadcast_bias_of_one_example_is_found():
    layer = affine(3, lambda dw, db, dx: (dw, db if len(dx) > 1 else 0.5 * db, dx))
    layer = layer.replace(init=lambda rng, s: {"w": np.ones((*s, 3), np.float32), "b": np.zeros(3, np.float32)})
    assert error_of(layer, (4,)).path == "affine.b"


def test_points_outside_of_a_layers_domain_are_named_and_not_judged(capsys):
    check_layer(elementwise(lambda x: np.log(np.abs(x)), lambda x: 1.0 / x, name="log"), (3,), verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "log: x (3, 3) float64, normal numbers: right"
    assert "log: x (2, 3) float64, zeros: outside of its domain, not checked" in lines


def test_jumps_and_roots_at_a_structured_point_are_no_error():
    check_layer(elementwise(np.round, np.zeros_like), (3,))
    check_layer(along_the_last(np.sort, _unsort, lambda length: length), (4,))


def _unsort(x, dy):
    ranks = np.argsort(np.argsort(x, axis=-1, kind="stable"), axis=-1, kind="stable")
    return np.take_along_axis(dy, ranks, axis=-1)


def test_a_neither_convex_nor_concave_function_may_give_what_it_gives_nearby():
    def pull(x, dy):
        a, b = x[..., :1], x[..., 1:]
        da = (a >= b) * 1.0 - (a > 0.0)
        return (np.concatenate([da, (a < b) * 1.0], axis=-1) * dy).astype(x.dtype)

    difference = with_pullback(
        lambda x: np.maximum(x[..., :1], x[..., 1:]) - np.maximum(x[..., :1], 0.0), pull, output_shape=lambda s: (1,)
    )
    pair = difference.replace(output_shape=lambda s: (1,) if s == (2,) else _refuse(s))
    check_layer(pair, (2,))


def _refuse(shape):
    raise ShapeError(f"input is {shape}, expected (2,)")


def test_a_layer_whose_training_is_another_function_is_checked_in_training():
    def vjp(params, x, *, key=None, wrt_x=True):
        factor = 1.0 if key is None else 2.0
        return factor * x, lambda dy: ({}, dy if wrt_x else None)

    assert "normal numbers, in training" in error_of(Layer("scaled", apply=lambda p, x: x, vjp=vjp), (3,)).message


def test_a_layer_that_couples_examples_may_refuse_one_alone(capsys):
    def vjp(params, x, *, key=None, wrt_x=True):
        if len(x) < 2:
            raise ShapeError("one example has no spread")
        return x - x.mean(axis=0), lambda dy: ({}, dy - dy.mean(axis=0) if wrt_x else None)

    layer = Layer("centred", vjp=vjp, couples_examples=True)
    check_layer(layer, (3,), verbose=True)
    assert "x (1, 3) float64, normal numbers: outside of its domain" in capsys.readouterr().out
    with pytest.raises(ValueError, match="no spread"):
        check_layer(layer.replace(couples_examples=False), (3,))


def test_what_the_layer_raises_for_the_shape_asked_for_passes():
    with pytest.raises(ValueError, match="expected images"):
        check_layer(layers.conv2d(2, 2), (3,))


def test_the_same_seed_gives_the_same_error():
    wrong = elementwise(np.sin, lambda x: 1.01 * np.cos(x))
    assert str(error_of(wrong, (3,))) == str(error_of(wrong, (3,)))


def test_a_parameter_that_is_one_number_is_drawn_as_an_array():
    def vjp(params, x, *, key=None, wrt_x=True):
        a = params["a"]
        return a * x, lambda dy: ({"a": np.asarray((dy * x).sum())}, a * dy if wrt_x else None)

    check_layer(Layer("gain", vjp=vjp, init=lambda rng, shape: {"a": np.ones(())}, parameters=("a",)), (3,))
