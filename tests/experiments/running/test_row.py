"""What the settings of a row do to inputs of a shape."""

from __future__ import annotations

import pytest

from experiments.running.row import Settings

ASKED = Settings(0.1, epochs=1, shift=2, flip=True)


@pytest.mark.parametrize(
    ("shape", "shift", "flip"),
    [((32, 32, 3), 2, True), ((32, 32, 1), 2, False), ((408,), 0, False)],
    ids=["colour", "grey", "features"],
)
def test_what_is_recorded_is_what_was_done_to_the_inputs(shape, shift, flip):
    """Grey images were recorded as mirrored, and features as mirrored and shifted."""
    described = ASKED.applied(shape).described()
    assert (described.pop("shift"), described.pop("flip")) == (shift, flip)
    assert described.items() <= ASKED.described().items()


def test_what_was_not_asked_for_is_not_done():
    assert not Settings(0.1, epochs=1, flip=False).applied((32, 32, 3)).flip
