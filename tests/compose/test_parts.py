"""What combinators refuse: names that paths could not show, and cotangents of another shape than the output."""

import numpy as np
import pytest

import functional_nn as fnn
from functional_nn import layers
from functional_nn.layer import LayerError


@pytest.mark.parametrize("name", ["", "a.b"])
@pytest.mark.parametrize("combinator", [fnn.serial, fnn.branch], ids=["serial", "branch"])
def test_a_name_that_would_break_paths_is_refused(combinator, name):
    with pytest.raises(ValueError, match=rf"{combinator.__name__}: a part is called '{name}', expected a name without"):
        combinator(**{name: layers.relu})


@pytest.mark.parametrize(
    "dy", [None, 1.0, [1.0], np.float64(1.0), np.ones((2, 5)), np.ones((2, 7)), np.ones(6)], ids=repr
)
def test_branch_names_a_cotangent_that_does_not_fit_its_output(dy):
    model = fnn.branch(a=layers.relu, b=layers.tanh)
    _, pullback = model.vjp({}, np.ones((2, 3)))
    with pytest.raises(LayerError, match=r"^branch: dy (is a .*expected a NumPy array|has shape .*has \(2, 6\))"):
        pullback(dy)
