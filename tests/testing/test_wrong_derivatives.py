"""Wrong derivatives are found: one entry among many, small errors, tiny gradients, and their place is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functional_nn import layers, models, tree
from functional_nn.testing import GradientError, check_vjp, strategies
from tests.testing.toys import affine, affine_point, elementwise, normal


def error_of(layer, params, x, **options):
    with pytest.raises(GradientError) as caught:
        check_vjp(layer, params, x, **options)
    return caught.value


def mistaken(layer, mistake, path):
    """`layer` with `mistake` applied to the gradient at `path`, dotted, "x" for the input's."""

    def vjp(params, x, *, key=None, wrt_x=True):
        y, pullback = layer.vjp(params, x, key=key, wrt_x=wrt_x)

        def pull(dy):
            dparams, dx = pullback(dy)
            if path == "x":
                return dparams, None if dx is None else mistake(dx)
            leaves, unflatten = tree.flatten(dparams)
            names = [name for name, _ in tree.items(dparams)]
            return unflatten([mistake(g) if n == path else g for n, g in zip(names, leaves, strict=True)]), dx

        return y, pull

    return layer.replace(vjp=vjp)


def one_entry(index, factor=1.01):
    def mistake(gradient):
        gradient = gradient.copy()
        gradient[index] *= factor
        return gradient

    return mistake


@pytest.mark.parametrize("seed", range(10))
def test_one_wrong_entry_among_ten_thousand_is_found(seed):
    params, x = affine_point(8, 100, 100)
    index = tuple(int(i) for i in np.random.default_rng(seed).integers(0, 100, 2))
    error = error_of(mistaken(affine(100), one_entry(index), "w"), params, x, seed=seed)
    assert (error.path, error.index) == ("affine.w", index)
    assert error.claimed == pytest.approx(1.01 * error.measured, rel=1e-6)
    assert error.place == f"affine.w[{index[0]}, {index[1]}]"
    assert error.step > 0.0


@pytest.mark.parametrize("path", ["w", "b", "x"])
def test_one_entry_of_any_array_of_a_convolution_is_named(path):
    conv, rng = layers.conv2d(5, 3), np.random.default_rng(0)
    params = tree.map(lambda p: p.astype(np.float64) + 0.1, conv.init(rng, (8, 8, 2)))
    index = {"w": (2, 1, 0, 3), "b": (4,), "x": (1, 7, 0, 1)}[path]
    error = error_of(mistaken(conv, one_entry(index), path), params, normal(2, 8, 8, 2))
    assert error.place == f"conv2d.{path}[{', '.join(map(str, index))}]"
    assert str(error).startswith(f"{error.place}: wrong derivative\n")


@pytest.mark.parametrize("path", ["c3.w", "f6.b"])
def test_one_entry_of_a_whole_network_is_named(path):
    model = models.lenet5()
    params = tree.map(lambda p: p + 0.05 * normal(*p.shape), model.init(np.random.default_rng(0), (32, 32, 1)))
    index = (2, 1, 0, 3) if path == "c3.w" else (7,)
    error = error_of(mistaken(model, one_entry(index), path), params, normal(2, 32, 32, 1))
    assert (error.path, error.index) == (f"lenet5.{path}", index)
    assert f"wrong: {path}; right: c1.b, c1.w" in error.message


@pytest.mark.parametrize("share", [1e-3, 1e-6, 1e-9])
def test_entries_with_tiny_gradients_are_checked_too(share):
    x = normal(6, 20)
    x[3, 7] *= share
    square = elementwise(np.square, lambda x: 2.0 * x)
    assert error_of(mistaken(square, one_entry((3, 7)), "x"), {}, x).index == (3, 7)


@pytest.mark.parametrize("error", [0.5, 1e-2, 1e-4, 1e-6])
def test_small_errors_in_all_entries_are_found(error):
    layer = elementwise(np.tanh, lambda x: (1.0 + error) / np.cosh(x) ** 2)
    caught = error_of(layer, {}, normal(5, 30))
    assert caught.verdict == "wrong derivative"


@pytest.mark.parametrize("scale", [1e-9, 1e9])
@pytest.mark.parametrize("steepness", [1e-9, 1e9])
def test_wrong_derivatives_are_found_at_any_scale_and_steepness(scale, steepness):
    layer = elementwise(
        lambda x: scale * np.sin(steepness * x), lambda x: 1.01 * scale * steepness * np.cos(steepness * x)
    )
    assert error_of(layer, {}, normal(3, 4)).verdict == "wrong derivative"
    dropped = elementwise(lambda x: scale * np.sin(steepness * x), np.zeros_like)
    assert error_of(dropped, {}, normal(3, 4)).verdict == "wrong derivative"


MISTAKES = {
    "sign flipped": lambda g: -g,
    "left out": np.zeros_like,
    "1 % too large": lambda g: 1.01 * g,
    "twice": lambda g: 2.0 * g,
    "shifted by one": lambda g: np.roll(g, 1),
    "offset": lambda g: g + 0.01 * np.abs(g).max(),
    "mean for sum": lambda g: g / 3.0,
    "rows reversed": lambda g: g[::-1],
}


