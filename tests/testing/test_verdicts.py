"""Each verdict that is not "wrong derivative", provoked by a layer built to deserve it, with the place it names."""

import pickle

import numpy as np
import pytest

from functional_nn import Layer, layers
from functional_nn.testing import GradientError, check_vjp
from tests.testing.toys import affine, affine_point, elementwise, normal, with_pullback


def error_of(layer, params=None, x=None, **options):
    with pytest.raises(GradientError) as caught:
        check_vjp(layer, params or {}, normal(3, 4) if x is None else x, **options)
    return caught.value


def sine(vjp):
    return Layer("toy", apply=lambda params, x: np.sin(x), vjp=vjp)


def test_a_relu_at_zero_is_a_kink_at_its_index():
    x = normal(3, 4)
    x[2, 1] = 0.0
    error = error_of(layers.relu, x=x)
    assert (error.verdict, error.place) == ("kink within the step", "relu.x[2, 1]")
    assert error.claimed == 0.0
    assert error.measured != 0.0


def test_a_tie_under_a_max_pool_is_a_kink():
    x = normal(1, 4, 4, 1)
    x[0, 0, 0, 0] = x[0, 1, 1, 0] = 9.0
    error = error_of(layers.max_pool(2), x=x)
    assert error.verdict == "kink within the step"
    assert error.place in ("max_pool.x[0, 0, 0, 0]", "max_pool.x[0, 1, 1, 0]")


@pytest.mark.parametrize("zeros", [1, 11])
def test_a_wrong_derivative_beside_a_kink_is_not_excused(zeros):
    x = normal(3, 4)
    x.flat[:zeros] = 0.0
    wrong = elementwise(lambda x: np.maximum(x, 0.0), lambda x: 1.01 * (x > 0.0))
    error = error_of(wrong, x=x)
    assert error.verdict == "wrong derivative"
    assert error.claimed == pytest.approx(1.01 * error.measured)


def test_a_wrong_derivative_at_a_point_of_kinks_only_is_found_beside_them():
    wrong = elementwise(lambda x: np.maximum(x, 0.0), lambda x: 1.01 * (x > 0.0))
    error = error_of(wrong, x=np.zeros((2, 3)))
    assert error.verdict == "wrong derivative"
    assert "at a random point beside it" in error.message


def test_a_wrong_derivative_where_the_kink_is_near_is_found():
    wrong = elementwise(lambda x: np.maximum(x, 0.0), lambda x: 2.0 * (x > 0.0))
    for distance in (1e-3, 1e-6, 1e-9):
        x = -1.0 - normal(3, 4) ** 2
        x[1, 2] = distance
        error = error_of(wrong, x=x)
        assert (error.verdict, error.place) == ("wrong derivative", "toy.x[1, 2]")


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sin(x.astype(np.float32)).astype(x.dtype),
        lambda x: (np.sin(x) + 1e9) - 1e9,
        lambda x: np.round(np.sin(x), 7),
    ],
    ids=["computes in float32", "cancels digits", "rounds"],
)
def test_values_with_more_rounding_than_float64s_are_rounding_noise(f):
    error = error_of(elementwise(f, np.cos))
    assert (error.verdict, error.path) == ("rounding noise", "toy.x")


def test_random_numbers_without_a_key_are_rounding_noise_or_another_output():
    rng = np.random.default_rng(0)
    noisy = elementwise(lambda x: x + 1e-9 * rng.standard_normal(x.shape), np.ones_like)
    assert error_of(noisy).verdict in ("rounding noise", "vjp's output is not the function's")


def test_a_layer_that_computes_in_float32_whatever_it_is_given_is_too_short():
    short = elementwise(lambda x: np.sin(x.astype(np.float32)), lambda x: np.cos(x.astype(np.float32)))
    error = error_of(short, x=normal(3, 4).astype(np.float32))
    assert (error.verdict, error.path) == ("rounding noise", "toy.y")
    assert "dtype is too short" in error.message


