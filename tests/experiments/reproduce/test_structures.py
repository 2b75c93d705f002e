"""Drawings of networks."""

from __future__ import annotations

from experiments.reproduce.structures import stages
from functional_nn import models


def test_a_structure_is_that_of_the_model():
    found = stages(models.improved_lenet5(50), (32, 32, 3))
    assert [stage.shape for stage in found] == [
        (32, 32, 3), (30, 30, 6), (15, 15, 6), (13, 13, 16), (14, 14, 16), (7, 7, 16), (8, 8, 16), (6, 6, 6),
        (216,), (120,), (84,), (50,),
    ]  # fmt: skip
    assert found[1].text == "c1: conv2d(6, 3), silu"
    assert found[1].parameters == 3 * 3 * 3 * 6 + 6