@pytest.mark.parametrize("mistake", MISTAKES)
@given(data=st.data())
def test_mistakes_in_random_networks_are_found(mistake, data):
    shape = data.draw(st.one_of(strategies.vector_shapes(), strategies.image_shapes()))
    network = data.draw(strategies.networks(shape))
    params, x = data.draw(strategies.params(network, shape)), data.draw(strategies.batches(shape))
    path = data.draw(st.sampled_from([*(name for name, _ in tree.items(params)), "x"]))
    wrong = mistaken(network, MISTAKES[mistake], path)
    if _changes(network, wrong, params, x):
        assert error_of(wrong, params, x).path == f"serial.{path}"


def _changes(right, wrong, params, x):
    """Whether the mistake changes a gradient by more than rounding: where the right one is 0, as that of a norm's
    weights before an average over what it normalized, a third of its rounding is as right."""
    y = right.apply(params, x)
    dy = normal(*y.shape)
    gradients, others = (tree.leaves(list(layer.vjp(params, x)[1](dy))) for layer in (right, wrong))
    changes = [
        np.abs(g - o).max(initial=0.0) > max(1e-6 * np.abs(g).max(initial=0.0), 1e-13 * np.abs(dy).max(initial=0.0))
        for g, o in zip(gradients, others, strict=True)
    ]
    return any(changes)


def test_same_seed_gives_the_same_verdict():
    params, x = affine_point(3, 20, 20)
    wrong = affine(20, lambda dw, db, dx: (dw * (1.0 + 0.01 * (np.abs(dw) > 2.0)), db, dx))
    for seed in (0, 1, (2, 7)):
        assert str(error_of(wrong, params, x, seed=seed)) == str(error_of(wrong, params, x, seed=seed))


def test_a_pullback_that_is_not_linear_in_the_cotangent_is_found():
    clipped = elementwise(np.sin, np.cos)
    pullback = mistaken(clipped, lambda dx: np.clip(dx, -10.0, 10.0), "x")
    assert error_of(pullback, {}, normal(3, 4)).verdict == "wrong derivative"


def test_a_jacobian_of_the_wrong_entries_is_named_in_full():
    params, x = affine_point(2, 3, 2)
    wrong = affine(2, lambda dw, db, dx: (dw, np.where(np.arange(2) == 1, 1.5 * db, db), dx))
    assert error_of(wrong, params, x, full=True).place == "affine.b[1]"


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        (lambda g: -g, "the wrong sign"),
        (np.zeros_like, "gives exactly zero"),
        (lambda g: 2.0 * g, "twice too large"),
        (lambda g: 0.5 * g, "half as large"),
        (lambda g: g / 7.0, "7 times too small, the batch's size: is it a mean where a sum belongs"),
        (lambda g: 7.0 * g, "7 times too large, the batch's size: is it a sum where a mean belongs"),
        (lambda g: 1.3 * g, "1.3 times what it should be"),
    ],
)
def test_the_message_says_what_the_ratio_suggests(mistake, hint):
    params, x = affine_point(7, 3, 2)
    error = error_of(affine(2, lambda dw, db, dx: (mistake(dw), db, dx)), params, x)
    assert hint in error.message
    assert "Gradients that are wrong: w; right: b, x." in error.message


def test_a_gradient_for_what_the_function_ignores_is_found():
    layer = elementwise(lambda x: 0.0 * x + 3.0, np.ones_like)
    assert "does not depend on this entry" in error_of(layer, {}, normal(2, 3)).message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_gradients_that_are_not_finite_are_named(value):
    layer = mistaken(elementwise(np.sin, np.cos), one_entry((1, 2), value), "x")
    error = error_of(layer, {}, normal(3, 4))
    assert (error.verdict, error.place) == ("wrong derivative", "toy.x[1, 2]")


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("clip", [lambda g: np.maximum(g, 0.0), np.abs], ids=["clipped", "absolute"])
def test_a_gradient_of_one_entry_that_is_right_for_one_sign_alone_is_found(clip, seed):
    params, x = affine_point(3, 4, 1)
    error = error_of(mistaken(affine(1), clip, "b"), params, x, seed=seed)
    assert (error.verdict, error.place) == ("wrong derivative", "affine.b[0]")


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e100, 1e160, 1e250, 1e300])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gradients_whose_squares_overflow_or_vanish_are_found(factor, dtype):
    factor = dtype(np.clip(factor, np.finfo(dtype).tiny, np.finfo(dtype).max / 1e6))
    params, x = affine_point(3, 4, 2)
    for path in ("w", "b", "x"):
        wrong = mistaken(affine(2), lambda gradient: gradient * factor, path)
        error = error_of(wrong, tree.map(lambda p: p.astype(dtype), params), x.astype(dtype))
        assert (error.verdict, error.path) == ("wrong derivative", f"affine.{path}")
