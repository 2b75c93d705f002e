"""A value is its constructor's call: layers, losses, transformations, schedules, data transforms and one's own."""

import copy
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import anatomy, data, layers, losses, models, optim
from functional_nn.arguments import count
from functional_nn.value import Value, constant, constructor, reduced
from tests.refusals import refused

EXAMPLES = [
    (lambda: layers.conv2d(6, (5, 5), padding=2), "conv2d(6, 5, padding=2)"),
    (lambda: layers.relu, "relu"),
    (lambda: layers.reshape([4, 4]), "reshape((4, 4))"),
    (lambda: layers.dense(np.int64(3), w_init=fnn.initializers.he_normal), "dense(3, w_init=he_normal)"),
    (lambda: fnn.serial(a=layers.dense(2), b=layers.tanh), "serial(a=dense(2), b=tanh)"),
    (lambda: fnn.residual(layers.dense(2)), "residual(dense(2))"),
    (lambda: models.lenet5(classes=50), "lenet5(classes=50)"),
    (lambda: models.lenet5_1998(), "lenet5_1998()"),
    (lambda: losses.softmax_cross_entropy, "softmax_cross_entropy"),
    (
        lambda: losses.cross_entropy(0.1, np.array([1, 2])),
        "cross_entropy(label_smoothing=0.1, class_weights=(1.0, 2.0))",
    ),
    (lambda: optim.sgd(np.float64(0.1), momentum=0.9), "sgd(0.1, momentum=0.9)"),
    (lambda: optim.chain(optim.scale_by_adam(), optim.trace(0.5)), "chain(scale_by_adam(), trace(0.5))"),
    (lambda: optim.adam(optim.cosine(0.1, steps=9)), "adam(cosine(0.1, 9))"),
    (lambda: optim.masked(optim.trace(0.5), "*.w"), "masked(trace(0.5), ('*.w',))"),
    (lambda: data.chain(data.random_flip(), data.random_shift(2)), "chain(random_flip(), random_shift(2))"),
    (lambda: data.standardize_by((1, 2), [3.0, 4.0]), "standardize_by((1.0, 2.0), (3.0, 4.0))"),
]


@pytest.mark.parametrize(("make", "printed"), EXAMPLES, ids=[printed for _, printed in EXAMPLES])
def test_a_value_prints_compares_pickles_and_copies_as_its_call(make, printed):
    value = make()
    assert repr(value) == printed
    for same in (make(), pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):
        assert same == value
        assert hash(same) == hash(value)
        assert repr(same) == printed


def test_values_of_different_calls_differ():
    values = [make() for make, _ in EXAMPLES]
    for i, one in enumerate(values):
        assert [one == other for other in values] == [i == j for j in range(len(values))]
        assert one != "a string"


@constructor(pixels=count)
def crop(pixels: int) -> fnn.Layer:
    """Return the layer that cuts `pixels` off all sides of images."""

    def output_shape(input_shape):
        h, w, c = input_shape
        return (h - 2 * pixels, w - 2 * pixels, c)

    def vjp(params, x, *, key=None, wrt_x=True):
        inside = (slice(None), slice(pixels, x.shape[1] - pixels), slice(pixels, x.shape[2] - pixels))

        def pullback(dy):
            dx = np.zeros_like(x)
            dx[inside] = dy
            return {}, dx if wrt_x else None

        return x[inside].copy(), pullback

    return fnn.Layer("crop", vjp=vjp, output_shape=output_shape)


def test_a_users_layers_of_different_arguments_share_no_cached_shapes():
    small, large = fnn.serial(c=crop(1)), fnn.serial(c=crop(2))
    assert small != large
    for model, side in ((small, 6), (large, 4)):
        assert [row.output_shape for row in anatomy.layer_facts(model, (8, 8, 1))] == [(side, side, 1)]


def test_a_users_layer_is_checked_as_the_librarys_are():
    fnn.testing.check_vjp(crop(1), {}, np.random.default_rng(0).standard_normal((2, 5, 4, 3)))
    with pytest.raises(ValueError, match="crop: pixels is 0, expected an int of at least 1"):
        crop(0)


def test_a_layer_that_no_constructor_made_equals_itself_alone():
    def vjp(params, x, *, key=None, wrt_x=True):
        return x, lambda dy: ({}, dy)

    one, other = fnn.Layer("same", vjp=vjp), fnn.Layer("same", vjp=vjp)
    assert one == one
    assert one != other
    assert len({one, other}) == 2


def test_a_constructor_that_returns_anothers_value_is_the_one_that_is_remembered():
    @constructor
    def tall(units: int) -> fnn.Layer:
        return fnn.serial(a=layers.dense(units), b=layers.dense(units))

    assert repr(tall(3)) == "tall(3)"
    assert tall(3) != fnn.serial(a=layers.dense(3), b=layers.dense(3))
    with pytest.raises(ValueError, match=r"^tall\.a: x has 2 features"):
        tall(3).apply({"a": {"w": np.zeros((4, 3)), "b": np.zeros(3)}}, np.zeros((1, 2)))


