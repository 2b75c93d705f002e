"""The reference page lists everything that is public."""

from pathlib import Path

import pytest

from functional_nn import compose, layers, losses, optim, testing

PAGE = (Path(__file__).parent.parent / "docs" / "reference.md").read_text(encoding="utf-8")
NO_ENTRIES = {"Loss", "labels_hit", "softmax", "weighted_targets", "Schedule", "Transform", "apply_updates"}


@pytest.mark.parametrize("name", sorted({*layers.__all__, *losses.__all__, *optim.__all__} - NO_ENTRIES))
def test_every_layer_loss_and_optimizer_has_its_entry(name):
    assert f"`{name}`" in PAGE or f"`{name}(" in PAGE or f"`models.{name}(" in PAGE


@pytest.mark.parametrize("name", compose.__all__)
def test_every_combinator_has_its_entry(name):
    assert f"`fnn.{name}(" in PAGE


@pytest.mark.parametrize("name", [name for name in testing.__all__ if name.startswith("check_")])
def test_every_gradient_check_has_its_entry(name):
    assert f"`{name}(" in PAGE
    assert f"`{name}(" in (Path(__file__).parent.parent / "docs" / "check-a-gradient.md").read_text(encoding="utf-8")
