"""Right functions that look wrong to differences, and wrong ones that look right: each misled the checker once."""

import math

import numpy as np
import pytest

from functional_nn import Layer, tree
from functional_nn.testing import GradientError, check_function, check_gradient, check_vjp
from tests.testing.toys import affine, affine_point, elementwise, normal, with_pullback


def error_of(layer, params, x, **options):
    with pytest.raises(GradientError) as caught:
        check_vjp(layer, params, x, **options)
    return caught.value


def test_a_gradient_of_terms_that_cancel_may_be_computed_in_another_way_without_dx():
    """y = c (z - mean(z)) with z = x + b: the gradient of b is 0, and its rounding depends on the formula."""
    c = normal(3, seed=1)

    def apply(params, x):
        z = x + params["b"]
        return c * (z - z.mean(axis=0))

    def vjp(params, x, *, key=None, wrt_x=True):
        def pullback(dy):
            dz = c * dy
            dx = dz - dz.mean(axis=0)
            return {"b": dx.sum(axis=0) if wrt_x else dz.sum(axis=0) - len(dz) * dz.mean(axis=0)}, dx if wrt_x else None

        return apply(params, x), pullback

    layer = Layer("centred", apply=apply, vjp=vjp, parameters=("b",))
    for seed in range(10):
        check_vjp(layer, {"b": normal(3, seed=seed)}, normal(7, 3, seed=seed), seed=seed)


HALF_PRECISE = {
    "sin": (np.sin, np.cos),
    "tanh": (np.tanh, lambda x: 1.0 / np.cosh(x) ** 2),
    "exp": (np.exp, np.exp),
    "square": (np.square, lambda x: 2.0 * x),
}


@pytest.mark.parametrize("name", HALF_PRECISE)
def test_float32_arithmetic_inside_a_float64_layer_is_rounding_noise(name):
    f, slope = HALF_PRECISE[name]
    layer = elementwise(lambda x: f(x.astype(np.float32)).astype(np.float64), slope)
    for seed in range(50):
        assert error_of(layer, {}, normal(3, 4, seed=seed), seed=seed).verdict == "rounding noise"


@pytest.mark.parametrize(
    "shorten", [lambda dy: dy.astype(np.float32), lambda dy: np.round(dy, 6)], ids=["float32", "6"]
)
def test_a_pullback_that_rounds_its_cotangent_is_found(shorten):
    layer = with_pullback(np.sin, lambda x, dy: np.cos(x) * shorten(dy).astype(x.dtype))
    for seed in range(10):
        assert error_of(layer, {}, normal(3, 4, seed=seed), seed=seed).verdict == "wrong derivative"


def test_float32_arithmetic_inside_a_float64_dense_layer_is_rounding_noise():
    right = affine(3)

    def apply(params, x):
        short = tree.map(lambda p: p.astype(np.float32), params)
        return right.apply(short, x.astype(np.float32)).astype(np.float64)

    def vjp(params, x, *, key=None, wrt_x=True):
        return apply(params, x), right.vjp(params, x, wrt_x=wrt_x)[1]

    layer = right.replace(apply=apply, vjp=vjp)
    for seed in range(40):
        params, x = affine_point(4, 5, 3, seed=seed)
        assert error_of(layer, params, x, seed=seed).verdict == "rounding noise"


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: np.maximum(x, 0.0) ** 2, lambda x: 2.0 * np.maximum(x, 0.0)),
        (lambda x: x * np.abs(x), lambda x: 2.0 * np.abs(x)),
    ],
    ids=["squared relu", "x|x|"],
)
def test_a_second_derivative_that_jumps_at_inputs_of_zero_passes(f, slope):
    check_vjp(elementwise(f, slope), {}, np.zeros((2, 3)))
    wrong = elementwise(f, lambda x: slope(x) + 1e-6)
    assert error_of(wrong, {}, np.zeros((2, 3))).verdict == "wrong derivative"