def test_a_value_that_was_given_to_a_constructor_does_not_change():
    @constructor
    def same(layer: fnn.Layer) -> fnn.Layer:
        return layer

    inner = layers.dense(3)
    assert repr(same(inner)) == "same(dense(3))"
    assert (repr(inner), inner.name) == ("dense(3)", "dense")
    assert repr(same(layers.relu)) == "same(relu)"
    assert repr(layers.relu) == "relu"


def test_arrays_among_the_arguments_are_compared_by_content_and_cannot_change():
    w = np.ones((2, 3), np.float32)
    fixed = fnn.bind(layers.dense(3), {"w": w})
    same = fnn.bind(layers.dense(3), {"w": w.copy()})
    w[0, 0] = 5.0
    assert fixed == same
    assert hash(fixed) == hash(same)
    assert fixed != fnn.bind(layers.dense(3), {"w": w})
    with pytest.raises(ValueError, match="read-only"):
        fixed.call.arguments["fixed"]["w"][0, 0] = 2.0


def scaled(rng, shape, scale=1.0):
    return np.full(shape, scale, np.float32)


def test_partials_are_compared_by_function_and_arguments_and_pickle():
    one, same = (layers.dense(3, w_init=partial(scaled, scale=2.0)) for _ in range(2))
    assert one == same
    assert hash(one) == hash(same)
    assert one != layers.dense(3, w_init=partial(scaled, scale=3.0))
    assert repr(one) == "dense(3, w_init=partial(scaled, scale=2.0))"
    assert pickle.loads(pickle.dumps(one)) == one


def test_what_cannot_pickle_says_so_and_what_to_do():
    @constructor
    def local(units: int) -> fnn.Layer:
        return layers.dense(units)

    for value, kind in (
        (layers.dense(3, w_init=lambda rng, shape: None), "a lambda"),
        (local(3), "local, which stands"),
    ):
        with pytest.raises(TypeError, match=rf"{kind}.*define it by `def` at the top level of a module"):
            pickle.dumps(value)


@constructor
def own(function) -> fnn.Layer:
    return fnn.Layer("own", vjp=lambda params, x, *, key=None, wrt_x=True: (function(x), None))


def doubled_by(module):
    def doubled():
        return fnn.Layer("doubled", vjp=lambda params, x, *, key=None, wrt_x=True: (2 * x, None))

    doubled.__module__, doubled.__qualname__ = module, "doubled"
    return constant(doubled)


def test_another_process_can_make_what_pickle_refuses():
    """`reduced` asks no questions, as functions may go by value."""
    x = np.ones((1, 2))
    nameless = fnn.Layer("nameless", vjp=lambda params, x, *, key=None, wrt_x=True: (3 * x, None))
    for value in (own(lambda x: x + 1), nameless, fnn.serial(a=own(lambda x: -x), b=nameless)):
        with pytest.raises(TypeError, match="is a lambda"):
            pickle.dumps(value)
        function, arguments = reduced(value)
        again = function(*arguments)
        assert repr(again) == repr(value)
        assert again.call == value.call
        np.testing.assert_array_equal(again.apply({}, x), value.apply({}, x))
    assert reduced(layers.dense(2)) == layers.dense(2).__reduce__()


def test_a_constant_goes_by_its_public_name_where_it_has_one():
    assert reduced(layers.relu) == layers.relu.__reduce__()
    function, arguments = reduced(layers.relu)
    assert function(*arguments) is layers.relu
    assert reduced(doubled_by("some.module"))[1] == ("some.module", "doubled")
    function, arguments = reduced(doubled_by("__main__"))  # another module in another process
    again = function(*arguments)
    assert repr(again) == "doubled"
    assert again.apply({}, np.ones(1)).tolist() == [2.0]


def test_a_call_makes_the_value_anew_with_other_arguments():
    assert layers.conv2d(6, 5, padding=1).call(filters=3) == layers.conv2d(3, 5, padding=1)
    assert fnn.serial(a=layers.relu, b=layers.tanh).call(b=layers.silu) == fnn.serial(a=layers.relu, b=layers.silu)
    assert models.lenet5(3).call.arguments["classes"] == 3
    both = optim.chain(optim.trace(0.5), optim.scale_by_adam())
    assert both.call() == both
    assert both.call.arguments == {"transforms": (optim.trace(0.5), optim.scale_by_adam())}
    with refused(TypeError, "relu has no arguments to change, got units"):
        layers.relu.call(units=3)
    with refused(TypeError, "relu has no arguments to change, got none"):
        layers.relu.call()
    assert layers.dense(3).call != "dense(3)"


def test_the_order_of_parts_counts_and_that_of_a_dict_does_not():
    dense, relu = layers.dense(3), layers.relu
    assert fnn.serial(a=dense, b=relu) != fnn.serial(b=relu, a=dense)
    params = dense.init(np.random.default_rng(0), (2,))
    turned = dict(reversed(params.items()))
    assert fnn.bind(dense, params) == fnn.bind(dense, turned)
    assert hash(fnn.bind(dense, params)) == hash(fnn.bind(dense, turned))


