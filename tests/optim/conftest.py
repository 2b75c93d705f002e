"""A tree of parameters and gradients that nothing may write to."""

import numpy as np
import pytest

from functional_nn import tree


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def trees(request):
    """Read-only `(params, [grads of one step after another])`."""
    rng = np.random.default_rng(0)

    def frozen():
        leaves = {"c1": {"w": rng.standard_normal((3, 2)), "b": rng.standard_normal(2)}, "f2": [rng.standard_normal(4)]}
        leaves = tree.map(lambda a: a.astype(request.param), leaves)
        for leaf in tree.leaves(leaves):
            leaf.flags.writeable = False
        return leaves

    return frozen(), [frozen() for _ in range(4)]