def test_an_output_that_is_not_a_number_is_no_overflow():
    root = elementwise(np.sqrt, lambda x: 0.5 / np.sqrt(x))
    with np.errstate(invalid="ignore"):
        error = error_of(root, {}, np.array([[4.0, -1.0]]))
    assert (error.verdict, error.place) == ("not finite", "toy.y[0, 1]")
    assert "overflow" not in error.message
    assert "outside of the function's domain" in error.message


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_float32_gradient_that_is_not_finite_at_the_very_point_is_found(bad):
    x = normal(3, 4).astype(np.float32)

    def slope(z):
        here = (z == x) & (np.arange(12).reshape(3, 4) == 6) & (z.dtype == np.float32)
        return np.where(here, z.dtype.type(bad), np.cos(z))

    error = error_of(elementwise(np.sin, slope), {}, x)
    assert (error.verdict, error.place) == ("wrong derivative", "toy.x[1, 2]")


def test_a_float32_output_that_overflows_is_named():
    with np.errstate(over="ignore"):
        error = error_of(elementwise(np.exp, np.exp), {}, np.array([[1.0, 100.0]], np.float32))
    assert (error.verdict, error.place) == ("not finite", "toy.y[0, 1]")


def cholesky(factor):
    """The Cholesky factor of a symmetric matrix, with `factor` times its derivative (Murray 2016, eq. 10)."""

    def pull(x, dy):
        lower = np.linalg.cholesky(_symmetric(x))
        inverse = np.linalg.inv(lower)
        inner = np.tril(lower.swapaxes(-1, -2) @ dy)
        inner -= 0.5 * inner * np.eye(x.shape[-1], dtype=x.dtype)
        return x.dtype.type(factor) * _symmetric(inverse.swapaxes(-1, -2) @ inner @ inverse)

    return with_pullback(lambda x: np.linalg.cholesky(_symmetric(x)), pull)


def _symmetric(x):
    return (x + x.swapaxes(-1, -2)) / 2.0


def logarithm(factor):
    """The logarithm of the standard library, which raises `ValueError` outside of its domain."""

    def log(x):
        return np.array([math.log(value) for value in x.flat]).reshape(x.shape).astype(x.dtype)

    return elementwise(log, lambda x: x.dtype.type(factor) / x)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("make", [cholesky, logarithm])
def test_a_function_that_raises_outside_of_its_domain_is_judged_within_it(make, dtype, full):
    margin, a = 1e-2 if dtype == np.float32 else 1e-6, normal(2, 3, 3)
    x = a @ a.swapaxes(-1, -2) + margin * np.eye(3) if make is cholesky else np.abs(a) + margin
    check_vjp(make(1.0), {}, x.astype(dtype), full=full)
    assert error_of(make(1.01), {}, x.astype(dtype), full=full).verdict == "wrong derivative"


def test_a_point_on_the_edge_of_the_domain_is_told_and_not_passed():
    x = np.abs(normal(2, 3))
    x[1, 1] = 0.0
    error = error_of(elementwise(lambda x: np.sqrt(_not_negative(x)), np.zeros_like), {}, x)
    assert (error.verdict, error.path) == ("not finite", "toy.x")
    assert "edge of its domain" in error.message


def _not_negative(x):
    if (x < 0.0).any():
        raise ValueError("negative")
    return x