def test_a_value_cannot_be_changed():
    for value in (layers.dense(3), layers.relu, losses.huber()):
        with refused(AttributeError, f"{value!r} cannot be changed: make a new one with call(name=...)"):
            value.name = "other"
        with refused(AttributeError, f"{value!r} cannot be changed"):
            del value.name
    for value, field in (
        (optim.trace(0.5), "init"),
        (optim.cosine(1.0, 3), "rate_of"),
        (data.random_flip(), "function"),
    ):
        with refused(AttributeError, f"cannot assign to field {field!r}"):
            setattr(value, field, None)


def test_bad_calls_are_refused_with_the_signature():
    with pytest.raises(
        TypeError, match=r"^dense: missing a required argument: 'units'; its arguments are dense\(units"
    ):
        layers.dense()
    with pytest.raises(TypeError, match=r"^max_pool: got an unexpected keyword argument 'pad'"):
        layers.max_pool(2, pad=1)

    @constructor
    def kept(thing: object) -> Value:
        return layers.relu

    with pytest.raises(
        TypeError, match=r"kept: an argument is the set \{1\}; a value's arguments are numbers, strings"
    ):
        kept({1})

    @constructor
    def nothing() -> Value:
        return None

    with pytest.raises(
        TypeError, match="nothing: a constructor must return a Layer, a Loss or another Value, got None"
    ):
        nothing()


def test_signatures_and_docstrings_come_through_the_decorator():
    import inspect

    assert list(inspect.signature(layers.dense).parameters) == ["units", "w_init", "b_init"]
    assert layers.dense.__doc__.startswith("Return the layer x (n, d_in)")
    assert layers.relu.__doc__.startswith("y = max(x, 0)")
    assert (layers.dense.__module__, layers.dense.__qualname__) == ("functional_nn.layers.dense", "dense")


def test_a_value_pickles_into_another_process():
    text = "import pickle, sys; print(pickle.load(sys.stdin.buffer))"
    value = models.lenet5(classes=7, activation=layers.relu)
    run = subprocess.run([sys.executable, "-c", text], input=pickle.dumps(value), capture_output=True, check=True)
    assert run.stdout.decode().strip() == "lenet5(classes=7, activation=relu)"


@constructor
def several(first: int, /, *rest: int, last: int = 0, **parts: int) -> fnn.Layer:
    return layers.dense(3)


def test_a_call_is_made_anew_whatever_the_kinds_of_its_arguments():
    value = several(1, 2, 3, last=4, rest=5, self=6)
    assert repr(value) == "several(1, 2, 3, last=4, rest=5, self=6)"
    assert repr(value.call(first=7, last=0)) == "several(7, 2, 3, rest=5, self=6)"
    assert repr(value.call(self=8, more=9)) == "several(1, 2, 3, last=4, rest=5, self=8, more=9)"
    assert repr(several(1, 2).call(rest=(7, 8))) == "several(1, 7, 8)"
    assert optim.chain(optim.trace(0.5)).call(transforms=()) == optim.chain()
    with pytest.raises(TypeError, match="dense: got an unexpected keyword argument 'width'"):
        layers.dense(3).call(width=4)


@constructor
def anything(value: object, sizes: object = [1, 2]) -> fnn.Layer:
    return layers.dense(3)


def test_values_are_equal_only_where_they_print_alike():
    numbers = [1, 1.0, True, 0.0, -0.0, float("nan"), "1", (1,), (1.0,)]
    values = [anything(number) for number in numbers]
    for i, one in enumerate(values):
        assert [one == other for other in values] == [i == j for j in range(len(values))]
    same = anything(float("nan"))
    assert same == values[5] == pickle.loads(pickle.dumps(same))
    assert hash(same) == hash(values[5])
    assert repr(anything(1, [1, 2])) == "anything(1)"


def test_a_check_of_an_argument_that_does_not_exist_is_refused():
    with pytest.raises(TypeError, match="constructor: mine has no argument unit to check; it has units"):

        @constructor(unit=count)
        def mine(units: int) -> fnn.Layer:
            return layers.dense(units)


def test_the_arguments_that_a_value_shows_are_copies():
    bound = fnn.bind(layers.dense(3), {"w": np.ones((2, 3), np.float32)})
    bound.call.arguments["fixed"].clear()
    assert repr(bound) == "bind(dense(3), {'w': float32[2, 3]})"


def test_a_bad_call_lists_the_arguments_as_a_call_would():
    with pytest.raises(TypeError, match=r"its arguments are dense\(units, w_init=glorot_uniform, b_init=zeros\)$"):
        layers.dense(3, unit=3)


def test_a_value_keeps_what_another_constructor_made():
    model = fnn.models.lenet5(3)
    assert model.inner is not None
    assert model.inner.call.constructor is fnn.serial
    assert model.inner.inner is None
    assert fnn.layers.relu.inner is None
