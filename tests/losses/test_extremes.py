"""No loss warns of an overflow for finite float32 outputs (warnings are errors in tests)."""

import numpy as np
import pytest

from functional_nn import losses

LARGEST = float(np.finfo(np.float32).max)
OUTPUTS = np.array([[LARGEST, -LARGEST, 0.0], [-LARGEST, LARGEST, LARGEST]], np.float32)
LABELS = np.array([0, 2])


@pytest.mark.parametrize("loss", [losses.softmax_cross_entropy, losses.cross_entropy(0.1), losses.hinge()], ids=repr)
def test_logits_that_are_as_far_apart_as_can_be_give_finite_gradients(loss):
    _, pullback = loss.vjp(OUTPUTS, LABELS)
    assert np.isfinite(pullback(1.0)).all()


@pytest.mark.parametrize("loss", [losses.mean_squared_error, losses.huber(2.0)], ids=repr)
def test_squares_beyond_float32_are_summed_in_float64(loss):
    value, pullback = loss.vjp(OUTPUTS / 4, np.zeros_like(OUTPUTS))
    assert 1e38 < value < np.inf
    assert np.isfinite(pullback(1.0)).all()
