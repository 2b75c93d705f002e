"""Plain functions are checked as layers are: any arguments, several outputs, scipy's convention."""

import numpy as np
import pytest

from functional_nn.testing import GradientError, check_function, check_gradient
from tests.testing.toys import normal


def vjp_of(f, *pulls):
    """The vjp whose pullback returns `pull(dy, *arrays)` for each array, None where there is no pull."""

    def vjp(*arrays):
        return f(*arrays), lambda dy: tuple(None if pull is None else pull(dy, *arrays) for pull in pulls)

    return vjp


def error_of(check, *arguments, **options):
    with pytest.raises(GradientError) as caught:
        check(*arguments, **options)
    return caught.value


def polar(r, angle):
    return r * np.cos(angle), r * np.sin(angle)


def pull_r(dy, r, angle):
    return dy[0] * np.cos(angle) + dy[1] * np.sin(angle)


def pull_angle(dy, r, angle):
    return r * (dy[1] * np.cos(angle) - dy[0] * np.sin(angle))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_several_outputs_and_arguments_of_any_shape(shape, full, dtype):
    r, angle = np.asarray(1.0 + normal(*shape) ** 2, dtype), np.asarray(normal(*shape, seed=1), dtype)
    check_function(polar, vjp_of(polar, pull_r, pull_angle), r, angle, full=full)
    error = error_of(
        check_function, polar, vjp_of(polar, pull_r, lambda *a: 1.01 * pull_angle(*a)), r, angle, full=full
    )
    assert (error.verdict, error.path) == ("wrong derivative", "polar.angle")
    assert len(error.index) == len(shape)
    assert error.claimed == pytest.approx(1.01 * error.measured, rel=1e-5)


@pytest.mark.parametrize(("of_f", "of_vjp"), [(np.inf, np.inf), (7.0, 8.0)])
def test_an_entry_of_the_second_output_is_named(of_f, of_vjp):
    def filled(value, r, angle):
        return r, np.where([[False, True]], value, angle)

    def f(r, angle):
        return filled(of_f, r, angle)

    error = error_of(
        check_function, f, lambda *arrays: (filled(of_vjp, *arrays), lambda dy: dy), np.ones(1), normal(1, 2)
    )
    assert error.place == "f.y[1][0, 1]"


def test_the_gradient_of_one_array_may_stand_alone():
    check_function(np.sin, lambda x: (np.sin(x), lambda dy: dy * np.cos(x)), normal(3))
    check_function(np.sin, lambda x: (np.sin(x), lambda dy: [dy * np.cos(x)]), normal(3))


def take(table, rows):
    return table[rows]


def pull_take(dy, table, rows):
    dtable = np.zeros_like(table)
    np.add.at(dtable, rows, dy)
    return dtable


def pull_last(dy, table, rows):
    dtable = np.zeros_like(table)
    dtable[rows] = dy
    return dtable


def test_whole_numbers_are_fixed():
    table, rows = normal(3, 2), np.array([0, 2, 2])
    check_function(take, vjp_of(take, pull_take, None), table, rows)
    assert error_of(check_function, take, vjp_of(take, pull_last, None), table, rows).index[0] == 2
    error = error_of(check_function, take, vjp_of(take, pull_take, pull_take), table, rows)
    assert (error.verdict, error.path) == ("tree or shape differs", "take.rows")


def test_a_fixed_array_that_is_written_is_named():
    def write(table, rows):
        rows += 1
        return table

    error = error_of(check_function, write, vjp_of(write, None, None), normal(3), np.arange(3))
    assert (error.verdict, error.path) == ("input written", "write.rows")


def test_what_the_function_keeps_and_overwrites_is_not_taken_for_an_argument():
    kept = np.zeros(3)
    kept.flags.writeable = False

    def write(x):
        kept[...] = x
        return x * 2.0

    error = error_of(check_function, write, vjp_of(write, lambda dy, x: 2.0 * dy), normal(3))
    assert (error.verdict, error.path) == ("input written", "write")


@pytest.mark.parametrize(
    ("f", "vjp", "verdict", "path"),
    [
        (np.sin, lambda x: np.sin(x), "tree or shape differs", "sin"),
        (np.sin, lambda x: (np.sin(x), lambda dy: (dy, dy)), "tree or shape differs", "sin"),
        (np.sin, lambda x: (np.sin(x), lambda dy: dy[:1]), "tree or shape differs", "sin.x"),
        (np.sin, lambda x: (np.sin(x), lambda dy: None), "tree or shape differs", "sin.x"),
        (np.sin, lambda x: (np.sin(x), lambda dy: dy.astype(np.float32)), "dtype changed", "sin.x"),
        (np.sin, lambda x: (np.cos(x), lambda dy: dy * np.cos(x)), "vjp's output is not the function's", "sin.y"),
        (np.argsort, lambda x: (np.argsort(x), lambda dy: dy), "dtype changed", "argsort.y"),
        (str, lambda x: (str(x), lambda dy: dy), "tree or shape differs", "str.y"),
    ],
)
def test_what_does_not_fit_is_told(f, vjp, verdict, path):
    error = error_of(check_function, f, vjp, normal(3))
    assert (error.verdict, error.path.replace("sin.0", "sin.x")) == (verdict, path)


def test_outputs_of_two_dtypes_are_refused():
    def split(x):
        return x, x.astype(np.float32)

    assert error_of(check_function, split, lambda x: (split(x), None), normal(3)).verdict == "dtype changed"


def test_arguments_that_cannot_be_checked_are_refused():
    same = vjp_of(np.sin, lambda dy, x: dy)
    with pytest.raises(TypeError, match="is a list, no array, expected a float64 array"):
        check_function(np.sin, same, [1.0])
    with pytest.raises(ValueError, match="no array to differentiate by"):
        check_function(take, vjp_of(take, None, None), np.arange(3), np.arange(3))
    with pytest.raises(TypeError, match=r"polar.r is float64, angle is float32: convert one"):
        check_function(polar, same, np.ones(2), np.ones(2, np.float32))


def rosenbrock(x):
    return float(np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2))


def rosenbrock_gradient(x):
    gradient = np.zeros_like(x)
    gradient[:-1] = -400.0 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2.0 * (1.0 - x[:-1])
    gradient[1:] += 200.0 * (x[1:] - x[:-1] ** 2)
    return gradient


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_gradient_in_scipys_convention(scale):
    x = scale * normal(5)
    check_gradient(rosenbrock, rosenbrock_gradient, x)
    error = error_of(check_gradient, rosenbrock, lambda x: rosenbrock_gradient(x) * 1.001, x)
    assert (error.verdict, error.path) == ("wrong derivative", "rosenbrock.x")


def test_what_is_measured_of_a_gradient_is_the_functions_own_slope():
    error = error_of(check_gradient, lambda x: float(x @ x), lambda x: x, np.array([3.0]))
    assert (error.measured, error.claimed) == (pytest.approx(6.0), 3.0)


def test_a_function_of_several_outputs_has_no_gradient():
    with pytest.raises(TypeError, match=r"expected one number"):
        check_gradient(np.sin, np.cos, normal(3))
