"""What every loss refuses, whatever it computes."""

import numpy as np
import pytest

from functional_nn import losses

LOSSES = [losses.softmax_cross_entropy, losses.hinge(), losses.mean_squared_error, losses.sigmoid_cross_entropy]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_single_number_is_no_batch(loss):
    for call in (loss.apply, loss.vjp):
        with pytest.raises(
            ValueError, match=rf"^{loss.name}: outputs are a single number, expected a batch \(n, ...\)"
        ):
            call(np.array(1.0), np.array(1))
        with pytest.raises(
            ValueError, match=rf"^{loss.name}: targets are a single number, expected a batch \(n, ...\)"
        ):
            call(np.ones((2, 2)), np.array(1))


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_loss_that_is_called_says_what_to_do(loss):
    with pytest.raises(TypeError, match=rf"^{loss.name} is a loss and cannot be called: {loss.name}\.apply\("):
        loss(np.ones((2, 2)), np.array([0, 1]))