@pytest.mark.parametrize("entry", ["w", "x"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_pullback_that_keeps_the_first_input_it_ever_saw_is_found(entry, dtype):
    right, first = affine(2), {}

    def vjp(params, x, *, key=None, wrt_x=True):
        stale = first.setdefault(x.dtype, {"w": params["w"].copy(), "x": x.copy()})
        seen = {"w": params["w"], "x": x} | {entry: stale[entry]}
        _, pullback = right.vjp({**params, "w": seen["w"]}, seen["x"], wrt_x=wrt_x)
        return right.apply(params, x), pullback

    params, x = affine_point(3, 4, 2)
    params = tree.map(lambda p: p.astype(dtype), params)
    error = error_of(right.replace(vjp=vjp), params, x.astype(dtype))
    assert (error.verdict, error.path) == ("wrong derivative", {"w": "affine.x", "x": "affine.w"}[entry])
    assert "an earlier call" in error.message


def test_a_pullback_that_is_wrong_at_the_very_point_alone_is_told_so():
    x = normal(3, 4)
    x[1, 1] = 2.0
    error = error_of(elementwise(np.sin, lambda x: np.where(x == np.round(x), 0.0, np.cos(x))), {}, x)
    assert (error.verdict, error.place) == ("wrong derivative", "toy.x[1, 1]")
    assert "at this very point" in error.message


def test_a_pullback_that_ignores_its_cotangent_is_told_so():
    assert "dy is left out" in error_of(with_pullback(np.sin, lambda x, dy: np.cos(x)), {}, normal(3, 4)).message
    params, x = affine_point(3, 4, 2)
    error = error_of(affine(2, lambda dw, db, dx: (dw, np.full_like(db, 3.0), dx)), params, x)
    assert error.path == "affine.b"
    assert "dy is left out" in error.message


def pooled(share):
    """A max pool over windows of 2x2, one channel; each tied entry gets `share(how many)` of the cotangent."""

    def windows(x):
        return x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, 1)

    def pull(x, dy):
        largest = windows(x) == windows(x).max(axis=(2, 4), keepdims=True)
        dx = largest * share(largest.sum(axis=(2, 4), keepdims=True)) * dy[:, :, None, :, None, :]
        return dx.reshape(x.shape)

    return with_pullback(
        lambda x: windows(x).max(axis=(2, 4)), pull, output_shape=lambda s: (s[0] // 2, s[1] // 2, s[2])
    )


def tied(entries):
    x = normal(1, 4, 4, 1)
    for place in ((0, 0), (1, 1), (0, 1), (1, 0))[:entries]:
        x[0, place[0], place[1], 0] = 9.0
    return x


@pytest.mark.parametrize("entries", [2, 3, 4])
def test_a_gradient_that_every_tied_entry_gets_in_full_is_found(entries):
    error = error_of(pooled(lambda count: 1.0), {}, tied(entries))
    assert (error.verdict, error.path) == ("wrong derivative", "toy.x")
    assert error.claimed == pytest.approx(entries * error.measured, rel=1e-6)


@pytest.mark.parametrize("entries", [3, 4])
def test_a_gradient_that_tied_entries_share_is_at_a_kink(entries):
    assert error_of(pooled(lambda count: 1.0 / count), {}, tied(entries)).verdict == "kink within the step"


@pytest.mark.parametrize("share", [1e-6, 1e-9])
def test_a_gradient_of_zero_where_the_true_one_is_small_is_found(share):
    sizes = np.array([1.0, 1.0, share, 1.0])

    def pull(x, dy):
        dx = np.cos(x) * sizes * dy
        dx[:, 2] = 0.0
        return dx

    for seed in range(10):
        error = error_of(with_pullback(lambda x: np.sin(x) * sizes, pull), {}, normal(3, 4, seed=seed), seed=seed)
        assert (error.verdict, error.index[1], error.claimed) == ("wrong derivative", 2, 0.0)


def rosenbrock(x):
    return float(100.0 * (x[1] - x[0] ** 2) ** 2 + (1.0 - x[0]) ** 2)


def rosenbrock_gradient(x):
    return np.array([-400.0 * x[0] * (x[1] - x[0] ** 2) - 2.0 * (1.0 - x[0]), 200.0 * (x[1] - x[0] ** 2)])


def test_at_a_minimum_of_value_zero_the_gradient_zero_is_right():
    """Rounding shrinks with the step there, the values with its square."""
    check_gradient(rosenbrock, rosenbrock_gradient, np.ones(2))


def test_at_a_minimum_of_value_zero_a_small_gradient_is_wrong():
    with pytest.raises(GradientError, match="wrong derivative"):
        check_gradient(rosenbrock, lambda x: rosenbrock_gradient(x) + np.array([1e-4, 0.0]), np.ones(2))


def test_a_number_is_no_array_whatever_its_dtype():
    with pytest.raises(TypeError, match=r"sin\.x is a float64, no array"):
        check_function(np.sin, lambda x: (np.sin(x), lambda dy: dy * np.cos(x)), np.float64(2.0))
