"""The summary's figures, counted by hand."""

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers, models
from functional_nn.overview import layer_facts


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
    with pytest.raises(ValueError, match=r"lenet5"):
        fnn.summary(models.lenet5(), (4, 4, 1))
