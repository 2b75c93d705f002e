"""The leaves of a model, and the summary's figures, counted by hand."""

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import anatomy, layers, models
from functional_nn.anatomy import layer_facts
from tests.refusals import refused

LENET = models.lenet5(50)
PARAMS = LENET.init(np.random.default_rng(0), (32, 32, 3))


def test_figures_of_a_small_network_are_those_counted_by_hand():
    model = fnn.serial(c=layers.conv2d(2, 3, padding=1), a=layers.sigmoid, flat=layers.flatten(), f=layers.dense(5))
    facts = {row.path: row for row in layer_facts(model, (4, 4, 1))}
    assert facts["c"][2:] == ((4, 4, 2), 9 * 2 + 2, 9 * 2 * 16, 4 * (4 + 2) * 3 * 4)  # 3 columns of 6 padded rows
    assert facts["a"][2:] == ((4, 4, 2), 0, 0, 4 * 32)  # its output
    assert facts["flat"][2:] == ((32,), 0, 0, 0)
    assert facts["f"][2:] == ((5,), 32 * 5 + 5, 32 * 5, 4 * 32)  # its input


def test_bound_parameters_count():
    model = models.two_layer_perceptron(4, 3)
    params = model.init(np.random.default_rng(0), (6,))
    bound = fnn.bind(model, {"hidden": params["hidden"]})
    assert [row.parameters for row in layer_facts(bound, (6,))] == [row.parameters for row in layer_facts(model, (6,))]


def test_every_part_of_a_nested_model_is_listed_once(capsys):
    model = models.small_resnet(10, width=8)
    fnn.summary(model, (16, 16, 3))
    printed = capsys.readouterr().out
    for path in ("stem", "block1.body.c1", "block2.shortcut", "output"):
        assert printed.count(f"\n{path} ") == 1
    total = fnn.tree.size(model.init(np.random.default_rng(0), (16, 16, 3)))
    assert f"{total:,}" in printed.splitlines()[-1]


def test_layers_that_draw_or_look_up_have_figures_too():
    model = fnn.serial(
        words=layers.embedding(5, 4), flat=layers.flatten(), drop=layers.dropout(0.5), n=layers.batch_norm()
    )
    rows = {row.path: row for row in layer_facts(model, (3,))}
    assert rows["words"].parameters == 20
    assert rows["drop"].kept_bytes == 4 * 12


def test_a_shape_that_does_not_fit_is_refused():
    with refused(ValueError, "lenet5.c1: input of height 4, padding included, is smaller than the window of 5"):
        fnn.summary(models.lenet5(), (4, 4, 1))


def test_a_depth_merges_what_is_deeper_into_its_combinator():
    model = models.small_resnet(10, width=8)
    leaves, parts = layer_facts(model, (16, 16, 3)), layer_facts(model, (16, 16, 3), depth=1)
    assert [row.path for row in parts] == [name for name, _ in model.parts]
    block = next(row for row in parts if row.path == "block2")
    assert block[1:3] == ("residual", (4, 4, 16))
    for figure in (3, 4, 5):
        assert block[figure] == sum(row[figure] for row in leaves if row.path.startswith("block2."))
    two = [row.path for row in layer_facts(model, (16, 16, 3), depth=2)]
    assert [path for path in two if path.startswith("block2")] == ["block2.body", "block2.shortcut"]
    assert layer_facts(model, (16, 16, 3), depth=3) == leaves


def test_a_merged_branch_has_its_joined_output():
    model = fnn.serial(fan=fnn.branch(a=layers.dense(2), b=layers.dense(3)), out=layers.dense(1))
    assert [row.output_shape for row in layer_facts(model, (4,), depth=1)] == [(5,), (1,)]


def test_a_filter_shows_the_paths_that_match_and_adds_them_up(capsys):
    fnn.summary(LENET, (32, 32, 3), filter="f?")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["f5", "f6", "f7"]
    of_dense = 400 * 120 + 120 + 120 * 84 + 84 + 84 * 50 + 50
    assert lines[-2].split()[:2] == ["these", f"{of_dense:,}"]
    assert lines[-1].split()[:2] == ["lenet5", f"{fnn.tree.size(PARAMS):,}"]


def test_a_filter_that_matches_nothing_names_the_paths():
    with pytest.raises(ValueError, match=r"filter 'd\*' matches none of the paths c1, a1"):
        fnn.summary(LENET, (32, 32, 3), filter="d*")


def test_a_depth_below_one_is_refused():
    with pytest.raises(ValueError, match="depth is 0"):
        fnn.summary(LENET, (32, 32, 3), depth=0)


def test_a_model_that_is_a_leaf_goes_by_its_name():
    assert [row.path for row in layer_facts(layers.dense(2), (4,))] == ["dense"]


def test_leaves_come_in_order_with_their_shapes():
    leaves = anatomy.leaf_layers(LENET, (32, 32, 3))
    assert [leaf.path for leaf in leaves] == [(name,) for name, _ in LENET.parts]
    assert leaves[0].input_shape == (32, 32, 3)
    assert leaves[2].output_shape == (14, 14, 6)
    nested = fnn.residual(fnn.serial(a=fnn.layers.dense(3)), fnn.layers.dense(3))
    assert [leaf.path for leaf in anatomy.leaf_layers(nested, (4,))] == [("body", "a"), ("shortcut",)]


@pytest.mark.parametrize("bound", [False, True])
def test_multiply_adds_are_those_counted_by_hand(bound):
    by_hand = {"c1": 28 * 28 * 6 * 75, "c3": 10 * 10 * 16 * 150, "f5": 400 * 120, "f6": 120 * 84, "f7": 84 * 50}
    model, params = LENET, PARAMS
    if bound:
        model = fnn.bind(LENET, {"c1": PARAMS["c1"]})
        params = {name: entry for name, entry in PARAMS.items() if name != "c1"}
    counted = {leaf.path[0]: anatomy.multiply_adds(leaf, params) for leaf in anatomy.leaf_layers(model, (32, 32, 3))}
    assert {name: count for name, count in counted.items() if count} == by_hand


def test_a_transposed_convolution_multiplies_at_each_position_of_its_input():
    model = fnn.serial(up=layers.conv2d_transpose(2, 3, stride=2), c=layers.conv2d(1, 2, stride=2))
    up, c = layer_facts(model, (4, 5, 3))
    assert (up.output_shape, c.output_shape) == ((9, 11, 2), (4, 5, 1))
    assert (up.multiply_adds, c.multiply_adds) == (4 * 5 * 9 * 3 * 2, 4 * 5 * 4 * 2)


def test_an_embedding_multiplies_nothing():
    model = fnn.serial(e=layers.embedding(50, 4), f=layers.flatten(), d=layers.dense(3))
    assert [fact.multiply_adds for fact in layer_facts(model, (20,))] == [0, 0, 20 * 4 * 3]


def test_what_is_no_layer_is_refused_and_a_list_is_a_shape(capsys):
    with refused(TypeError, "summary: model: expected a Layer, got 5"):
        fnn.summary(5, (2,))
    fnn.summary(layers.dense(3), [2])
    fnn.summary(layers.dense(3), (2,))
    first, second = capsys.readouterr().out.split("path")[1:]
    assert first == second