def test_a_float32_gradient_that_is_not_float64s_is_found():
    split = elementwise(np.sin, lambda x: np.cos(x) * x.dtype.type(1.0 if x.dtype == np.float64 else 1.001))
    check_vjp(split, {}, normal(3, 4))
    error = error_of(split, x=normal(3, 4).astype(np.float32))
    assert (error.verdict, error.path) == ("rounding noise", "toy.x")
    assert error.claimed == pytest.approx(1.001 * error.measured, rel=1e-5)


def test_a_float32_gradient_that_overflows_is_found():
    naive = with_pullback(np.tanh, lambda x, dy: dy * 4.0 / (np.exp(x) + np.exp(-x)) ** 2)
    x = np.array([[1.0, 60.0]])
    check_vjp(naive, {}, x)
    with np.errstate(over="ignore"):
        check_vjp(naive, {}, x.astype(np.float32))  # 1 / inf is the right 0
    overflowing = with_pullback(np.tanh, lambda x, dy: dy * np.exp(2.0 * x) / (np.exp(2.0 * x) / 2.0 + 0.5) ** 2)
    with np.errstate(over="ignore", invalid="ignore"):
        assert error_of(overflowing, x=x.astype(np.float32)).place == "toy.x[0, 1]"


def test_an_output_that_overflows_is_named():
    with np.errstate(over="ignore"):
        error = error_of(elementwise(np.exp, np.exp), x=np.array([[1.0, 2.0], [1000.0, 3.0]]))
    assert (error.verdict, error.place) == ("not finite", "toy.y[1, 0]")


def test_a_promoted_output_or_gradient_is_a_changed_dtype():
    x = normal(3, 4).astype(np.float32)
    assert error_of(elementwise(lambda x: np.sin(x) * np.ones(4), np.cos), x=x).path == "toy.y"
    error = error_of(elementwise(np.sin, lambda x: np.cos(x) * np.ones(4)), x=x)
    assert (error.verdict, error.path) == ("dtype changed", "toy.x")


@pytest.mark.parametrize("name", ["w", "b"])
def test_a_written_parameter_is_named(name):
    def write(params, x, *, key=None, wrt_x=True):
        params[name][...] += 1.0
        return affine(2).vjp(params, x)

    params, x = affine_point(3, 4, 2)
    error = error_of(affine(2).replace(vjp=write), params, x)
    assert (error.verdict, error.path) == ("input written", f"affine.{name}")


def test_a_written_input_and_cotangent_are_named():
    def apply_that_writes(params, x):
        return np.sin(x, out=x)

    layer = elementwise(np.sin, np.cos)
    assert error_of(layer.replace(apply=apply_that_writes)).path == "toy.x"

    def pull(x, dy):
        dy *= np.cos(x)
        return dy

    error = error_of(with_pullback(np.sin, pull))
    assert (error.verdict, error.path) == ("input written", "toy.dy")


def test_writing_past_the_read_only_flag_is_found():
    def pull(x, dy):
        x.flags.writeable = True
        x[1, 2] += 1.0
        return np.cos(x) * dy

    error = error_of(with_pullback(np.sin, pull))
    assert (error.verdict, error.place) == ("input written", "toy.x[1, 2]")


def test_other_value_errors_pass_untouched():
    def refuse(x):
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing") as caught:
        check_vjp(elementwise(refuse, np.cos), {}, normal(3, 4))
    assert not isinstance(caught.value, GradientError)


def test_a_pullback_that_hands_out_its_residual_is_not_repeatable():
    def vjp(params, x, *, key=None, wrt_x=True):
        slope = np.cos(x)

        def pullback(dy):
            np.multiply(slope, 1.0, out=slope)
            return {"w": slope}, slope * dy.sum() if wrt_x else None

        return np.sin(x) * params["w"], pullback

    layer = Layer("toy", apply=lambda params, x: np.sin(x) * params["w"], vjp=vjp, parameters=("w",))
    error = error_of(layer, {"w": np.ones((3, 4))})
    assert (error.verdict, error.path) == ("pullback not repeatable", "toy.w")


