"""Every leaf's output, by path."""

from __future__ import annotations

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import anatomy, layers
from tests.anatomy.nets import IMAGES, LABELS, NETS, PATHS, normal, ready


def test_they_are_those_computed_by_hand():
    model = fnn.serial(f=layers.dense(5), a=layers.relu, out=layers.dense(2))
    params, x = model.init(np.random.default_rng(0), (3,)), normal(4, 3)
    outputs = fnn.activations(model, params, x)
    assert list(outputs) == ["f", "a", "out"]
    hidden = x @ params["f"]["w"] + params["f"]["b"]
    np.testing.assert_allclose(outputs["f"], hidden, rtol=1e-5)
    np.testing.assert_allclose(outputs["a"], np.where(hidden > 0, hidden, 0), rtol=1e-5)
    rectified = np.where(hidden > 0, hidden, 0)
    np.testing.assert_allclose(outputs["out"], rectified @ params["out"]["w"] + params["out"]["b"], rtol=1e-4)


@pytest.mark.parametrize("name", NETS)
def test_the_last_is_the_models_own_output_and_all_have_the_leaves_shapes(name):
    model, params, x = ready(name)
    params = fnn.statistics(model, params, x)
    outputs = fnn.activations(model, params, x)
    assert np.array_equal(list(outputs.values())[-1], model.apply(params, x))
    if name != "repeated":  # whose output_shape asks its part for nothing
        leaves = anatomy.leaf_layers(model, x.shape[1:])
        assert [y.shape[1:] for y in outputs.values()] == [leaf.output_shape for leaf in leaves]


def test_paths_are_dotted_and_in_order():
    model, params, x = ready("images")
    assert list(fnn.activations(model, fnn.statistics(model, params, x), x)) == PATHS


def test_a_model_without_parts_goes_by_its_name():
    assert list(fnn.activations(*ready("leaf"))) == ["dense"]


def test_a_layer_that_x_passes_twice_has_two_entries():
    outputs = fnn.activations(*ready("repeated"))
    assert list(outputs) == ["pair.part", "pair.part#2", "out"]
    assert not np.array_equal(outputs["pair.part"], outputs["pair.part#2"])


def test_a_bound_part_has_its_entry():
    model, params, x = ready("lenet5")
    bound = fnn.bind(model, {"c1": params["c1"]})
    rest = {name: entry for name, entry in params.items() if name != "c1"}
    whole, of_bound = fnn.activations(model, params, x), fnn.activations(bound, rest, x)
    assert list(of_bound) == list(whole)
    assert all(np.array_equal(of_bound[path], whole[path]) for path in whole)


def test_it_is_inference():
    model, params, x = ready("images")
    with pytest.raises(TypeError, match=r"fan\.b\.n\.mean: missing.*fnn\.statistics"):
        fnn.activations(model, params, x)
    outputs = fnn.activations(IMAGES, fnn.statistics(model, params, x), x)
    assert np.array_equal(outputs["drop"].reshape(len(x), -1), outputs["flat"])
    assert np.count_nonzero(outputs["drop"][..., :3]) == outputs["drop"][..., :3].size  # nothing was dropped


def test_what_is_no_layer_is_refused():
    with pytest.raises(TypeError, match="model is None, expected a Layer"):
        fnn.activations(None, {}, LABELS)
