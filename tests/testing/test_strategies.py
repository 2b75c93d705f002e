"""The strategies draw what they promise, and the checker can be imported without hypothesis."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from functional_nn import Layer, layers, tree
from functional_nn.testing import check_vjp, strategies
from functional_nn.testing.networks import shifted_by_rows
from tests.testing.toys import normal

shapes = st.one_of(strategies.vector_shapes(), strategies.image_shapes())
UNSHRUNK = settings(max_examples=5_000, phases=[Phase.generate])
inputs = st.sampled_from([strategies.batches, strategies.kink_free, strategies.tie_free])


@given(st.data(), inputs, st.sampled_from([np.float32, np.float64]))
def test_inputs_have_the_shape_and_dtype_asked_for(data, draw_inputs, dtype):
    shape = data.draw(shapes)
    x = data.draw(draw_inputs(shape, min_size=2, max_size=5, dtype=dtype))
    assert x.shape[1:] == shape
    assert 2 <= len(x) <= 5
    assert x.dtype == dtype


@given(st.data())
def test_kink_free_inputs_stay_away_from_zero_on_both_sides(data):
    x = data.draw(strategies.kink_free((20,)))
    assert np.abs(x).min() > 1e-3
    assert x.min() < 0.0 < x.max()


@given(st.data())
def test_tie_free_inputs_are_apart(data):
    x = data.draw(strategies.tie_free((9, 9, 3)))
    in_order = np.sort(np.append(x.ravel(), 0.0))
    assert np.diff(in_order).min() > 1e-3


@given(st.data(), st.integers(1, 6), st.integers(1, 9))
def test_labels_and_probabilities_fit_their_classes(data, n, classes):
    labels, rows = data.draw(strategies.labels(n, classes)), data.draw(strategies.probabilities(n, classes))
    assert labels.dtype == np.int64
    assert labels.shape == (n,)
    assert ((labels >= 0) & (labels < classes)).all()
    assert rows.shape == (n, classes)
    np.testing.assert_allclose(rows.sum(axis=1), 1.0)


@given(st.data(), st.sampled_from([np.float32, np.float64]))
def test_parameters_have_the_layers_tree_and_biases_that_are_not_zero(data, dtype):
    layer = layers.conv2d(3, 2)
    params = data.draw(strategies.params(layer, (4, 4, 2), dtype=dtype))
    tree.map(
        lambda p, q: np.testing.assert_equal(p.shape, q.shape), params, layer.init(np.random.default_rng(0), (4, 4, 2))
    )
    assert {leaf.dtype for leaf in tree.leaves(params)} == {np.dtype(dtype)}
    assert (params["b"] != 0.0).all()


@given(st.data(), st.booleans())
def test_networks_fit_their_input(data, keyed):
    shape = data.draw(shapes)
    network = data.draw(strategies.networks(shape, keyed=keyed))
    x = data.draw(strategies.batches(shape, min_size=2))
    y, _ = network.vjp(data.draw(strategies.params(network, shape)), x, key=0)
    assert y.shape == (len(x), *network.output_shape(shape))


def holds(name):
    def occurs_in(layer: Layer) -> bool:
        return layer.name == name or any(occurs_in(part) for _, part in layer.parts)

    return occurs_in


@pytest.mark.parametrize("name", ["residual", "branch", *layers.__all__])
def test_networks_hold_every_public_layer(name):
    inputs = st.sampled_from([(5,), (4, 5, 2)])
    drawn = inputs.flatmap(lambda shape: strategies.networks(shape, max_parts=2, nesting=1, keyed=True))
    assert find(drawn, holds(name), settings=UNSHRUNK)


@pytest.mark.parametrize("name", ["batch_norm", "dropout"])
def test_networks_hold_layers_that_need_a_key_only_where_asked_for(name):
    with pytest.raises(NoSuchExample):
        find(strategies.networks((4, 5, 2)), holds(name), settings=settings(UNSHRUNK, max_examples=200))


@pytest.mark.parametrize("argument", ["groups", "dilation", "stride", "padding"])
def test_convolutions_are_drawn_with_every_argument(argument):
    def convolves_with_it(layer: Layer) -> bool:
        if layer.name == "conv2d":
            return f"{argument}=" in repr(layer)
        return any(convolves_with_it(part) for _, part in layer.parts)

    assert find(strategies.networks((5, 5, 2)), convolves_with_it, settings=UNSHRUNK)


def test_rows_that_an_embedding_looks_up_are_added_to_the_input():
    layer, w = shifted_by_rows(3, np.array([2, 0])), np.array([[1.0], [2.0], [3.0]])
    y, pullback = layer.vjp({"w": w}, np.array([[[10.0], [20.0]], [[30.0], [40.0]]]))
    np.testing.assert_array_equal(y, [[[13.0], [21.0]], [[33.0], [41.0]]])
    dparams, dx = pullback(np.array([[[1.0], [2.0]], [[4.0], [8.0]]]))
    np.testing.assert_array_equal(dparams["w"], [[10.0], [0.0], [5.0]])
    np.testing.assert_array_equal(dx, [[[1.0], [2.0]], [[4.0], [8.0]]])
    check_vjp(layer, {"w": normal(3, 4)}, normal(5, 2, 4))


@given(st.data())
def test_kink_free_and_tie_free_inputs_let_layers_with_kinks_pass(data):
    check_vjp(layers.relu, {}, data.draw(strategies.kink_free((7,))))
    check_vjp(layers.max_pool(3, stride=1), {}, data.draw(strategies.tie_free((5, 5, 2))))


WITHOUT_HYPOTHESIS = """
import sys
sys.modules["hypothesis"] = None
import functional_nn.testing
try:
    import functional_nn.testing.strategies
except ImportError as error:
    print(error)
"""


def test_without_hypothesis_the_checker_works_and_the_strategies_name_the_extra():
    run = subprocess.run([sys.executable, "-c", WITHOUT_HYPOTHESIS], capture_output=True, text=True, check=True)
    assert "pip install -e '.[test]'" in run.stdout