def test_a_residual_kept_outside_of_the_closure_is_not_repeatable():
    kept = {}

    def vjp(params, x, *, key=None, wrt_x=True):
        kept["slope"] = np.cos(x)
        return np.sin(x), lambda dy: ({}, kept["slope"] * dy if wrt_x else None)

    assert error_of(sine(vjp)).verdict == "pullback not repeatable"


def test_an_output_in_memory_that_is_used_again_is_found():
    workspace = np.empty((3, 4))
    error = error_of(elementwise(lambda x: np.sin(x, out=workspace), np.cos))
    assert (error.verdict, error.path) == ("pullback not repeatable", "toy.y")


@pytest.mark.parametrize(
    ("gradients", "path"),
    [
        (lambda dw, db, dx: ({"w": dw}, dx), "affine"),
        (lambda dw, db, dx: ({"w": dw, "b": db, "c": db}, dx), "affine"),
        (lambda dw, db, dx: ({"w": dw.T, "b": db}, dx), "affine.w"),
        (lambda dw, db, dx: ({"w": dw, "b": float(db.sum())}, dx), "affine.b"),
        (lambda dw, db, dx: ({"w": dw, "b": db}, dx[0]), "affine.x"),
        (lambda dw, db, dx: ({"w": dw, "b": db}, None), "affine.x"),
        (lambda dw, db, dx: (dw, db, dx), "affine"),
        (lambda dw, db, dx: dx, "affine"),
    ],
)
def test_gradients_of_another_tree_or_shape_are_named(gradients, path):
    def vjp(params, x, *, key=None, wrt_x=True):
        return x @ params["w"] + params["b"], lambda dy: gradients(x.T @ dy, dy.sum(axis=0), dy @ params["w"].T)

    error = error_of(affine(2).replace(vjp=vjp), *affine_point(3, 4, 2))
    assert (error.verdict, error.path) == ("tree or shape differs", path)


def test_an_output_of_another_shape_than_output_shape_says_is_found():
    error = error_of(affine(2).replace(output_shape=lambda shape: (3,)), *affine_point(3, 4, 2))
    assert (error.verdict, error.path) == ("tree or shape differs", "affine.y")
    assert "(3, 2)" in error.message
    assert "(3, 3)" in error.message


def test_a_cotangent_of_the_input_that_was_not_asked_for_is_found():
    error = error_of(sine(lambda params, x, *, key=None, wrt_x=True: (np.sin(x), lambda dy: ({}, np.cos(x) * dy))))
    assert (error.verdict, error.path) == ("tree or shape differs", "toy.x")


def test_gradients_that_depend_on_wrt_x_are_wrong():
    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = affine(2).vjp(params, x)

        def pull(dy):
            dparams, dx = pullback(dy)
            return (dparams, dx) if wrt_x else ({**dparams, "w": 2.0 * dparams["w"]}, None)

        return y, pull

    error = error_of(affine(2).replace(vjp=vjp), *affine_point(3, 4, 2))
    assert (error.verdict, error.path) == ("wrong derivative", "affine.w")
    assert "wrt_x=False" in error.message


@pytest.mark.parametrize("change", [lambda y: 1.001 * y, lambda y: y[:, :2], lambda y: y.astype(np.float32)])
def test_a_training_pass_with_another_output_is_found(change):
    def vjp(params, x, *, key=None, wrt_x=True):
        return change(np.sin(x)), lambda dy: ({}, np.cos(x))

    error = error_of(sine(vjp))
    assert (error.verdict, error.path) == ("vjp's output is not the function's", "toy.y")


def test_errors_are_assertion_errors_that_pickle():
    error = error_of(elementwise(np.sin, np.sin))
    assert isinstance(error, AssertionError)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.verdict, again.place, again.measured, again.step) == (
        error.verdict,
        error.place,
        error.measured,
        error.step,
    )
